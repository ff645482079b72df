// One pod's end of the conduit: calls commands on other pods and answers theirs.
//
//   conduit->Handle<EatCheez>([](const CallContext&, const EatCheez::Arguments& arguments)
//                                 -> absl::StatusOr<EatCheez::Response> { ... });
//   absl::StatusOr<EatCheez::Response> answer =
//       conduit->Call<EatCheez>("B", {.name = "gouda", .origin = "nl"});
//
// Thread-safe once all responders are registered: Handle comes before the first Receive.
// Ownership: shares `pods`; the transport must outlive the conduit. Opens no socket: mount Receive
// at kConduitPath of any HTTP server (POST), and pass the headers of WireRequest and WireReply on.
// Errors: every call ends once; OutcomeOf(status) says how. See error.h and
// docs/conduit-protocol.md.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "podkit/conduit/command.h"
#include "podkit/conduit/pods.h"
#include "podkit/conduit/transport.h"

namespace podkit::conduit {

enum class LogLevel { kInfo, kWarning, kError };

struct ConduitOptions {
  std::string version = "0.1";  // Of this pod's software; told to callers of unknown commands.
  size_t max_body_bytes = size_t{32} << 20;  // Of a request and of a reply.
  int max_json_depth = 64;                   // At most 512.
  // Between two pods; a request older than that is refused.
  absl::Duration max_clock_skew = absl::Seconds(60);
  // The transport must go by the same clock.
  std::function<absl::Time()> now = [] { return absl::Now(); };
  // May be empty. Called from any thread, without locks held.
  std::function<void(LogLevel, std::string_view)> log = {};
};

struct CallOptions {
  absl::Duration timeout = absl::Seconds(10);
  std::string actor = {};  // The user in whose name the call is made; empty for the pod itself.
                           // UTF-8, at most 256 bytes.
};

// Who calls, as authenticated. Valid during the call.
struct CallContext {
  std::shared_ptr<const Pod> caller;
  std::string actor;
  absl::Time deadline;
};

// What happened since the start, for one command.
struct CommandStats {
  std::string command;
  int64_t sent = 0;  // Calls to other pods that ended, and of these:
  int64_t sent_failed = 0;
  double sent_seconds = 0;
  int64_t received = 0;  // Calls answered for other pods, and of these:
  int64_t received_failed = 0;
  double received_seconds = 0;
};

class Conduit {
 public:
  Conduit(std::shared_ptr<Pods> pods, Transport* transport, ConduitOptions options = {});
  ~Conduit();
  Conduit(const Conduit&) = delete;
  Conduit& operator=(const Conduit&) = delete;

  const Pods& pods() const;

  // Makes `responder` answer command C: called as responder(context, [target,] arguments), from the
  // threads that call Receive; returns absl::StatusOr<C::Response>, or absl::Status where the
  // response is Nothing. An error that C does not declare reaches the caller as InternalError with
  // a reference to this pod's log. Must not call back into the network while it answers.
  template <Command C, typename Responder>
  void Handle(Responder responder);

  // Calls C on `pod` and waits, at most options.timeout. Holds no lock meanwhile.
  template <Command C>
  absl::StatusOr<typename C::Response> Call(std::string_view pod,
                                            const typename C::Arguments& arguments = {},
                                            const CallOptions& options = {}) {
    return CallTarget<C>(pod, {}, arguments, options);
  }
  template <Command C>
  absl::StatusOr<typename C::Response> CallTarget(std::string_view pod, const TargetOf<C>& target,
                                                  const typename C::Arguments& arguments = {},
                                                  const CallOptions& options = {});

  // Answers one request of another pod. Never fails: a refusal is a reply too.
  WireReply Receive(const WireRequest& request);

  std::vector<CommandStats> Stats() const;

 private:
  // Decodes what concerns one command, runs the responder and encodes its answer; empty for
  // Nothing.
  using Responder = std::function<absl::StatusOr<std::string>(const CallContext& context,
                                                              const JsonValue& request)>;
  struct Impl;

  void Register(const CommandInfo& info, std::vector<std::string_view> errors, Responder responder);
  static void BeginRequest(JsonWriter& writer, const CommandInfo& info, const CallOptions& options);
  // Signs and sends an envelope; the document of a reply whose result is "ok", or the error that it
  // holds.
  absl::StatusOr<JsonDocument> Exchange(std::string_view pod, const CommandInfo& info,
                                        std::string envelope, const CallOptions& options);
  static absl::Status BadValue(std::string_view pod, const CommandInfo& info,
                               const absl::Status& status);

