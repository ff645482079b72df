// Sends remote actions to the pod on which the target's home lives, in the name of one actor.
//
// Thread-compatible.
#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "context.h"
#include "external/remote_actions.h"
#include "podkit/conduit/conduit.h"

namespace podkit::store {

class RemoteCaller {
 public:
  // `context` must outlive the caller.
  RemoteCaller(const Context& context, RemoteTarget target, Actor actor);

  const Context& context() const { return context_; }
  const RemoteTarget& target() const { return target_; }
  const Actor& actor() const { return actor_; }

  // Calls the method on the other pod. PodUnavailable if that pod cannot be reached or its answer
  // was lost.
  template <auto kMethod, typename... A>
  auto Call(const A&... arguments) const {
    using TheAction = ActionOf<kMethod>;
    using Response = typename TheAction::Response;
    const typename TheAction::Arguments values(arguments...);
    conduit::CallOptions options = Options();
    (AddPayload(arguments, &options), ...);
    if constexpr (CarriesPayload<Response>) options.reply_payload = std::make_shared<std::string>();
    absl::StatusOr<Response> answer = absl::UnknownError("");
    // A home that moves answers where it went, and is followed once.
    std::string pod;
    for (int hop = 0; hop < 2; ++hop) {
      auto found = NextPod(pod, answer.status());
      if (!found.ok()) {
        answer = std::move(found).status();
        break;
      }
      pod = *std::move(found);
      answer = context_.conduit->CallTarget<TheAction>(pod, target_, values, options);
      if (answer.ok() || !GetError<HomeElsewhere>(answer.status())) break;
    }
    if (!answer.ok()) answer = Explain(pod, answer.status());
    if constexpr (CarriesPayload<Response>) {
      if (answer.ok()) answer->payload = std::move(*options.reply_payload);
    }
    if constexpr (std::is_same_v<Response, conduit::Nothing>) {
      return answer.status();
    } else {
      return answer;
    }
  }

 private:
  // Where to send: by the directory, or where the last answer says that the home went.
  absl::StatusOr<std::string> NextPod(const std::string& last, const absl::Status& answer) const;
  conduit::CallOptions Options() const;
  template <typename T>
  static void AddPayload(const T& argument, conduit::CallOptions* options) {
    if constexpr (CarriesPayload<T>) {
      options->payload = std::make_shared<const std::string>(argument.payload);
    }
  }
  // A failed transport as PodUnavailable, a request that no pod would be sent as InvalidRequest;
  // everything else, BodyTooLarge too, as it is.
  absl::Status Explain(const std::string& pod, const absl::Status& status) const;

  const Context& context_;
  const RemoteTarget target_;
  const Actor actor_;
};

}  // namespace podkit::store
