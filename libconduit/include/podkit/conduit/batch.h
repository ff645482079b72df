// Many calls of one pod in one round trip, each answered by itself; and calls that take something
// from the answers to earlier ones.
//
//   Batch batch;
//   auto made = batch.Add<CreateList>({.name = "shopping"});
//   auto put = batch.Add<AddItem>({.text = "brie"})
//                  .Set(&AddItem::Arguments::list, made[&CreateList::Response::id]);
//   absl::Status status = conduit->Call("B", batch);   // The first error, if a call had one.
//   if (put.result().ok()) Use(put.result()->position);
//
// The calls are executed in their order, on one host, each exactly as if it had been sent alone. A
// call that fails does not keep later ones from being executed, unless they take something from its
// answer: those end with EarlierCallFailed. docs/conduit-batches.md.
//
// Thread-compatible; not to be touched between Start and its end. A batch is called once. What Add
// returns may outlive the batch.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "podkit/conduit/call.h"
#include "podkit/conduit/call_codec.h"
#include "podkit/conduit/command.h"
#include "podkit/conduit/conduit.h"
#include "podkit/conduit/json.h"
#include "podkit/conduit/message.h"
#include "podkit/conduit/schema.h"

namespace podkit::conduit {

// What one call of a batch has of its own; the rest is in the CallOptions of the whole.
struct BatchedOptions {
  std::string actor = {};                      // Empty: that of the batch.
  std::string key = {};                        // As CallOptions::key, which a batch cannot have.
  std::optional<StoreToken> store_token = {};  // Nothing: that of the batch.
  std::shared_ptr<const std::string> payload = nullptr;  // As in CallOptions.
  std::shared_ptr<std::string> reply_payload = nullptr;
};

namespace internal {

struct BatchedCall {
  CommandInfo info;
  CommandSchema (*schema)() = nullptr;
  std::string members;  // As EncodeCall gives them.
  BatchedOptions options;
  // By its place in the request: the call and the path that a value comes from.
  std::map<std::string, std::pair<size_t, std::string>> uses;
  absl::Status problem;  // The call was not put together well.
  // Puts the result where its caller finds it, and gives its status.
  std::function<absl::Status(std::string_view pod, absl::StatusOr<JsonDocument>)> take;
};

struct BatchState {
  std::vector<BatchedCall> calls;
  bool called = false;
};

// One more name of a JSON pointer.
std::string PointerStep(std::string_view name);

absl::Status NotCalled(std::string_view command);
void NotListed(BatchedCall& call, std::string_view where);
void AddUse(BatchState& batch, size_t call, std::string at, const BatchState* of, size_t from,
            const std::optional<std::string>& path);

// The name under which a structure lists `member`; "" if it does not.
template <Message M, typename S, typename T>
  requires std::derived_from<M, S>
std::string_view ListedName(T S::*member) {
  const T M::*wanted = member;
  std::string_view name;
  std::apply(
      [&](const auto&... field) {
        [[maybe_unused]] const auto look = [&](const auto& one) {
          if constexpr (std::is_same_v<std::remove_cvref_t<decltype(std::declval<M>().*one.member)>,
                                       T>) {
            const T M::*listed = one.member;
            if (listed == wanted) name = one.name;
          }
        };
        (look(field), ...);
      },
      M::Fields());
  return name;
}

template <typename T>
struct ElementOf {
  using Type = void;
};
template <typename T>
struct ElementOf<std::vector<T>> {
  using Type = T;
};
template <typename T>
struct ElementOf<std::map<std::string, T>> {
  using Type = T;
};

}  // namespace internal

// A value of type T in an answer that there is not yet.
template <typename T>
class LaterValue {
 public:
  // Of a structure one of its fields; of a list an element; of a map the value of a key.
  template <typename S, typename F>
    requires Message<T> && std::derived_from<T, S>
  LaterValue<F> operator[](F S::*member) const {
    const std::string_view name = internal::ListedName<T>(member);
    if (name.empty()) return {batch_, call_, std::nullopt};
    return Step<F>(name);
  }
  auto operator[](size_t index) const
    requires std::same_as<T, std::vector<typename internal::ElementOf<T>::Type>>
  {
    return Step<typename internal::ElementOf<T>::Type>(std::to_string(index));
  }
  auto operator[](std::string_view key) const
    requires std::same_as<T, std::map<std::string, typename internal::ElementOf<T>::Type>>
  {
    return Step<typename internal::ElementOf<T>::Type>(key);
  }

 private:
  template <Command C>
  friend class BatchedResult;
  template <typename U>
  friend class LaterValue;

  LaterValue(const internal::BatchState* batch, size_t call, std::optional<std::string> path)
      : batch_(batch), call_(call), path_(std::move(path)) {}

