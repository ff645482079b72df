// The token by which an operator is known to a server's own API.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "servers/http/http_message.h"

namespace podkit::servers {

// True if a server makes the token itself: only in its own folder, so that a wrong path is noticed.
bool OwnsToken(const std::string& token_file, const std::string& data_folder);

// What is wrong with the file; OK too if it is missing and `program` will make it.
absl::Status CheckToken(const std::string& token_file, const std::string& data_folder,
                        std::string_view program);

// True for a request with exactly one "Authorization: Bearer <token>".
bool IsOperator(const HttpRequest& request, std::string_view token);

// The 401 for all others.
HttpResponse AskForToken();

}  // namespace podkit::servers
