// Finds the hosts of the other pods at run time, in a file or at a URL, and keeps what it found for
// the next start. docs/conduit-discovery.md has the format and what is trusted.
//
//   auto list = HostListUrl("https://directory.example/pods.json");
//   std::vector<std::unique_ptr<HostListSource>> sources;
//   sources.push_back(*std::move(list));
//   Discovery discovery(pods, std::move(sources), {.saved_file = "/var/lib/app/hosts.json"});
//   discovery.Start();
//
// Only hosts are found, and only for pods that the pods file has keys for. Pods::Watch tells what
// changes. An answer that is bad in any part changes nothing and is reported.
//
// Thread-safe, but for Tick. Ownership: shares the pods.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "podkit/conduit/pods.h"

namespace podkit::conduit {

// A list as it came.
struct FetchedHostList {
  bool unchanged = false;  // It is still the version that was asked for; `text` is empty.
  std::string version = {};
  std::string text = {};
};

// Where lists come from.
class HostListSource {
 public:
  virtual ~HostListSource() = default;

  // For people: what is asked.
  virtual std::string name() const = 0;

  // The list, unless it is still `version`, which is empty or what an earlier call returned. May
  // block for some seconds, less after `stop`. Called by one thread at a time.
  virtual absl::StatusOr<FetchedHostList> Fetch(std::string_view version, std::stop_token stop) = 0;
};

// A file, at most 1 MiB. Replace it by renaming another one over it: one that is read while it is
// written is bad.
std::unique_ptr<HostListSource> HostListFile(std::string path);

struct HostListUrlOptions {
  std::string ca_file = {};  // PEM file to trust instead of the system's.
  absl::Duration timeout = absl::Seconds(5);
  size_t max_bytes = size_t{1} << 20;
  // Who can change the answer chooses who is called. Without this, http:// is for loopback only.
  bool allow_plain_http = false;
};

// GET with libcurl: no redirects, no proxy, at least TLS 1.2; asks with If-None-Match where the
// last answer had an ETag. kInvalidArgument: the URL is none, has a user, or is http:// to another
// machine.
absl::StatusOr<std::unique_ptr<HostListSource>> HostListUrl(std::string url,
                                                            HostListUrlOptions options = {});

struct DiscoveryOptions {
  // The next look comes after a time between half of this and all of it, at random.
  absl::Duration interval = absl::Seconds(30);
  // The same after a failure; doubles with each one up to `interval`.
  absl::Duration retry = absl::Seconds(1);
  // Where what was found is kept, and from where it is taken at the start, until a source answers.
  // Empty: nowhere.
  std::string saved_file = {};
  std::function<absl::Time()> now = [] { return absl::Now(); };
  std::optional<uint64_t> seed = {};  // Of the random times; nothing: another one each time.
  // Told why a source or the saved file is of no use, once until it is of use again or the reason
  // changes. Called without locks held; may be empty.
  std::function<void(const absl::Status&)> on_failure = {};
};

struct DiscoveryStatus {
  std::string source =
      {};              // Whose hosts are in use; "" if there are none, and the pods file counts.
  bool saved = false;  // They are those of the saved file.
  absl::Time answered = absl::InfinitePast();  // When a source last did.
  size_t pods = 0;                             // In its list.
  absl::Status last_error = {};                // Why the last look failed; OK if it did not.
};

class Discovery {
 public:
  // Takes over the saved hosts. `sources` are asked in turn; the first one with a good list counts.
  Discovery(std::shared_ptr<Pods> pods, std::vector<std::unique_ptr<HostListSource>> sources,
            DiscoveryOptions options = {});
  // Ends the thread.
  ~Discovery();
  Discovery(const Discovery&) = delete;
  Discovery& operator=(const Discovery&) = delete;

  // Looks once and blocks as long as the sources do; returns when to do it next. For embedders with
  // a thread of their own, in place of Start; by one thread at a time.
  absl::Time Tick(absl::Time now, const std::stop_token& stop = {});

  // Looks now and then, on a thread of its own. Once.
  void Start();

  // After Start: looks at once, whenever it would have.
  void LookNow();

  DiscoveryStatus Status() const;

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace podkit::conduit
