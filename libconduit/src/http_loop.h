// A thread that runs many requests at a time on one libcurl multi handle, which keeps the
// connections.
//
// Thread-safe.
#pragma once

#include <curl/curl.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "http_transfer.h"

namespace podkit::conduit::internal {

class HttpLoop {
 public:
  explicit HttpLoop(HttpTransportOptions options);
  // Ends every request that is left: as not executed if it was not sent, else as unknown.
  ~HttpLoop();
  HttpLoop(const HttpLoop&) = delete;
  HttpLoop& operator=(const HttpLoop&) = delete;

  void Send(Sending sending);

 private:
  // A request that waits or is in work.
  struct Job {
    Sending sending;                         // Until it is in work.
    std::unique_ptr<HttpTransfer> transfer;  // From then on.
    std::optional<std::stop_callback<std::function<void()>>> on_stop;
  };
  using JobPtr = std::unique_ptr<Job>;

  // Requests to one host; owned by the thread.
  struct Host {
    size_t active = 0;
    absl::Time last_used = absl::InfinitePast();
    std::deque<JobPtr> waiting;
  };
  using Hosts = std::map<std::string, Host>;

  struct CleanupMulti {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
  };

  JobPtr Submit(JobPtr job);  // Gives it back if the transport has ended.
  void Run();
  bool TakeNews();  // False when the loop is to end.
  void Enqueue(JobPtr job);
  void StartWaiting(Host& host);
  void Start(Host& host, JobPtr job);
  void TakeFinished();
  void StopJobs();
  void ExpireWaiting();
  std::unique_ptr<HttpTransfer> TakeSpare(const std::string& ca_file);
  Sending Retire(JobPtr job);
  void EndAll();
  int PollMilliseconds() const;
  static void Finish(const Sending& sending, absl::StatusOr<WireReply> result);

  const HttpTransportOptions options_;
  const std::unique_ptr<CURLM, CleanupMulti> multi_;

  // Owned by the thread.
  Hosts hosts_;
  std::map<CURL*, JobPtr> active_;
  std::map<std::string, std::vector<std::unique_ptr<HttpTransfer>>> spare_;  // By ca_file.
  size_t waiting_ = 0;

  Mutex mutex_;
  std::vector<JobPtr> submitted_ ABSL_GUARDED_BY(mutex_);
  bool any_stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace podkit::conduit::internal
