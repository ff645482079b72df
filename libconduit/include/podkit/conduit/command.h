// The declaration of a command: one type that caller and responder share.
//
//   struct EatCheez {
//     static constexpr CommandInfo kInfo = {.name = "eat-cheez", .effect = Effect::kRead};
//     struct Arguments { std::string name; std::string origin; ... Fields() ... };
//     struct Response { int64_t rating = 0; ... Fields() ... };
//     using Errors = ErrorList<NoSuchCheese>;
//   };
//
// A command may also declare `Target`, a structure whose fields become members of the request
// itself: they say which object the call is for. `Arguments` is a structure (sent by name) or a
// std::tuple (sent by position). `Response` is anything with a Codec; Nothing if there is nothing
// to say. Names and types are checked when the program is compiled.
#pragma once

#include <concepts>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "podkit/conduit/error.h"
#include "podkit/conduit/message.h"

namespace podkit::conduit {

// What a call does to the other side, and so who may repeat it.
enum class Effect {
  kRead,        // Changes nothing.
  kIdempotent,  // Twice is as good as once.
  kWrite,       // Must not be repeated when its outcome is unknown.
};

struct CommandInfo {
  std::string_view name;  // Lower-case letters, digits, '-' and '_'.
  int since = 1;          // The version of the declaring library's protocol that brought it.
  Effect effect = Effect::kWrite;
};

// An empty structure: no arguments, or no response.
struct Nothing {
  static constexpr auto Fields() { return std::make_tuple(); }
};

namespace internal {

constexpr bool IsWireName(std::string_view name) {
  if (name.empty() || name.size() > 64) return false;
  for (const char c : name) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')) return false;
  }
  return true;
}

// Members of the envelope; a target may not use them.
constexpr bool IsEnvelopeMember(std::string_view name) {
  for (const std::string_view taken :
       {"action", "actor", "timeout_ms", "arguments", "keywords", "call", "key", "answers", "trace",
        "store_token", "stream", "use"}) {
    if (name == taken) return true;
  }
  return false;
}

template <Message M>
constexpr bool AvoidsEnvelopeMembers() {
  return std::apply([](const auto&... field) { return !(IsEnvelopeMember(field.name) || ...); },
                    M::Fields());
}

template <typename T>
struct IsTuple : std::false_type {};
template <typename... T>
struct IsTuple<std::tuple<T...>> : std::true_type {};

template <typename T>
struct IsErrorList : std::false_type {};
template <typename... E>
struct IsErrorList<ErrorList<E...>> : std::true_type {};

template <typename C>
struct TargetOf {
  using Type = Nothing;
};
template <typename C>
  requires requires { typename C::Target; }
struct TargetOf<C> {
  using Type = typename C::Target;
};

}  // namespace internal

// The command's Target, or Nothing.
template <typename C>
using TargetOf = typename internal::TargetOf<C>::Type;

template <typename C>
concept Command =
    std::same_as<std::remove_cvref_t<decltype(C::kInfo)>, CommandInfo> &&
    (Message<typename C::Arguments> || internal::IsTuple<typename C::Arguments>::value) &&
    Encodable<typename C::Arguments> && Encodable<typename C::Response> &&
    internal::IsErrorList<typename C::Errors>::value && Message<TargetOf<C>>;

// Fails to compile, with the reason, where a declaration breaks a rule that the concept cannot
// state.
template <Command C>
constexpr void CheckCommand() {
  static_assert(internal::IsWireName(C::kInfo.name),
                "a command's name is 1 to 64 lower-case letters, digits, '-' and '_'");
  static_assert(C::kInfo.since >= 1, "a command says since which version it exists");
  if constexpr (Message<typename C::Arguments>) {
    static_assert(internal::FieldNamesAreUnique<typename C::Arguments>(),
                  "two arguments share a name, or one has none");
  }
  static_assert(internal::FieldNamesAreUnique<TargetOf<C>>(),
                "two target members share a name, or one has none");
  static_assert(internal::AvoidsEnvelopeMembers<TargetOf<C>>(),
                "a target member has the name of a member of the envelope");
}

// Answers when the other pod is alive and both sides share a key. Built in.
struct Ping {
  static constexpr CommandInfo kInfo = {.name = "ping", .since = 1, .effect = Effect::kRead};
  using Arguments = Nothing;
  using Response = Nothing;
  using Errors = ErrorList<>;
};

}  // namespace podkit::conduit
