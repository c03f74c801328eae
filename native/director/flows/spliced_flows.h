// SPDX-License-Identifier: Apache-2.0
// The flows whose two ends count differently: those that the SYN proxy has opened, and those whose real server is told
// the client's address by the PROXY protocol. What they need lies beside the table of flows, so that other flows pay
// nothing for it. The theories of operation are in syn_cookie.h and proxy_header.h, what the director does with them in
// syn_proxy.cc and proxy_protocol.cc.
//
// A flow of the SYN proxy goes through three phases; all others are spliced from the begin:
//   greeting  the client has proved that it is there; the real server has been sent a SYN and has not answered yet. The
//             SYN is repeated as TCP would: after a second, then after twice as long each time. When the last one has
//             waited in vain too, the client is reset
//   spliced   both handshakes are done: packets pass, each with the numbers that its receiver knows
//   closed    the handshake with the real server has failed, and the client was told so; the flow waits out its CLOSE
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

// A flow whose two ends were promised different things.
struct Splice {
  uint32_t sequence = 0;       // what the client was told less what the real server says: k-s
  uint32_t timestamp = 0;      // likewise, of the server's TSval
  uint8_t promised_scale = 0;  // of the server's windows: what the client was told …
  uint8_t real_scale = 0;      // … and what the real server uses; 0 where it does not scale
  uint8_t client_scale = 0;    // of the client's windows, where the real server has declined scaling; else 0
  bool operator==(const Splice&) const = default;
};

// A header in a connection: where, and whether the server has it.
struct InsertedHeader {
  enum class Phase : uint8_t {
    none,
    awaited,       // the server has answered the SYN; the client's ACK is to come
    sent,          // it may have been lost
    acknowledged,  // the server has it
  };
  uint32_t first = 0;        // its first byte's number: c+1
  uint8_t length = 0;        // L
  uint8_t window_scale = 0;  // of the server's windows
  Phase phase = Phase::none;

  bool is_in_connection() const { return phase >= Phase::sent; }
};

// A client's ACK that brought a good cookie back.
struct ProvenClient {
  SynOptions options;               // of its SYN, as the cookie kept them; the timestamp is the ACK's
  uint32_t sequence = 0;            // c: of its SYN
  uint32_t cookie = 0;              // k
  uint32_t promised_timestamp = 0;  // the TSval that it was told, if `options.timestamps`
  bool has_flow = false;            // it got one: the proxied flow answers it from now on
};

// What the real server is told by the PROXY protocol, and when it was last told.
struct Announcement {
  InsertedHeader header;
  uint8_t times_sent = 0;  // for the first time and by the timer
  bool has_timestamps = false;
  uint16_t window = 0;           // of the client's last packet, as the real server was given it …
  uint32_t acknowledgement = 0;  // … and all below
  uint32_t timestamp = 0, timestamp_echo = 0;
  uint32_t server_first = 0;  // s+1, as the client counts
  uint32_t client_next = 0;   // the number after the client's last byte, as the client counts
  uint32_t syn_first = 0;     // c+1 of the client's last SYN, which may be another connection's
};

struct SplicedFlow {
  enum class Phase : uint8_t { greeting, spliced, closed };

  Splice splice;  // all zero before `spliced`, and without the SYN proxy
  ProvenClient client;
  Announcement announcement;
  uint16_t client_window = 0;  // of its last packet before `spliced`, as the packet had it
  uint8_t syns = 0;            // that the real server was sent
  Phase phase = Phase::greeting;
  wire::Family family = wire::Family::ipv4;
  uint32_t flow = 0;  // its index in the table of its family

  // The SYN proxy has opened it.
  bool is_greeted() const { return client.has_flow; }

  // The queue that it waits in for its timer; 0: none.
  uint8_t queue = 0;
  uint32_t next = 0, previous = 0;
  Time due = 0;
};

class SplicedFlows {
 public:
  static constexpr uint32_t none = UINT32_MAX;

  // `flows`: where they themselves are; `memory`: what is beside them.
  SplicedFlows(uint32_t limit, const core::MemorySource& flows, const core::MemorySource& memory)
      : limit_(limit), flows_(limit, false, flows), free_(limit, false, memory) {}

  // A place for a flow; `none` where there is no room.
  uint32_t take(const SplicedFlow& flow);
  void release(uint32_t place);
  SplicedFlow& operator[](uint32_t place) { return flows_[place]; }
  const SplicedFlow& operator[](uint32_t place) const { return flows_[place]; }

  // The flow is looked at again when what was just sent has waited for as long as its number says: the SYN, or the
  // header of the PROXY protocol. `now` never falls.
  void wait_for_answer(uint32_t place, Time now);
  void wait_for_acknowledgement(uint32_t place, Time now);
  void stop_waiting(uint32_t place);
  // The one whose time comes first; `none` where no flow waits.
  uint32_t next_due() const;

  // SYNs that a real server is sent: the first waits for TCP's first retransmission timeout (RFC 6298 2.1), each
  // further one twice as long. All in all fifteen seconds: a client that is not reset by then has mostly given up
  // itself.
  static constexpr uint8_t most_syns = 4;
  // Headers: the way is known to work, so the first waits no longer than TCPs do there. All in all a minute; after that
  // one is sent when an end says something that asks for it.
  static constexpr uint8_t most_headers = 11;

  // From now on no other process sees what changes.
  bool make_private() { return flows_.make_private(); }

  uint32_t size() const { return high_water_ - free_count_; }
  size_t memory_bytes() const { return flows_.committed_bytes() + free_.committed_bytes(); }

 private:
  // Flows in a queue wait equally long, twice as long as in the one before: the first to come is the first to be due.
  struct Queue {
    uint32_t first = none, last = none;
  };
  static constexpr Time shortest_wait = second / 4;
  static constexpr uint8_t last_queue = 6;  // eight seconds
  static constexpr uint8_t queue_of_one_second = 3;
  void wait(uint32_t place, uint8_t queue, Time now);

  uint32_t limit_;
  core::ReservedArray<SplicedFlow> flows_;
  core::ReservedArray<uint32_t> free_;  // places, the last one freed on top
  uint32_t high_water_ = 0, free_count_ = 0;
  std::array<Queue, last_queue + 1> queues_;
};

}  // namespace sluice::director
