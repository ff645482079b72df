// A ByteStream over a socket that never blocks, for whoever owns an event loop: derive from it, say
// how to read and write, and call Turn when the loop says so.
//
// Wake and Close are for any thread, all else is for the thread of the loop (the "loop thread").
// Output is written where it is cheapest. On the loop thread, once what was read is dealt with; so
// the replies to many messages leave in one write. On the thread that calls Wake, if the socket
// allows it (`write_on_wake`) and nobody writes already; so a call does not wait for another thread
// to run. What does not fit into the socket is left to the loop.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "podkit/conduit/byte_stream.h"

namespace podkit::conduit {

class StreamPump : public ByteStream {
 public:
  // What the loop has to wait for after a turn.
  enum class Wait {
    kRead,         // Until the socket is readable.
    kReadOrWrite,  // Until it is readable or writable.
    kNothing,      // Call Turn again, after the other streams had their turn.
    kKick,         // Until Kick is called: a thread that writes has still to leave.
    kEnded,        // Ended was called: never call Turn again.
  };

  // Begins: `user` gets `early`, the bytes that were read already, then what comes. Null: the
  // stream ends at once. Call it once; a Wake before it is not lost.
  Wait Start(std::shared_ptr<StreamUser> user, std::string_view early);

  // Writes what is possible now, and reads first if the socket is `readable`; for when the socket
  // is ready, or Kick was called. `buffer` is only used meanwhile: all streams of a loop may share
  // it. Whoever calls holds a reference.
  Wait Turn(bool readable, std::span<char> buffer);

  // Ends the stream without sending what is left; its user hears `why`. Returns kEnded or kKick.
  Wait Cut(const absl::Status& why);

  // Close was called, and what there was to send may not be sent yet.
  bool closing() const { return closing_.load(std::memory_order_relaxed); }

  void Wake() final;
  void Close() final;

 protected:
  enum class Outcome {
    kDone,
    kWantRead,   // Try again when the socket is readable,
    kWantWrite,  // or writable.
    kEnd,        // The other side sends no more.
    kFailed,     // `error` says why.
  };
  struct Moved {
    Outcome outcome = Outcome::kDone;
    size_t bytes = 0;  // More than 0 if kDone.
    int error = 0;     // An errno, or 0: the protocol below was broken.
  };

  // `write_on_wake`: Write may be called on any thread, also while Read runs.
  explicit StreamPump(bool write_on_wake) : write_on_wake_(write_on_wake) {}

 private:
  // Who may write. Only the loop thread ends, and it waits for a thread that writes to leave.
  enum class Writer : uint8_t {
    kNobody,
    kSomebody,  // A thread is in WriteOut.
    kAgain,     // The same, and was woken meanwhile.
    kLoop,      // The loop's next turn.
    kLeaving,   // A thread is in WriteOut and must leave it: the stream ends.
    kEnded,
  };

  virtual Moved Read(std::span<char> buffer) = 0;
  virtual Moved Write(std::string_view bytes) = 0;
  // True if a Read that filled less than its buffer may find more without the socket being
  // readable.
  virtual bool MayHoldInput() const { return false; }
  // Makes the loop call Turn soon. Any thread, also when the loop has ended.
  virtual void Kick() = 0;
  virtual bool OnLoopThread() const = 0;
  // The stream is of no more use. `linger`: all was sent, and the other side should be given time
  // to read it before the socket goes.
  virtual void Ended(bool linger) = 0;

  bool ReadIn(std::span<char> buffer);
  void WriteOut();
  // Each is true if the writer goes on.
  bool TakeMore();
  bool SendSome();
  void LeaveToLoop();
  void WriteOnLoop();
  void End(const absl::Status& why, bool linger);
  void FinishEnd();
  absl::Status Failure(const Moved& moved) const;
  Wait NextWait() const;

  const bool write_on_wake_;
  std::atomic<Writer> writer_ = Writer::kLoop;
  std::atomic<bool> closing_ = false;

  // The writer's.
  std::string output_;
  size_t output_sent_ = 0;
  size_t budget_ = 0;
  Moved last_write_;
  bool flushed_ = false;  // After Close, there was no more output.

  // The loop thread's; others see the user while they write.
  std::shared_ptr<StreamUser> user_;
  absl::Status why_;
  bool in_turn_ = false;
  bool reading_ = false;
  bool woken_ = false;  // By what was read in this turn.
  bool more_input_ = false;
  bool read_wants_write_ = false;
  bool ending_ = false;
  bool ended_ = false;
  bool linger_ = false;
};

}  // namespace podkit::conduit
