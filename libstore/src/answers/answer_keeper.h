// Goes with one call into the methods of the internal family: they keep their answer with it, in
// the transaction of what they do.
//
// A value, as cheap to copy as two pointers. Thread-safe.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "podkit/conduit/answers.h"
#include "sqlite/database.h"

namespace podkit::store {

class StoreAnswers;

class AnswerKeeper {
 public:
  // Keeps nothing: for what is not called by another pod, or without a key.
  AnswerKeeper() = default;
  // Both must outlive it. A null `call` is one without a key.
  AnswerKeeper(const StoreAnswers* answers, const conduit::KeyedCall* call)
      : answers_(answers), call_(call) {}

  // Keeps `response` as what the call was answered. For use inside of UserStore::Write, once, as
  // the last thing: it must be what the method returns.
  template <conduit::Encodable Response>
  absl::Status Keep(Database& database, const Response& response) const {
    if (call_ == nullptr) return absl::OkStatus();
    auto reply = conduit::AnswerWith(response);
    if (!reply.ok()) return std::move(reply).status();
    return KeepReply(database, *std::move(reply));
  }

 private:
  absl::Status KeepReply(Database& database, conduit::WireReply reply) const;

  const StoreAnswers* answers_ = nullptr;
  const conduit::KeyedCall* call_ = nullptr;
};

}  // namespace podkit::store