  std::unique_ptr<Impl> impl_;
};

namespace internal {

// What an absent "keywords" or "arguments" stands for.
JsonValue EmptyObject();
JsonValue EmptyArray();

// Puts `arguments` into the open envelope: a structure by name into "keywords", a tuple by position
// into "arguments".
template <typename Arguments>
void EncodeArguments(JsonWriter& writer, const Arguments& arguments) {
  writer.Key("arguments");
  if constexpr (IsTuple<Arguments>::value) {
    Codec<Arguments>::Encode(writer, arguments);
  } else {
    writer.BeginArray();
    writer.EndArray();
  }
  writer.Key("keywords");
  writer.BeginObject();
  if constexpr (!IsTuple<Arguments>::value) EncodeFields(writer, arguments);
  writer.EndObject();
}

template <typename Arguments>
absl::Status DecodeArguments(const JsonValue& request, Arguments* arguments) {
  constexpr std::string_view kMember = IsTuple<Arguments>::value ? "arguments" : "keywords";
  const JsonValue member =
      request.Member(kMember).value_or(IsTuple<Arguments>::value ? EmptyArray() : EmptyObject());
  const absl::Status status = Codec<Arguments>::Decode(member, arguments);
  return status.ok() ? status : InField(kMember, status);
}

}  // namespace internal

template <Command C, typename R>
void Conduit::Handle(R responder) {
  CheckCommand<C>();
  using Target = TargetOf<C>;
  using Arguments = typename C::Arguments;
  using Response = typename C::Response;
  constexpr bool kTargeted = !std::is_same_v<Target, Nothing>;
  if constexpr (kTargeted) {
    static_assert(std::is_invocable_v<R, const CallContext&, const Target&, const Arguments&>,
                  "a responder takes (const CallContext&, const Target&, const Arguments&)");
  } else {
    static_assert(std::is_invocable_v<R, const CallContext&, const Arguments&>,
                  "a responder takes (const CallContext&, const Arguments&)");
  }
  Register(
      C::kInfo, C::Errors::Classes(),
      [responder = std::move(responder)](const CallContext& context,
                                         const JsonValue& request) -> absl::StatusOr<std::string> {
        Target target{};
        Arguments arguments{};
        absl::Status status = DecodeFields(request, &target);
        if (status.ok()) status = internal::DecodeArguments(request, &arguments);
        if (!status.ok()) return MakeError(InvalidArguments{}, std::string(status.message()));
        auto answer = [&] {
          if constexpr (kTargeted) {
            return responder(context, target, arguments);
          } else {
            return responder(context, arguments);
          }
        }();
        if constexpr (std::is_same_v<decltype(answer), absl::Status>) {
          static_assert(std::is_same_v<Response, Nothing>,
                        "a responder returns absl::StatusOr of the declared response");
          if (!answer.ok()) return answer;
          return std::string();
        } else {
          static_assert(std::is_same_v<decltype(answer), absl::StatusOr<Response>>,
                        "a responder returns absl::StatusOr of the declared response");
          if (!answer.ok()) return std::move(answer).status();
          if constexpr (std::is_same_v<Response, Nothing>) {
            return std::string();
          } else {
            return ToJson(*answer);
          }
        }
      });
}

template <Command C>
absl::StatusOr<typename C::Response> Conduit::CallTarget(std::string_view pod,
                                                         const TargetOf<C>& target,
                                                         const typename C::Arguments& arguments,
                                                         const CallOptions& options) {
  CheckCommand<C>();
  JsonWriter writer;
  BeginRequest(writer, C::kInfo, options);
  EncodeFields(writer, target);
  internal::EncodeArguments(writer, arguments);
  writer.EndObject();
  auto reply = Exchange(pod, C::kInfo, writer.Take(), options);
  if (!reply.ok()) return std::move(reply).status();
  typename C::Response response{};
  if constexpr (!std::is_same_v<typename C::Response, Nothing>) {
    const auto value = reply->root().Member("value");
    const absl::Status status = value ? Codec<typename C::Response>::Decode(*value, &response)
                                      : internal::MissingField("value");
    if (!status.ok()) return BadValue(pod, C::kInfo, status);
  }
  return response;
}

}  // namespace podkit::conduit
