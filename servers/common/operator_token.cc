#include "servers/common/operator_token.h"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

#include "servers/common/files.h"
#include "servers/common/status_to_http.h"

namespace podkit::servers {

bool OwnsToken(const std::string& token_file, const std::string& data_folder) {
  std::error_code error;
  const auto folder = std::filesystem::path(token_file).parent_path();
  return std::filesystem::weakly_canonical(folder, error) ==
         std::filesystem::weakly_canonical(data_folder, error);
}

absl::Status CheckToken(const std::string& token_file, const std::string& data_folder,
                        std::string_view program) {
  const absl::Status status = ReadSecret(token_file).status();
  if (!absl::IsNotFound(status)) return status;
  if (OwnsToken(token_file, data_folder)) return absl::OkStatus();
  return absl::NotFoundError(
      fmt::format("there is no token file '{}': make it with 'openssl rand -hex 32', for the owner "
                  "only; {} makes the one in its data folder itself",
                  token_file, program));
}

bool IsOperator(const HttpRequest& request, std::string_view token) {
  constexpr std::string_view kScheme = "Bearer ";
  const auto header = request.headers.Find("Authorization");
  return header && request.headers.Count("Authorization") == 1 && header->starts_with(kScheme) &&
         SecretsEqual(header->substr(kScheme.size()), token);
}

HttpResponse AskForToken() {
  return ErrorResponse(
      absl::UnauthenticatedError("give the operator's token: Authorization: Bearer <token>"));
}

}  // namespace podkit::servers
