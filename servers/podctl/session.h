// One run of podctl: what was asked for, the pod that is asked, and how the answer is shown.
//
// Owner-thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/status_macros.h"
#include "servers/common/admin_messages.h"
#include "servers/podctl/output.h"
#include "servers/podctl/pod_client.h"
#include "servers/podctl/table.h"

namespace podkit::podctl {

// The options that every verb takes.
struct Globals {
  std::string config;
  std::string pod;
  std::string as;
  std::string home;
  bool json = false;
};

// A column of a table: its title, and the text for a row.
template <typename T>
struct Column {
  std::string title;
  std::function<std::string(const T&)> text;
};

// What --json prints of bytes that went into a file.
struct SavedFile {
  std::string file;
  int64_t bytes = 0;
  static constexpr auto Fields() {
    return std::make_tuple(conduit::Required("file", &SavedFile::file),
                           conduit::Required("bytes", &SavedFile::bytes));
  }
};

class Session {
 public:
  // `output` outlives it.
  Session(Globals globals, Output* output) : globals_(std::move(globals)), output_(output) {}

  bool json() const { return globals_.json; }
  const Globals& globals() const { return globals_; }
  Output* output() const { return output_; }

  // Whose home is meant: --home, else --as.
  absl::StatusOr<std::string> Home() const;
  // "homes", the home, and `rest` behind them.
  absl::StatusOr<std::vector<std::string>> HomePath(std::vector<std::string> rest) const;
  absl::StatusOr<std::vector<std::string>> CollectionPath(const std::string& collection,
                                                          std::vector<std::string> rest) const;

  // Asks the pod in the name of --as.
  absl::StatusOr<std::string> Call(ApiRequest request);
  template <conduit::Encodable T>
  absl::StatusOr<T> Fetch(ApiRequest request) {
    PODKIT_ASSIGN_OR_RETURN(std::string body, Call(std::move(request)));
    return conduit::FromJson<T>(std::move(body));
  }

  // Asks, and prints the answer as it came under --json, else what `render` makes of it.
  template <conduit::Encodable T>
  absl::Status Show(ApiRequest request,
                    const std::type_identity_t<std::function<std::string(const T&)>>& render) {
    PODKIT_ASSIGN_OR_RETURN(std::string body, Call(std::move(request)));
    if (json()) {
      Print(body + '\n');
      return absl::OkStatus();
    }
    PODKIT_ASSIGN_OR_RETURN(const T value, conduit::FromJson<T>(std::move(body)));
    Print(render(value));
    return absl::OkStatus();
  }

  // The same for a list that is member `name` of the answer.
  template <conduit::Encodable T>
  absl::Status ShowList(std::string_view name, ApiRequest request,
                        const std::vector<Column<T>>& columns) {
    PODKIT_ASSIGN_OR_RETURN(std::string body, Call(std::move(request)));
    if (json()) {
      Print(body + '\n');
      return absl::OkStatus();
    }
    PODKIT_ASSIGN_OR_RETURN(const auto items, servers::FromJsonMember<std::vector<T>>(name, body));
    Print(items.empty() ? "no " + std::string(name) + '\n' : Table(items, columns));
    return absl::OkStatus();
  }

  // Asks for something whose answer says nothing; then prints `sentence`, {} under --json.
  absl::Status Do(ApiRequest request, const std::string& sentence);

  void Print(std::string_view text) const { output_->Print(text); }

  // Writes the bytes to `file`; {"file", "bytes"} under --json.
  absl::Status Save(std::string_view bytes, const std::string& file) const;
  // UsageError for bytes that --json cannot show, unless they go into a file.
  absl::Status CheckShowsBytes(const std::string& output) const;

  template <typename T>
  static std::string Table(const std::vector<T>& items, const std::vector<Column<T>>& columns) {
    std::vector<std::string> titles;
    titles.reserve(columns.size());
    for (const auto& column : columns) titles.push_back(column.title);
    std::vector<std::vector<std::string>> rows;
    rows.reserve(items.size());
    for (const T& item : items) {
      auto& row = rows.emplace_back();
      row.reserve(columns.size());
      for (const auto& column : columns) row.push_back(column.text(item));
    }
    return FormatTable(titles, rows);
  }

 private:
  const Globals globals_;
  Output* const output_;
  std::unique_ptr<PodClient> client_;
};

// For people, in UTC: "2026-01-31 09:00"; "" for the beginning of time.
std::string ShortTime(absl::Time time);

}  // namespace podkit::podctl
