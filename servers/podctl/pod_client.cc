#include "servers/podctl/pod_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <array>
#include <string_view>

#include "common/status_macros.h"
#include "servers/common/admin_messages.h"
#include "servers/common/files.h"
#include "servers/common/version.h"
#include "servers/podctl/errors.h"

namespace podkit::podctl {
namespace {

constexpr long kConnectTimeoutMs = 3000;

struct FreeCurl {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using CurlPtr = std::unique_ptr<CURL, FreeCurl>;
using HeaderList = std::unique_ptr<curl_slist, FreeCurl>;

void AddHeader(HeaderList* list, const std::string& line) {
  curl_slist* const longer = curl_slist_append(list->get(), line.c_str());
  if (longer == nullptr) return;
  static_cast<void>(list->release());
  list->reset(longer);
}

std::string Encode(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      encoded.push_back(c);
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

std::string Target(const ApiRequest& request) {
  std::string target(servers::kAdminPath);
  for (const std::string& segment : request.path) target.append("/").append(Encode(segment));
  char separator = '?';
  for (const auto& [name, value] : request.query) {
    if (value.empty()) continue;
    target += fmt::format("{}{}={}", separator, Encode(name), Encode(value));
    separator = '&';
  }
  return target;
}

size_t OnBody(char* data, size_t size, size_t count, void* body) {
  static_cast<std::string*>(body)->append(data, size * count);
  return size * count;
}

int OnProgress(void* request, curl_off_t, curl_off_t, curl_off_t, curl_off_t sent) {
  static_cast<const ApiRequest*>(request)->on_progress(sent);
  return 0;
}

// The certificate, the key or the file that is trusted: trying again does not help.
bool IsAboutTls(CURLcode result) {
  return result == CURLE_SSL_CONNECT_ERROR || result == CURLE_PEER_FAILED_VERIFICATION ||
         result == CURLE_SSL_CACERT_BADFILE || result == CURLE_SSL_CERTPROBLEM ||
         result == CURLE_SSL_ISSUER_ERROR;
}

absl::Status Unreachable(const PodAddress& pod, CURL* curl, CURLcode result,
                         std::string_view reason) {
  long sent = 0;  // Bytes of requests, so none if there was no connection for them.
  curl_easy_getinfo(curl, CURLINFO_REQUEST_SIZE, &sent);
  const std::string_view advice =
      sent > 0 ? "what it was asked to do may have happened: look before you repeat"
      : IsAboutTls(result)
          ? "nothing was sent: see url and ca_file of the configuration, and the pod's certificate"
          : "nothing was sent: is podd running there?";
  return conduit::MakeError(
      PodUnreachable{.pod = pod.id},
      fmt::format("pod '{}' does not answer at {}: {}; {}", pod.id, pod.url,
                  reason.empty() ? curl_easy_strerror(result) : reason, advice));
}

}  // namespace

struct PodClient::State {
  PodAddress pod;
  std::string token;
  CurlPtr curl;
};

PodClient::PodClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
PodClient::~PodClient() = default;

absl::StatusOr<std::unique_ptr<PodClient>> PodClient::Create(const PodAddress& pod) {
  auto state = std::make_unique<State>();
  state->pod = pod;
  PODKIT_ASSIGN_OR_RETURN(state->token, servers::ReadSecret(pod.token_file));
  PODKIT_RETURN_IF_ERROR(CheckCaFile("pod", pod.id, pod.ca_file));
  state->curl.reset(curl_easy_init());
  if (!state->curl) return absl::ResourceExhaustedError("out of memory");
  return std::unique_ptr<PodClient>(new PodClient(std::move(state)));
}

absl::StatusOr<ApiReply> PodClient::Send(const ApiRequest& request) {
  CURL* const curl = state_->curl.get();
  const std::string url = state_->pod.url + Target(request);
  HeaderList headers;
  AddHeader(&headers, fmt::format("Authorization: Bearer {}", state_->token));
  AddHeader(&headers, "Expect:");
  for (const auto& [name, value] : request.headers) {
    AddHeader(&headers, fmt::format("{}: {}", name, value));
  }

  ApiReply reply;
  curl_easy_reset(curl);
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, fmt::format("podctl/{}", servers::kVersion).c_str());
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
                   static_cast<long>(absl::ToInt64Milliseconds(request.timeout)));
  if (!state_->pod.ca_file.empty()) {
    curl_easy_setopt(curl, CURLOPT_CAINFO, state_->pod.ca_file.c_str());
  }
  if (request.method != "GET") {
    AddHeader(&headers, "Content-Type: " + request.content_type);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.c_str());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply.body);
  if (request.on_progress) {
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, OnProgress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &request);
  }
  std::array<char, CURL_ERROR_SIZE> reason{};
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason.data());
  const CURLcode result = curl_easy_perform(curl);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, nullptr);
  if (result != CURLE_OK) return Unreachable(state_->pod, curl, result, reason.data());
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  reply.status = static_cast<int>(status);
  return reply;
}

absl::StatusOr<std::string> PodClient::Call(const ApiRequest& request) {
  PODKIT_ASSIGN_OR_RETURN(ApiReply reply, Send(request));
  if (reply.status >= 200 && reply.status < 300) return std::move(reply.body);
  if (reply.status == 401) {
    return absl::UnauthenticatedError(
        fmt::format("pod '{}' refuses the token in '{}': point token_file to the operator.token of "
                    "that pod",
                    state_->pod.id, state_->pod.token_file));
  }
  const absl::Status error = ErrorFromReply(reply.status, reply.body);
  const bool from_api = conduit::JsonDocument::Parse(reply.body).ok();
  if (reply.status != 413 || from_api) return error;
  return absl::Status(error.code(), fmt::format("it has {} bytes, {}", request.body.size(),
                                                std::string(error.message())));
}

}  // namespace podkit::podctl
