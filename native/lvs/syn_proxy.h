// SPDX-License-Identifier: Apache-2.0
// The flows that the SYN proxy has opened: what their two ends were told, beside the table of flows, so that other
// flows pay nothing for it. The theory of operation is in syn_cookie.h, what the director does with it in syn_proxy.cc.
//
// A proxied flow goes through three phases:
//   greeting  the client has proved that it is there; the real server has been sent a SYN and has not answered yet. The
//             SYN is repeated as TCP would: after a second, then after twice as long each time. When the last one has
//             waited in vain too, the client is reset
//   spliced   both handshakes are done: packets pass, each with the numbers that its receiver knows
//   closed    the handshake with the real server has failed, and the client was told so; the flow waits out its CLOSE
#pragma once

#include <array>
#include <cstdint>

#include "lvs/reserved_array.h"
#include "lvs/syn_cookie.h"
#include "lvs/time.h"

namespace sluice::lvs {

// A client's ACK that brought a good cookie back.
struct ProvenClient {
  SynOptions options;               // of its SYN, as the cookie kept them; the timestamp is the ACK's
  uint32_t sequence = 0;            // c: of its SYN
  uint32_t cookie = 0;              // k
  uint32_t promised_timestamp = 0;  // the TSval that it was told, if `options.timestamps`
  bool has_flow = false;            // it got one: the proxied flow answers it from now on
};

struct ProxiedFlow {
  enum class Phase : uint8_t { greeting, spliced, closed };

  Splice splice;  // all zero before `spliced`
  ProvenClient client;
  uint16_t client_window = 0;  // of its last packet before `spliced`, as the packet had it
  uint8_t syns = 0;            // that the real server was sent
  Phase phase = Phase::greeting;
  wire::Family family = wire::Family::ipv4;
  uint32_t flow = 0;  // its index in the table of its family

  // The queue that it waits in for its timer, by the number of SYNs sent; 0: none.
  uint8_t queue = 0;
  uint32_t next = 0, previous = 0;
  Time due = 0;
};

class ProxiedFlows {
 public:
  static constexpr uint32_t none = UINT32_MAX;

  // `file`: a memory file that they are in; -1: none.
  ProxiedFlows(uint32_t limit, int file) : limit_(limit), flows_(limit, false, file), free_(limit, false) {}

  // A place for a flow; `none` where there is no room.
  uint32_t take(const ProxiedFlow& flow);
  void release(uint32_t place);
  ProxiedFlow& operator[](uint32_t place) { return flows_[place]; }
  const ProxiedFlow& operator[](uint32_t place) const { return flows_[place]; }

  // The flow is looked at again when the SYN just sent has waited for as long as its number says. `now` never falls.
  void wait_for_answer(uint32_t place, Time now);
  void stop_waiting(uint32_t place);
  // The one whose time comes first; `none` where no flow waits.
  uint32_t next_due() const;

  // SYNs that a real server is sent, and how long the first waits for an answer: TCP's first retransmission timeout
  // (RFC 6298 2.1), doubled for each further one. All in all fifteen seconds: a client that is not reset by then has
  // mostly given up itself.
  static constexpr uint8_t most_syns = 4;
  static constexpr Time first_timeout = 1 * second;

  bool leave_file() { return flows_.leave_file(); }

  uint32_t size() const { return high_water_ - free_count_; }
  size_t memory_bytes() const { return flows_.committed_bytes() + free_.committed_bytes(); }

 private:
  // Flows that have been sent equally many SYNs wait equally long: the first to come is the first to be due.
  struct Queue {
    uint32_t first = none, last = none;
  };

  uint32_t limit_;
  ReservedArray<ProxiedFlow> flows_;
  ReservedArray<uint32_t> free_;  // places, the last one freed on top
  uint32_t high_water_ = 0, free_count_ = 0;
  std::array<Queue, most_syns + 1> queues_;  // by the number of SYNs sent
};

}  // namespace sluice::lvs
