#include "servers/podctl/session.h"

#include "servers/common/files.h"
#include "servers/podctl/errors.h"
#include "servers/podctl/settings.h"

namespace podkit::podctl {

absl::StatusOr<std::string> Session::Home() const {
  if (!globals_.home.empty()) return globals_.home;
  if (!globals_.as.empty()) return globals_.as;
  return Usage("say whose home: --as UID to act as that user, or --home UID as the operator");
}

absl::StatusOr<std::vector<std::string>> Session::HomePath(std::vector<std::string> rest) const {
  PODKIT_ASSIGN_OR_RETURN(const std::string home, Home());
  std::vector<std::string> path = {"homes", home};
  path.insert(path.end(), rest.begin(), rest.end());
  return path;
}

absl::StatusOr<std::vector<std::string>> Session::CollectionPath(
    const std::string& collection, std::vector<std::string> rest) const {
  rest.insert(rest.begin(), {"collections", collection});
  return HomePath(std::move(rest));
}

absl::StatusOr<std::string> Session::Call(ApiRequest request) {
  if (!client_) {
    PODKIT_ASSIGN_OR_RETURN(const Settings settings, LoadSettings(SettingsPath(globals_.config)));
    PODKIT_ASSIGN_OR_RETURN(const PodAddress pod, ChoosePod(settings, globals_.pod));
    PODKIT_ASSIGN_OR_RETURN(client_, PodClient::Create(pod));
  }
  request.query.emplace_back("actor", globals_.as);
  return client_->Call(request);
}

absl::Status Session::Do(ApiRequest request, const std::string& sentence) {
  PODKIT_RETURN_IF_ERROR(Call(std::move(request)).status());
  Print(json() ? "{}\n" : Printable(sentence) + '\n');
  return absl::OkStatus();
}

absl::Status Session::Save(std::string_view bytes, const std::string& file) const {
  PODKIT_RETURN_IF_ERROR(servers::WriteFile(file, bytes));
  if (json()) {
    const SavedFile saved{.file = file, .bytes = static_cast<int64_t>(bytes.size())};
    Print(conduit::ToJson(saved) + '\n');
  }
  return absl::OkStatus();
}

absl::Status Session::CheckShowsBytes(const std::string& output) const {
  if (!json() || !output.empty()) return absl::OkStatus();
  return Usage("--json: these are bytes, not text: name a file for them with --output");
}

std::string ShortTime(absl::Time time) {
  if (time <= absl::UnixEpoch()) return "";
  return absl::FormatTime("%Y-%m-%d %H:%M", time, absl::UTCTimeZone());
}

}  // namespace podkit::podctl
