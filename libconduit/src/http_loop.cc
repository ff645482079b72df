#include "http_loop.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "fmt/format.h"
#include "outcome.h"
#include "podkit/conduit/error.h"

namespace podkit::conduit::internal {
namespace {

constexpr size_t kMaxSpare = 64;

absl::Status Cancelled(const std::string& host) {
  return TransportError(Outcome::kCancelled, fmt::format("{}: the call was cancelled", host));
}

}  // namespace

HttpLoop::HttpLoop(HttpTransportOptions options)
    : options_(std::move(options)), multi_(curl_multi_init()) {
  if (multi_ == nullptr) return;
  // Connections beyond that are closed when they are idle.
  curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, 4 * static_cast<long>(kMaxSpare));
}

HttpLoop::~HttpLoop() {
  {
    MutexLock lock(&mutex_);
    ending_ = true;
  }
  if (multi_ != nullptr) curl_multi_wakeup(multi_.get());
  if (thread_.joinable()) thread_.join();
}

void HttpLoop::Send(Sending sending) {
  if (multi_ == nullptr) {
    Finish(sending, TransportError(Outcome::kNotExecuted, "libcurl has no memory"));
    return;
  }
  auto job = std::make_unique<Job>();
  job->sending = std::move(sending);
  if (const JobPtr refused = Submit(std::move(job))) {
    Finish(refused->sending, TransportError(Outcome::kNotExecuted, "the transport has ended"));
  }
}

HttpLoop::JobPtr HttpLoop::Submit(JobPtr job) {
  bool is_first = false;  // Else the thread was woken already and has not looked yet.
  {
    MutexLock lock(&mutex_);
    if (ending_) return job;
    if (!started_) thread_ = std::thread([this] { Run(); });
    started_ = true;
    is_first = submitted_.empty();
    submitted_.push_back(std::move(job));
  }
  if (is_first) curl_multi_wakeup(multi_.get());
  return nullptr;
}

void HttpLoop::Run() {
  while (TakeNews()) {
    ExpireWaiting();
    int running = 0;
    curl_multi_perform(multi_.get(), &running);
    TakeFinished();
    curl_multi_poll(multi_.get(), nullptr, 0, PollMilliseconds(), nullptr);
  }
  EndAll();
}

bool HttpLoop::TakeNews() {
  std::vector<JobPtr> submitted;
  bool any_stopped = false;
  {
    MutexLock lock(&mutex_);
    if (ending_) return false;
    submitted = std::exchange(submitted_, {});
    any_stopped = std::exchange(any_stopped_, false);
  }
  for (JobPtr& job : submitted) Enqueue(std::move(job));
  if (any_stopped) StopJobs();
  return true;
}

void HttpLoop::Enqueue(JobPtr job) {
  if (job->sending.stop.stop_possible()) {
    job->on_stop.emplace(job->sending.stop, [this] {
      {
        MutexLock lock(&mutex_);
        any_stopped_ = true;
      }
      curl_multi_wakeup(multi_.get());
    });
  }
  Host& host = hosts_[job->sending.host];
  host.waiting.push_back(std::move(job));
  ++waiting_;
  StartWaiting(host);
}

void HttpLoop::StartWaiting(Host& host) {
  while (!host.waiting.empty() && host.active < options_.max_connections) {
    JobPtr job = std::move(host.waiting.front());
    host.waiting.pop_front();
    --waiting_;
    Start(host, std::move(job));
  }
}

void HttpLoop::Start(Host& host, JobPtr job) {
  const absl::Time now = options_.now();
  const absl::Duration left = job->sending.deadline - now;
  if (job->sending.stop.stop_requested()) {
    const absl::Status cancelled = Cancelled(job->sending.host);
    Finish(job->sending, cancelled);
    return;
  }
  if (left <= absl::ZeroDuration()) {
    Finish(job->sending, WithOutcome(absl::DeadlineExceededError("no time was left to send"),
                                     Outcome::kNotExecuted));
    return;
  }
  auto transfer = TakeSpare(job->sending.pod->ca_file);
  const bool fresh = host.last_used + options_.max_idle <= now;
  if (transfer == nullptr) {
    Finish(job->sending, TransportError(Outcome::kNotExecuted, "libcurl has no memory"));
    return;
  }
  if (!transfer->Prepare(std::move(job->sending), left, fresh) ||
      curl_multi_add_handle(multi_.get(), transfer->curl()) != CURLM_OK) {
    Finish(transfer->sending(), TransportError(Outcome::kNotExecuted, "libcurl has no memory"));
    return;
  }
  host.last_used = now;
  ++host.active;
  CURL* const curl = transfer->curl();
  job->transfer = std::move(transfer);
  active_.emplace(curl, std::move(job));
}

