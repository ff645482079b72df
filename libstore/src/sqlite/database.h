// One connection to one SQLite file, without exceptions.
//
// Owner-thread: one thread at a time. Statements are prepared once and kept.
// Errors: one translator for all of SQLite: StoreFull, StoreBusy, StoreDamaged (see errors.h);
// constraint violations are kAlreadyExists; what the process may not read or write is
// kPermissionDenied; the rest is kInternal. Messages name the file.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace podkit::store {

// Bound as a BLOB; std::string_view is bound as TEXT.
struct Blob {
  std::string_view bytes;
};

// A parameter of a statement. Views must live until the call returns.
using SqlValue = std::variant<std::nullptr_t, int64_t, std::string_view, Blob>;

// The present row of a query; valid inside the callback.
class Row {
 public:
  virtual ~Row() = default;
  virtual bool IsNull(int column) const = 0;
  virtual int64_t Integer(int column) const = 0;
  virtual std::string Text(int column) const = 0;  // The bytes of a TEXT or a BLOB; "" for NULL.
};

class Database {
 public:
  enum class Mode { kReadWrite, kReadOnly };

  // Opens the file (kReadWrite creates it, readable by its owner only) in WAL mode with FULL
  // synchronisation and foreign keys. Errors name `uid` as the user whose file it is.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path, Mode mode,
                                                        const std::string& uid = "");

  ~Database();

  // Runs one statement. Its text is kept with it: values go into `values`.
  absl::Status Execute(std::string_view sql, std::initializer_list<SqlValue> values = {});
  // Runs statements separated by semicolons: schemas.
  absl::Status ExecuteScript(const std::string& sql);
  // Calls `row` for each row of the result. It must not use this Database.
  absl::Status Query(std::string_view sql, std::initializer_list<SqlValue> values,
                     const std::function<void(const Row&)>& row);
  // The first column of the first row; nothing if there is no row or it is NULL.
  absl::StatusOr<std::optional<int64_t>> QueryInteger(std::string_view sql,
                                                      std::initializer_list<SqlValue> values = {});
  absl::StatusOr<std::optional<std::string>> QueryText(std::string_view sql,
                                                       std::initializer_list<SqlValue> values = {});
  // Rows that the last Execute changed.
  int64_t changes() const;
  // False after COMMIT and ROLLBACK, and after an error for which SQLite rolled everything back.
  bool in_transaction() const;

  const std::string& path() const;
  const std::string& uid() const;  // As given to Open.

 private:
  struct State;
  explicit Database(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Times in the database are microseconds since 1970 in UTC.
inline int64_t ToSqlTime(absl::Time time) { return absl::ToUnixMicros(time); }
inline absl::Time FromSqlTime(int64_t micros) { return absl::FromUnixMicros(micros); }

}  // namespace podkit::store