  template <typename F>
  LaterValue<F> Step(std::string_view name) const {
    if (!path_) return {batch_, call_, std::nullopt};
    return {batch_, call_, *path_ + internal::PointerStep(name)};
  }

  const internal::BatchState* batch_;
  size_t call_;
  std::optional<std::string> path_;  // Nothing: through a member that its structure does not list.
};

namespace internal {
// What a responder takes where it declares a `To`.
template <typename From, typename To>
concept FitsInto = std::same_as<From, To> || std::same_as<std::optional<From>, To>;
}  // namespace internal

// One call of a batch, and its result once the batch has ended. Cheap to copy.
template <Command C>
class BatchedResult {
 public:
  using Arguments = typename C::Arguments;
  using Response = typename C::Response;

  // Puts a value of an earlier answer of this batch into an argument, or into a member of the
  // target; what was given to Add there does not count.
  template <typename S, typename F, typename V>
    requires Message<Arguments> && std::derived_from<Arguments, S> && internal::FitsInto<V, F>
  const BatchedResult& Set(F S::*argument, const LaterValue<V>& value) const {
    return Use("/keywords", internal::ListedName<Arguments>(argument), value);
  }
  template <typename S, typename F, typename V>
    requires(std::derived_from<TargetOf<C>, S> &&
             !(Message<Arguments> && std::derived_from<Arguments, S>) && internal::FitsInto<V, F>)
  const BatchedResult& Set(F S::*target, const LaterValue<V>& value) const {
    return Use("", internal::ListedName<TargetOf<C>>(target), value);
  }
  // Of arguments by position, the one at `I`.
  template <size_t I, typename V>
    requires internal::FitsInto<V, std::tuple_element_t<I, Arguments>>
  const BatchedResult& Set(const LaterValue<V>& value) const {
    return Use("/arguments", std::to_string(I), value);
  }

  // What its answer will be, or a field, element or value of that.
  LaterValue<Response> value() const { return {state_.get(), index_, std::string()}; }
  template <typename Part>
  auto operator[](const Part& part) const {
    return value()[part];
  }

  // kFailedPrecondition as long as the batch has not ended.
  const absl::StatusOr<Response>& result() const { return *result_; }

 private:
  friend class Batch;
  BatchedResult(std::shared_ptr<internal::BatchState> state, size_t index)
      : state_(std::move(state)),
        index_(index),
        result_(std::make_shared<absl::StatusOr<Response>>(internal::NotCalled(C::kInfo.name))) {}

  template <typename V>
  const BatchedResult& Use(std::string_view where, std::string_view name,
                           const LaterValue<V>& value) const {
    if (name.empty()) {
      internal::NotListed(state_->calls[index_], where);
    } else {
      internal::AddUse(*state_, index_, std::string(where) + internal::PointerStep(name),
                       value.batch_, value.call_, value.path_);
    }
    return *this;
  }

  std::shared_ptr<internal::BatchState> state_;
  size_t index_;
  std::shared_ptr<absl::StatusOr<Response>> result_;
};

class Batch {
 public:
  Batch() : state_(std::make_shared<internal::BatchState>()) {}
  Batch(Batch&&) = default;
  Batch& operator=(Batch&&) = default;

  template <Command C>
  BatchedResult<C> Add(const typename C::Arguments& arguments = {},
                       const BatchedOptions& options = {}) {
    return AddTarget<C>({}, arguments, options);
  }
  template <Command C>
  BatchedResult<C> AddTarget(const TargetOf<C>& target, const typename C::Arguments& arguments = {},
                             const BatchedOptions& options = {}) {
    CheckCommand<C>();
    BatchedResult<C> call(state_, state_->calls.size());
    state_->calls.push_back(
        {.info = C::kInfo,
         .schema = &SchemaOf<C>,
         .members = internal::EncodeCall<C>(target, arguments),
         .options = options,
         .uses = {},
         .problem = {},
         .take = [result = call.result_](std::string_view pod, absl::StatusOr<JsonDocument> reply) {
           *result = Decode<C>(pod, std::move(reply));
           return result->status();
         }});
    return call;
  }

  size_t size() const { return state_->calls.size(); }

 private:
  friend class Conduit;

  template <Command C>
  static absl::StatusOr<typename C::Response> Decode(std::string_view pod,
                                                     absl::StatusOr<JsonDocument> reply) {
    if (!reply.ok()) return std::move(reply).status();
    typename C::Response response{};
    const absl::Status status = internal::DecodeResponse<C>(reply->root(), &response);
    if (!status.ok()) return internal::BadValue(pod, C::kInfo, status);
    return response;
  }

  std::shared_ptr<internal::BatchState> state_;
};

}  // namespace podkit::conduit
