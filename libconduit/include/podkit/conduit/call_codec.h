// What a command's declaration puts into a request and a reply, apart from the head that every
// request has: docs/conduit-protocol.md. For the conduit and its tools; callers have Conduit::Call.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>

#include "absl/status/status.h"
#include "podkit/conduit/command.h"
#include "podkit/conduit/json.h"
#include "podkit/conduit/message.h"

namespace podkit::conduit::internal {

// What an absent "keywords" or "value", or absent "arguments", stands for.
JsonValue EmptyObject();
JsonValue EmptyArray();

// The object with the target's members and the arguments: a structure by name in "keywords", a
// tuple by position in "arguments".
template <Command C>
std::string EncodeCall(const conduit::TargetOf<C>& target, const typename C::Arguments& arguments) {
  constexpr bool kByPosition = IsTuple<typename C::Arguments>::value;
  JsonWriter writer;
  writer.BeginObject();
  EncodeFields(writer, target);
  writer.Key("arguments");
  if constexpr (kByPosition) {
    Codec<typename C::Arguments>::Encode(writer, arguments);
  } else {
    writer.BeginArray();
    writer.EndArray();
  }
  writer.Key("keywords");
  writer.BeginObject();
  if constexpr (!kByPosition) EncodeFields(writer, arguments);
  writer.EndObject();
  writer.EndObject();
  return writer.Take();
}

// kInvalidArgument with the path of the member at fault.
template <Command C>
absl::Status DecodeCall(const JsonValue& request, conduit::TargetOf<C>* target,
                        typename C::Arguments* arguments) {
  constexpr bool kByPosition = IsTuple<typename C::Arguments>::value;
  constexpr std::string_view kMember = kByPosition ? "arguments" : "keywords";
  const absl::Status status = DecodeFields(request, target);
  if (!status.ok()) return status;
  const JsonValue member =
      request.Member(kMember).value_or(kByPosition ? EmptyArray() : EmptyObject());
  const absl::Status inside = Codec<typename C::Arguments>::Decode(member, arguments);
  return inside.ok() ? inside : InField(kMember, inside);
}

// Of a reply whose result is "ok". A responder that has nothing to say sends no value: that is as
// good as a structure without fields.
template <Command C>
absl::Status DecodeResponse(const JsonValue& reply, typename C::Response* response) {
  using Response = typename C::Response;
  if constexpr (std::is_same_v<Response, Nothing>) return absl::OkStatus();
  auto value = reply.Member("value");
  if (!value && Message<Response>) value = EmptyObject();
  if (!value) return MissingField("value");
  const absl::Status status = Codec<Response>::Decode(*value, response);
  return status.ok() ? status : InField("value", status);
}

}  // namespace podkit::conduit::internal
