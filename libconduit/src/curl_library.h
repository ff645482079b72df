// The start of libcurl.
#pragma once

#include <curl/curl.h>

namespace podkit::conduit::internal {

// Before the first handle is made. False: libcurl has no memory.
inline bool InitialiseCurl() {
  static const bool good = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return good;
}

}  // namespace podkit::conduit::internal
