#include "podkit/conduit/recorder.h"

#include <future>
#include <memory>
#include <thread>
#include <utility>

#include "common/mutex.h"
#include "common/status_macros.h"
#include "common/worker_pool.h"
#include "fmt/format.h"
#include "recording/exchange.h"
#include "recording/record_file.h"

namespace podkit::conduit {
namespace {

constexpr std::string_view kHeadLine = R"({"podkit_recording":1})";

// The caller that a request names. Only what the conduit answered with a signature is recorded, and
// that has proven it.
std::string CallerIn(std::string_view authorization) {
  constexpr std::string_view kName = "caller=";
  const size_t start = authorization.find(kName);
  if (start == std::string_view::npos) return {};
  const std::string_view rest = authorization.substr(start + kName.size());
  return std::string(rest.substr(0, rest.find(',')));
}

}  // namespace

struct Recorder::State {
  explicit State(RecorderOptions the_options) : options(std::move(the_options)) {
    rules = {.max_body_bytes = options.max_body_bytes, .secrets = options.secrets};
  }

  void Add(absl::Time at, std::string caller, const WireRequest& request, const WireReply& reply);
  void Write(const internal::RecordedExchange& exchange);
  void Tell(const absl::Status& status);

  const RecorderOptions options;
  internal::RecordingRules rules;
  std::unique_ptr<internal::RecordFile> file;  // Of the pool's thread.
  bool failing = false;                        // Likewise.
  mutable Mutex mutex;
  RecorderStats stats ABSL_GUARDED_BY(mutex);
  std::unique_ptr<WorkerPool> pool;  // One thread; last, so that it ends first.
};

void Recorder::State::Add(absl::Time at, std::string caller, const WireRequest& request,
                          const WireReply& reply) {
  internal::RecordedExchange exchange{.at = at,
                                      .took = options.now() - at,
                                      .caller = std::move(caller),
                                      .request = RecordRequest(request, rules),
                                      .status = reply.status};
  exchange.reply = RecordReply(reply, rules, exchange.request.batch);
  const bool taken = pool->Submit(
      [this, exchange = std::make_shared<const internal::RecordedExchange>(std::move(exchange))] {
        Write(*exchange);
      });
  if (taken) return;
  MutexLock lock(&mutex);
  ++stats.left_out;
}

void Recorder::State::Write(const internal::RecordedExchange& exchange) {
  const absl::Status status = file->Append(ToJson(exchange));
  {
    MutexLock lock(&mutex);
    ++(status.ok() ? stats.written : stats.left_out);
  }
  Tell(status);
}

void Recorder::State::Tell(const absl::Status& status) {
  if (failing == !status.ok()) return;
  failing = !status.ok();
  if (!options.log) return;
  options.log(failing ? LogLevel::kWarning : LogLevel::kInfo,
              failing ? std::string(status.message()) : "recording goes on");
}

absl::StatusOr<std::unique_ptr<Recorder>> Recorder::Open(std::string path,
                                                         RecorderOptions options) {
  auto state = std::make_shared<State>(std::move(options));
  const RecorderOptions& chosen = state->options;
  PODKIT_ASSIGN_OR_RETURN(auto file,
                          internal::RecordFile::Open(std::move(path), std::string(kHeadLine),
                                                     chosen.max_file_bytes, chosen.max_files));
  state->file = std::make_unique<internal::RecordFile>(std::move(file));
  state->pool = std::make_unique<WorkerPool>(1, chosen.max_waiting);
  return std::unique_ptr<Recorder>(new Recorder(std::move(state)));
}

Recorder::Recorder(std::shared_ptr<State> state) : state_(std::move(state)) {}

Recorder::~Recorder() {
  Flush();
  state_->pool->Stop();
}

WireReply Recorder::Receive(Conduit& conduit, const WireRequest& request) {
  const absl::Time at = state_->options.now();
  WireReply reply = conduit.Receive(request);
  if (!reply.authorization.empty()) {
    state_->Add(at, CallerIn(request.authorization), request, reply);
  }
  return reply;
}

void Recorder::Answer(Conduit& conduit, ReceivedCall call) {
  const absl::Time at = state_->options.now();
  // The conduit keeps no request after it was read.
  const auto request = std::make_shared<const WireRequest>(
      WireRequest{.content_type = call.request.content_type, .body = call.request.body});
  call.reply = [state = state_, at, request, caller = call.caller,
                done = std::move(call.reply)](WireReply reply) {
    state->Add(at, caller->id, *request, reply);
    done(std::move(reply));
  };
  conduit.Answer(std::move(call));
}

void Recorder::Flush() {
  std::promise<void> written;
  // When the queue is full, what waits in it is written before long.
  while (!state_->pool->Submit([&] { written.set_value(); })) std::this_thread::yield();
  written.get_future().wait();
}

RecorderStats Recorder::stats() const {
  MutexLock lock(&state_->mutex);
  return state_->stats;
}

}  // namespace podkit::conduit