std::unique_ptr<HttpTransfer> HttpLoop::TakeSpare(const std::string& ca_file) {
  auto& spare = spare_[ca_file];
  if (spare.empty()) return HttpTransfer::Create(options_);
  auto transfer = std::move(spare.back());
  spare.pop_back();
  return transfer;
}

void HttpLoop::TakeFinished() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    auto entry = active_.extract(message->easy_handle);
    if (entry.empty()) continue;
    JobPtr job = std::move(entry.mapped());
    absl::StatusOr<WireReply> result = job->transfer->Result(code);
    Finish(Retire(std::move(job)), std::move(result));
  }
  for (auto& [name, host] : hosts_) StartWaiting(host);
}

// Gives the handle back; the connection stays with libcurl if it can be used again.
Sending HttpLoop::Retire(JobPtr job) {
  curl_multi_remove_handle(multi_.get(), job->transfer->curl());
  Sending sending = std::move(job->transfer->sending());
  Host& host = hosts_[sending.host];
  --host.active;
  host.last_used = options_.now();
  auto& spare = spare_[sending.pod->ca_file];
  if (spare.size() < kMaxSpare) spare.push_back(std::move(job->transfer));
  return sending;
}

void HttpLoop::StopJobs() {
  std::vector<JobPtr> stopped;
  for (auto& [name, host] : hosts_) {
    for (JobPtr& job : host.waiting) {
      if (job->sending.stop.stop_requested()) stopped.push_back(std::move(job));
    }
    std::erase(host.waiting, nullptr);
  }
  waiting_ -= stopped.size();
  for (auto job = active_.begin(); job != active_.end();) {
    const auto next = std::next(job);
    if (job->second->transfer->sending().stop.stop_requested()) {
      stopped.push_back(std::move(job->second));
      active_.erase(job);
    }
    job = next;
  }
  for (JobPtr& job : stopped) {
    Sending sending = job->transfer == nullptr ? std::move(job->sending) : Retire(std::move(job));
    const absl::Status cancelled = Cancelled(sending.host);
    Finish(sending, cancelled);
  }
}

void HttpLoop::ExpireWaiting() {
  if (waiting_ == 0) return;
  const absl::Time now = options_.now();
  for (auto& [name, host] : hosts_) {
    std::vector<JobPtr> expired;
    for (JobPtr& job : host.waiting) {
      if (job->sending.deadline <= now) expired.push_back(std::move(job));
    }
    std::erase(host.waiting, nullptr);
    waiting_ -= expired.size();
    for (JobPtr& job : expired) {
      Finish(job->sending,
             WithOutcome(absl::DeadlineExceededError(fmt::format(
                             "{}: all {} connections stayed busy", name, options_.max_connections)),
                         Outcome::kNotExecuted));
    }
  }
}

int HttpLoop::PollMilliseconds() const {
  // libcurl shortens it to its own next time-out.
  if (waiting_ == 0) return 60'000;
  absl::Time next = absl::InfiniteFuture();
  for (const auto& [name, host] : hosts_) {
    for (const JobPtr& job : host.waiting) next = std::min(next, job->sending.deadline);
  }
  const absl::Duration left =
      std::clamp(next - options_.now(), absl::Milliseconds(1), absl::Milliseconds(1000));
  return static_cast<int>(absl::ToInt64Milliseconds(left));
}

void HttpLoop::EndAll() {
  std::vector<JobPtr> left;
  {
    MutexLock lock(&mutex_);
    left = std::exchange(submitted_, {});
  }
  for (auto& [name, host] : hosts_) {
    for (JobPtr& job : host.waiting) left.push_back(std::move(job));
    host.waiting.clear();
  }
  for (JobPtr& job : left) {
    Finish(job->sending, TransportError(Outcome::kNotExecuted, "the transport has ended"));
  }
  for (auto& [curl, job] : active_) {
    curl_multi_remove_handle(multi_.get(), curl);
    Finish(job->transfer->sending(), TransportError(Outcome::kUnknown, "the transport has ended"));
  }
  active_.clear();
}

void HttpLoop::Finish(const Sending& sending, absl::StatusOr<WireReply> result) {
  sending.done(std::move(result));
}

}  // namespace podkit::conduit::internal
