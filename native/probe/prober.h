// SPDX-License-Identifier: Apache-2.0
// The native side of health checks: thousands of exchanges at once on one epoll descriptor, without a thread of its
// own.
//
// Theory of operation
//
// An exchange is one connection or one socket for datagrams, from start() to its end. The prober moves the bytes of an
// exchange; what they mean is decided elsewhere. Whoever owns the prober waits until fd() is readable, with whatever
// loop there is, and then calls collect(), which does not wait.
//
//   start() ─▶ connecting ──▶ open ──▶ `closed` (TCP: by the target) ──▶ end()
//                   │           │         the exchange goes on: more can be sent
//                   └─────┬─────┘
//           `connected`, `failed`, `timeout`, or end(): the socket is closed, the id is forgotten
//
// - An id has the index of a slot and the slot's generation, so that the id of an exchange that has ended names
// nothing.
//   epoll reports ids too, and a report for an exchange that ended in the same round is ignored.
// - TCP sockets are edge-triggered and registered once for everything. A round that leaves bytes in a socket, because
// it
//   has read 64 KiB of this socket or enough of all, asks epoll to report the socket again (EPOLL_CTL_MOD). Of other
//   sockets a round reads one datagram; they are level-triggered.
// - A timer descriptor in the same epoll descriptor wakes at the earliest deadline. An exchange that ends early does
// not
//   set it again: it then wakes once for nothing and is set for the next deadline. So it is set about once a timeout,
//   not once an exchange.
// - An exchange that fails inside of start() or send() is reported by the next collect(): nothing is reported to a
// caller
//   that does not expect it. No errno ends more than its exchange.
//
// How TCP connections end. After a FIN of ours the socket would stay in TIME_WAIT for a minute: 5,000 checks a second
// would hold 300,000 sockets and, to one target, all ephemeral ports. So the prober resets the connection (SO_LINGER
// 0), unless the target has sent its FIN before: then the target has the TIME_WAIT, and a FIN answers politely. haproxy
// resets connections of its checks too; keepalived sends a FIN, and has TIME_WAIT. A check that only connects
// sends the reset in place of the handshake's last segment (sockets.cc), as haproxy does: the target's program never
// sees the connection and has nothing to log. A reset can overtake nothing that was read, but bytes that the target has
// not read yet may be lost: who wants them to arrive waits for the answer, or for `closed`.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/siphash.h"
#include "host/descriptor.h"
#include "host/failure.h"
#include "probe/deadlines.h"
#include "probe/exchange.h"
#include "probe/handshakes.h"

namespace sluice::probe {

class Prober {
 public:
  // Empty after a failure.
  static std::optional<Prober> open(host::Failure& failure);

  Prober(Prober&&) = default;
  Prober& operator=(Prober&&) = default;
  ~Prober() { end_all(); }

  // Readable when collect() has something to do.
  int fd() const { return epoll_.get(); }
  size_t running() const { return running_; }

  // 0 if there are too many exchanges: more than any process can have sockets.
  Id start(const Request& request);
  // Does nothing if the exchange has ended. A ping has nothing to send.
  void send(Id id, std::span<const uint8_t> bytes);
  // No event of the exchange is reported any more.
  void end(Id id);
  void end_all();

  // Replaces the batch by what has happened.
  void collect(Batch& batch);

 private:
  enum class Stage : uint8_t { free, connecting, open, failing };

  struct Slot {
    host::Descriptor socket;
    uint64_t generation = 1;
    Stage stage = Stage::free;
    Protocol protocol = Protocol::tcp;
    bool is_ipv6 = false;
    bool is_raw = false;
    bool connect_only = false;
    bool travels = false;           // it is one of `handshakes_`; the socket reserves a port
    bool is_closed = false;         // the target has closed its side
    int error = 0;                  // of an exchange that is failing
    size_t sent = 0;                // of `unsent`
    std::vector<uint8_t> unsent{};  // what the socket has not taken yet
  };

  Prober(host::Descriptor epoll, host::Descriptor timer, core::SipKey key);

  static Id id_of(uint32_t index, const Slot& slot);
  Slot* find(Id id);
  std::optional<uint32_t> take_slot();

  // 0, or errno.
  int begin(Id id, Slot& slot, const Request& request);
  int begin_to_travel(Id id, Slot& slot, const Request& request);
  int flush(Slot& slot);
  // Of an exchange that begins or sends. It is reported later.
  void fail_later(Id id, Slot& slot, int error);

  void handle(Id id, uint32_t ready, Batch& batch);
  // False if the exchange has ended.
  bool finish_connecting(Id id, Slot& slot, uint32_t ready, Batch& batch);
  // `broken` is what sending has failed with, or 0.
  void receive_stream(Id id, Slot& slot, uint32_t ready, int broken, Batch& batch);
  void close_stream(Id id, Slot& slot, uint32_t ready, int broken, Batch& batch);
  void receive_datagram(Id id, Slot& slot, Batch& batch);
  void deliver(Id id, std::span<const uint8_t> bytes, Batch& batch);
  // False if the exchange has ended.
  bool look_for_ping_error(Id id, Slot& slot, Batch& batch);
  void finish(Id id, EventKind kind, int error, Batch& batch);

  void collect_handshakes(Batch& batch);
  void report_failures(Batch& batch);
  void expire(Batch& batch);
  void set_timer();

  host::Descriptor epoll_;
  host::Descriptor timer_;
  core::SipKey key_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  std::vector<uint8_t> buffer_;           // what one call receives
  std::vector<Id> failing_;               // and ids of failing exchanges that were ended
  std::optional<Handshakes> handshakes_;  // once one is asked for
  std::vector<Handshakes::Answer> answers_;
  Deadlines deadlines_;
  Time timer_at_ = 0;  // 0: not set
  size_t running_ = 0;
};

}  // namespace sluice::probe
