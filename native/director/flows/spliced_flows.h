// SPDX-License-Identifier: Apache-2.0
// Flows whose two ends use different sequence numbers: those that the SYN proxy has opened, and those whose real server
// gets the client's address by the PROXY protocol. Their data lies beside the flow table, so that other flows pay
// nothing for it. The theories of operation are in syn_cookie.h and proxy_header.h; syn_proxy.cc and proxy_protocol.cc
// hold what the director does with these flows.
//
// A flow of the SYN proxy goes through three phases; all others begin as spliced:
//   greeting  The client's cookie was good. The real server has been sent a SYN and has not answered yet. The SYN is
//             repeated as TCP does: after a second, then after twice as long each time. If the last one is not answered
//             either, the client is reset
//   spliced   both handshakes are done: packets pass, each with the numbers that its receiver knows
//   closed    the handshake with the real server has failed, and the client was told; the flow waits for its timeout in
//             CLOSE
#pragma once

#include <array>
#include <cstdint>

#include "core/reserved_array.h"
#include "core/time.h"
#include "wire/address.h"

namespace sluice::director {

// The options of a SYN that a SYN proxy understands.
struct SynOptions {
  static constexpr uint8_t no_window_scale = 15;
  static constexpr uint8_t greatest_window_scale = 14;  // RFC 7323 2.3

  uint16_t mss = 0;  // 0: the option is absent
  uint8_t window_scale = no_window_scale;
  bool sack_permitted = false;
  bool timestamps = false;
  uint32_t timestamp = 0, timestamp_echo = 0;
  bool operator==(const SynOptions&) const = default;
};

// How the numbers differ between a flow's two ends.
struct Splice {
  uint32_t sequence = 0;       // the client's number minus the real server's: k-s
  uint32_t timestamp = 0;      // likewise, for the server's TSval
  uint8_t promised_scale = 0;  // of the server's windows: the scale that the client was told …
  uint8_t real_scale = 0;      // … and the one that the real server uses; 0 if it does not scale
  uint8_t client_scale = 0;    // of the client's windows, if the real server has declined scaling; otherwise 0
  bool operator==(const Splice&) const = default;
};

// A header that the director inserts into a connection: its place, and whether the server has it.
struct InsertedHeader {
  enum class Phase : uint8_t {
    none,
    awaited,       // the server has answered the SYN; the client's ACK has not come yet
    sent,          // it may be lost
    acknowledged,  // the server has it
  };
  uint32_t first = 0;        // sequence number of its first byte: c+1
  uint8_t length = 0;        // L
  uint8_t window_scale = 0;  // of the server's windows
  Phase phase = Phase::none;

  bool is_in_connection() const { return phase >= Phase::sent; }
};

// A client whose ACK brought back a good cookie.
struct ProvenClient {
  SynOptions options;               // of its SYN, as the cookie kept them; the timestamp is that of the ACK
  uint32_t sequence = 0;            // c: of its SYN
  uint32_t cookie = 0;              // k
  uint32_t promised_timestamp = 0;  // the TSval that the client was told, if `options.timestamps`
  bool has_flow = false;            // the client has a flow: that flow handles its packets from now on
};

// The PROXY header that the real server is sent, and the values of its last transmission.
struct Announcement {
  InsertedHeader header;
  uint8_t times_sent = 0;  // including repetitions by the timer
  bool has_timestamps = false;
  uint16_t window = 0;           // of the client's last packet, as forwarded to the real server …
  uint32_t acknowledgement = 0;  // … and so are the fields below
  uint32_t timestamp = 0, timestamp_echo = 0;
  uint32_t server_first = 0;  // s+1, as the client counts
  uint32_t client_next = 0;   // the number after the client's last byte, as the client counts
  uint32_t syn_first = 0;     // c+1 of the client's last SYN, which may belong to another connection
};

struct SplicedFlow {
  enum class Phase : uint8_t { greeting, spliced, closed };

  Splice splice;  // all zero before the phase `spliced`, and without the SYN proxy
  ProvenClient client;
  Announcement announcement;
  uint16_t client_window = 0;  // of the client's last packet before `spliced`, as in that packet
  uint8_t syns = 0;            // number of SYNs sent to the real server
  Phase phase = Phase::greeting;
  wire::Family family = wire::Family::ipv4;
  uint32_t flow = 0;  // its index in the table of its family

  // Whether the SYN proxy has opened it.
  bool is_greeted() const { return client.has_flow; }

  // The timer queue that it waits in; 0: none.
  uint8_t queue = 0;
  uint32_t next = 0, previous = 0;
  Time due = 0;
};

class SplicedFlows {
 public:
  static constexpr uint32_t none = UINT32_MAX;

  // `flows`: memory of the flows; `memory`: for everything else.
  SplicedFlows(uint32_t limit, const core::MemorySource& flows, const core::MemorySource& memory)
      : limit_(limit), flows_(limit, false, flows), free_(limit, false, memory) {}

  // A place for a flow; `none` if there is no room.
  uint32_t take(const SplicedFlow& flow);
  void release(uint32_t place);
  SplicedFlow& operator[](uint32_t place) { return flows_[place]; }
  const SplicedFlow& operator[](uint32_t place) const { return flows_[place]; }

  // The flow is handled again when the last SYN or PROXY header has waited long enough for an answer; the time depends
  // on how often it was sent. `now` never decreases.
  void wait_for_answer(uint32_t place, Time now);
  void wait_for_acknowledgement(uint32_t place, Time now);
  void stop_waiting(uint32_t place);
  // The flow whose time comes first; `none` if no flow waits.
  uint32_t next_due() const;

  // Limit of SYNs to a real server. The first waits for TCP's first retransmission timeout (RFC 6298 2.1), each further
  // one twice as long. Altogether fifteen seconds: after that most clients have given up by themselves.
  static constexpr uint8_t most_syns = 4;
  // Limit of PROXY headers that the timer sends. The path is known to work, so the first waits only as long as TCP does
  // on such a path. Altogether a minute; after that a header is sent only when a packet of one end requires it.
  static constexpr uint8_t most_headers = 11;

  // From now on no other process sees what changes.
  bool make_private() { return flows_.make_private(); }

  uint32_t size() const { return high_water_ - free_count_; }
  size_t memory_bytes() const { return flows_.committed_bytes() + free_.committed_bytes(); }

 private:
  // Flows in one queue wait equally long, twice as long as in the queue before: the first to enter is the first to be
  // due.
  struct Queue {
    uint32_t first = none, last = none;
  };
  static constexpr Time shortest_wait = second / 4;
  static constexpr uint8_t last_queue = 6;  // eight seconds
  static constexpr uint8_t queue_of_one_second = 3;
  void wait(uint32_t place, uint8_t queue, Time now);

  uint32_t limit_;
  core::ReservedArray<SplicedFlow> flows_;
  core::ReservedArray<uint32_t> free_;  // the last freed place is on top
  uint32_t high_water_ = 0, free_count_ = 0;
  std::array<Queue, last_queue + 1> queues_;
};

}  // namespace sluice::director
