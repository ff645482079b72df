// Answers the remote actions of other pods from the homes that live here.
#pragma once

#include "absl/status/status.h"
#include "context.h"
#include "messages/message.h"
#include "podkit/conduit/conduit.h"

namespace podkit::store {

// Makes `conduit` answer every action of the table and take messages for the homes of this pod.
// `context` must outlive the conduit's last call.
void RegisterRemoteActions(const Context& context, conduit::Conduit& conduit);

// Applies a message to the home of its receiver, which must live here. Durable when it returns.
absl::Status ReceiveMessage(const Context& context, const Message& message);

}  // namespace podkit::store
