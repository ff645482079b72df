// Signs requests to S3 and what speaks like it: AWS Signature Version 4.
//
// Thread-compatible.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace podkit::drivers {

struct SigV4Key {
  std::string access_key;
  std::string secret_key;
  std::string region;
  std::string service = "s3";
};

struct SigV4Request {
  std::string_view method;
  std::string_view path;                       // Percent-encoded, as it travels.
  std::string_view query;                      // The same, its parameters in order.
  std::map<std::string, std::string> headers;  // Names in lower case: all that is signed.
  std::string_view payload_hash;               // SHA-256 of the body, 64 hexadecimal digits.
};

// 64 hexadecimal digits.
std::string Sha256Hex(std::string_view bytes);

// The Authorization header's value. `time` is "20150830T123600Z", as in x-amz-date.
std::string SigV4Authorization(const SigV4Key& key, const SigV4Request& request,
                               std::string_view time);

}  // namespace podkit::drivers
