#include "podkit/conduit/discovery.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"
#include "common/status_macros.h"
#include "common/with_message.h"
#include "discovery/host_list.h"
#include "fmt/format.h"
#include "hmac.h"
#include "hosts/backoff.h"
#include "hosts/random.h"
#include "outcome.h"
#include "read_file.h"
#include "write_file.h"

namespace podkit::conduit {
namespace {

// What may be in trouble by itself.
enum Part { kSources, kSavedFile, kParts };

absl::Status About(std::string_view source, const absl::Status& status) {
  return absl::Status(status.code(),
                      fmt::format("no hosts from '{}': {}", source, std::string(status.message())));
}

}  // namespace

struct Discovery::State {
  State(std::shared_ptr<Pods> the_pods, std::vector<std::unique_ptr<HostListSource>> the_sources,
        DiscoveryOptions the_options)
      : pods(std::move(the_pods)),
        sources(std::move(the_sources)),
        options(std::move(the_options)),
        random(options.seed ? *options.seed : internal::RandomSeed()),
        backoff({.first = options.retry,
                 .max = std::max(options.retry, options.interval),
                 .jitter = internal::Jitter::kEqual}) {}

  const std::shared_ptr<Pods> pods;
  const std::vector<std::unique_ptr<HostListSource>> sources;
  const DiscoveryOptions options;

  // Of whoever ticks.
  internal::Random random;
  internal::Backoff backoff;
  const HostListSource* current = nullptr;  // Whose list is in use, unless it is the saved one.
  std::string version;                      // Of that list.

  mutable Mutex mutex;
  CondVar wake;
  DiscoveryStatus status ABSL_GUARDED_BY(mutex);
  absl::Status troubles[kParts] ABSL_GUARDED_BY(mutex);
  bool look_now ABSL_GUARDED_BY(mutex) = false;
  bool ending ABSL_GUARDED_BY(mutex) = false;
  std::stop_source stop;
  std::thread thread;

  void TakeSaved();
  absl::Status UseSaved(const std::string& text);
  absl::Status Ask(HostListSource& source, absl::Time now, const std::stop_token& token);
  absl::Status Take(HostListSource& source, FetchedHostList list);
  void Save(const std::vector<PodHosts>& hosts, const HostListSource& source);
  void Note(Part part, const absl::Status& trouble);
  void Run(Discovery* discovery);
};

// Tells what is news.
void Discovery::State::Note(Part part, const absl::Status& trouble) {
  {
    MutexLock lock(&mutex);
    if (troubles[part] == trouble) return;
    troubles[part] = trouble;
  }
  if (!trouble.ok() && options.on_failure) options.on_failure(trouble);
}

void Discovery::State::TakeSaved() {
  const auto text =
      internal::ReadFile(options.saved_file, {.max_bytes = internal::kMaxHostListBytes});
  if (absl::IsNotFound(text.status())) return;
  const absl::Status taken = text.ok() ? UseSaved(*text) : text.status();
  if (!taken.ok()) Note(kSavedFile, About(options.saved_file, taken));
}

absl::Status Discovery::State::UseSaved(const std::string& text) {
  PODKIT_ASSIGN_OR_RETURN(auto hosts, internal::ParseHostList(text));
  const std::string source = internal::SourceOfHostList(text);
  const size_t count = hosts.size();
  PODKIT_RETURN_IF_ERROR(
      pods->SetHosts(std::move(hosts), fmt::format("saved when '{}' last listed them", source)));
  MutexLock lock(&mutex);
  status.source = source;
  status.saved = true;
  status.pods = count;
  return absl::OkStatus();
}

absl::Status Discovery::State::Ask(HostListSource& source, absl::Time now,
                                   const std::stop_token& token) {
  const bool is_current = current == &source;
  PODKIT_ASSIGN_OR_RETURN(FetchedHostList list,
                          source.Fetch(is_current ? version : std::string_view(), token));
  if (list.unchanged && !is_current) return absl::InternalError("it gave no list");
  if (!list.unchanged) PODKIT_RETURN_IF_ERROR(Take(source, std::move(list)));
  MutexLock lock(&mutex);
  status.answered = now;
  return absl::OkStatus();
}

absl::Status Discovery::State::Take(HostListSource& source, FetchedHostList list) {
  PODKIT_ASSIGN_OR_RETURN(const auto hosts, internal::ParseHostList(std::move(list.text)));
  PODKIT_RETURN_IF_ERROR(pods->SetHosts(hosts, fmt::format("'{}' lists them so", source.name())));
  current = &source;
  version = std::move(list.version);
  {
    MutexLock lock(&mutex);
    status.source = source.name();
    status.saved = false;
    status.pods = hosts.size();
  }
  if (!options.saved_file.empty()) Save(hosts, source);
  return absl::OkStatus();
}

void Discovery::State::Save(const std::vector<PodHosts>& hosts, const HostListSource& source) {
  Note(kSavedFile,
       internal::WriteFile(options.saved_file, internal::WriteHostList(hosts, source.name())));
}

void Discovery::State::Run(Discovery* discovery) {
  for (;;) {
    const absl::Time next = discovery->Tick(options.now(), stop.get_token());
    MutexLock lock(&mutex);
    while (!ending && !look_now) {
      const absl::Duration left = next - options.now();
      if (left <= absl::ZeroDuration()) break;
      wake.WaitFor(&mutex, left);
    }
    if (ending) return;
    look_now = false;
  }
}

Discovery::Discovery(std::shared_ptr<Pods> pods,
                     std::vector<std::unique_ptr<HostListSource>> sources, DiscoveryOptions options)
    : state_(std::make_unique<State>(std::move(pods), std::move(sources), std::move(options))) {
  if (!state_->options.saved_file.empty()) state_->TakeSaved();
}

Discovery::~Discovery() {
  state_->stop.request_stop();
  {
    MutexLock lock(&state_->mutex);
    state_->ending = true;
    state_->wake.Signal();
  }
  if (state_->thread.joinable()) state_->thread.join();
}

absl::Time Discovery::Tick(absl::Time now, const std::stop_token& stop) {
  absl::Status failure;
  for (const auto& source : state_->sources) {
    absl::Status asked = state_->Ask(*source, now, stop);
    if (asked.ok()) {
      state_->Note(kSources, absl::OkStatus());
      state_->backoff.Reset();
      const absl::Duration half = state_->options.interval / 2;
      return now + half + half * state_->random.Unit();
    }
    asked = About(source->name(), asked);
    failure = failure.ok()
                  ? std::move(asked)
                  : WithMessage(failure, fmt::format("{}; {}", std::string(failure.message()),
                                                     std::string(asked.message())));
  }
  if (!stop.stop_requested()) state_->Note(kSources, failure);
  return now + state_->backoff.Next(state_->random);
}

void Discovery::Start() {
  state_->thread = std::thread([this] { state_->Run(this); });
}

void Discovery::LookNow() {
  MutexLock lock(&state_->mutex);
  state_->look_now = true;
  state_->wake.Signal();
}

DiscoveryStatus Discovery::Status() const {
  MutexLock lock(&state_->mutex);
  DiscoveryStatus status = state_->status;
  status.last_error = state_->troubles[kSources];
  return status;
}

}  // namespace podkit::conduit
