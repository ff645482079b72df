#include "authenticator.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "common/status_macros.h"
#include "common/text.h"
#include "fmt/format.h"

namespace podkit::conduit::internal {
namespace {

constexpr std::string_view kScheme = "Podkit-HMAC-SHA256 ";
constexpr size_t kMaxHeaderBytes = 512;

// What the header "Authorization" of a request says.
struct RequestHeader {
  std::string_view caller;
  std::string_view target;
  std::string_view time;
  std::string_view nonce;
  std::string_view signature;
};

// The text that the signature of a request covers, up to the body. No part can hold a line feed.
std::string SignedHead(const RequestHeader& header, std::string_view content_type) {
  return fmt::format("podkit-request-1\n{}\n{}\n{}\n{}\n{}\n", header.caller, header.target,
                     header.time, header.nonce, content_type);
}

bool IsHex(std::string_view text, size_t digits) {
  return text.size() == digits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

bool IsDecimal(std::string_view text, size_t max_digits) {
  return !text.empty() && text.size() <= max_digits &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

uint64_t FromHex(std::string_view digits) {
  uint64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  return value;
}

// Takes "name=value" and the separator behind it off the front of `rest`.
std::optional<std::string_view> TakeParameter(std::string_view name, std::string_view& rest) {
  if (!rest.starts_with(name) || !rest.substr(name.size()).starts_with('=')) return std::nullopt;
  rest.remove_prefix(name.size() + 1);
  const std::string_view value = rest.substr(0, rest.find(", "));
  rest.remove_prefix(std::min(rest.size(), value.size() + 2));
  return value;
}

std::optional<RequestHeader> ParseRequestHeader(std::string_view text) {
  if (text.size() > kMaxHeaderBytes || !text.starts_with(kScheme)) return std::nullopt;
  std::string_view rest = text.substr(kScheme.size());
  const auto caller = TakeParameter("caller", rest);
  const auto target = TakeParameter("target", rest);
  const auto time = TakeParameter("time", rest);
  const auto nonce = TakeParameter("nonce", rest);
  const auto signature = TakeParameter("signature", rest);
  if (!caller || !target || !time || !nonce || !signature || !rest.empty()) return std::nullopt;
  if (!IsDecimal(*time, 15) || !IsHex(*nonce, 32) || !IsHex(*signature, 64)) return std::nullopt;
  return RequestHeader{*caller, *target, *time, *nonce, *signature};
}

bool IsHeaderText(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

absl::StatusOr<std::string> ReplySignature(const SignedExchange& exchange, const WireReply& reply) {
  const std::string head = fmt::format("podkit-reply-1\n{}\n{}\n{}\n", exchange.request_signature,
                                       reply.status, reply.content_type);
  return exchange.key.Sign({head, reply.body});
}

std::shared_ptr<const Pod> MakeNobody() {
  auto nobody = std::make_shared<Pod>();
  nobody->keys = {RandomHex(32)};
  return nobody;
}

}  // namespace

Authenticator::Authenticator(std::shared_ptr<Pods> pods, absl::Duration max_clock_skew,
                             absl::Time start)
    : pods_(std::move(pods)),
      session_(RandomHex(8)),
      replay_guard_(max_clock_skew, start),
      nobody_(MakeNobody()) {}

absl::StatusOr<SignedExchange> Authenticator::SignRequest(std::shared_ptr<const Pod> target,
                                                          absl::Time now, WireRequest& request) {
  PODKIT_ASSIGN_OR_RETURN(const auto key_set, KeysOf(target));
  const std::string time = fmt::format("{}", absl::ToUnixMillis(now));
  const std::string nonce = fmt::format("{}{:016x}", session_, ++counter_);
  RequestHeader header{pods_->own_id(), target->id, time, nonce, {}};
  const HmacKey& key = key_set->keys.front();
  PODKIT_ASSIGN_OR_RETURN(std::string signature,
                          key.Sign({SignedHead(header, request.content_type), request.body}));
  request.authorization =
      fmt::format("{}caller={}, target={}, time={}, nonce={}, signature={}", kScheme, header.caller,
                  header.target, header.time, header.nonce, signature);
  return SignedExchange{std::move(target), std::move(signature), key};
}

absl::StatusOr<SignedExchange> Authenticator::VerifyRequest(const WireRequest& request,
                                                            absl::Time now) {
  if (request.authorization.empty()) return absl::UnauthenticatedError("is not signed");
  const auto header = ParseRequestHeader(request.authorization);
  if (!header || !IsHeaderText(request.content_type)) {
    return absl::UnauthenticatedError("has a malformed header");
  }
  if (header->target != pods_->own_id()) return absl::UnauthenticatedError("is for another pod");
  auto caller = pods_->Find(header->caller);
  const bool known = caller != nullptr && header->caller != pods_->own_id();
  if (!known) caller = nobody_;
  PODKIT_ASSIGN_OR_RETURN(const auto key_set, KeysOf(caller));
  const std::string head = SignedHead(*header, request.content_type);
  const HmacKey* verified = nullptr;
  for (const HmacKey& key : key_set->keys) {
    PODKIT_ASSIGN_OR_RETURN(const std::string signature, key.Sign({head, request.body}));
    if (EqualInConstantTime(signature, header->signature)) verified = &key;
  }
  if (!known) return absl::UnauthenticatedError("comes from a pod that is not listed here");
  if (verified == nullptr) {
    return absl::UnauthenticatedError(fmt::format(
        "says that it is from pod '{}' and is not signed with a key of ours", caller->id));
  }
  const auto sent = absl::FromUnixMillis(ParseNumber<int64_t>(header->time).value_or(0));
  const absl::Status taken = replay_guard_.Take(caller->id, FromHex(header->nonce.substr(0, 16)),
                                                FromHex(header->nonce.substr(16)), sent, now);
  if (!taken.ok()) {
    return absl::UnauthenticatedError(
        fmt::format("is from pod '{}' and {}", caller->id, std::string(taken.message())));
  }
  return SignedExchange{std::move(caller), std::string(header->signature), *verified};
}

absl::Status Authenticator::SignReply(const SignedExchange& exchange, WireReply& reply) {
  PODKIT_ASSIGN_OR_RETURN(const std::string signature, ReplySignature(exchange, reply));
  reply.authorization = fmt::format("{}signature={}", kScheme, signature);
  return absl::OkStatus();
}

absl::Status Authenticator::VerifyReply(const SignedExchange& exchange, const WireReply& reply) {
  if (reply.authorization.empty()) return absl::UnauthenticatedError("is not signed");
  std::string_view rest = reply.authorization;
  std::optional<std::string_view> claimed;
  if (rest.starts_with(kScheme) && IsHeaderText(reply.content_type)) {
    rest.remove_prefix(kScheme.size());
    claimed = TakeParameter("signature", rest);
  }
  if (!claimed || !rest.empty()) return absl::UnauthenticatedError("has a malformed signature");
  PODKIT_ASSIGN_OR_RETURN(const std::string signature, ReplySignature(exchange, reply));
  if (!EqualInConstantTime(signature, *claimed)) {
    return absl::UnauthenticatedError("is not signed with the key of this call");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Authenticator::KeySet>> Authenticator::KeysOf(
    const std::shared_ptr<const Pod>& pod) {
  {
    MutexLock lock(&mutex_);
    const auto entry = key_sets_.find(pod->id);
    if (entry != key_sets_.end() && entry->second->pod == pod) return entry->second;
  }
  auto key_set = std::make_shared<KeySet>();
  key_set->pod = pod;
  for (const std::string& key : pod->keys) {
    PODKIT_ASSIGN_OR_RETURN(HmacKey expanded, HmacKey::Create(key));
    key_set->keys.push_back(std::move(expanded));
  }
  MutexLock lock(&mutex_);
  key_sets_[pod->id] = key_set;
  return key_set;
}

}  // namespace podkit::conduit::internal
