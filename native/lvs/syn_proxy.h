// SPDX-License-Identifier: Apache-2.0
// The flows that the SYN proxy has opened: what their two ends were told, beside the table of flows, so that other
// flows pay nothing for it. The theory of operation is in syn_cookie.h, what the director does with it in syn_proxy.cc.
//
// A proxied flow goes through three phases:
//   greeting  the client has proved that it is there; the real server has been sent a SYN and has not answered yet
//   spliced   both handshakes are done: packets pass, each with the numbers that its receiver knows
//   closed    the handshake with the real server has failed, and the client was told so; the flow waits out its CLOSE
#pragma once

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
  Time last_syn = 0;
  uint8_t syns = 0;  // that the real server was sent
  Phase phase = Phase::greeting;
};

class ProxiedFlows {
 public:
  static constexpr uint32_t none = UINT32_MAX;

  explicit ProxiedFlows(uint32_t limit) : limit_(limit), flows_(limit, false), free_(limit, false) {}

  // A place for a flow; `none` where there is no room.
  uint32_t take(const ProxiedFlow& flow);
  void release(uint32_t place);
  ProxiedFlow& operator[](uint32_t place) { return flows_[place]; }
  const ProxiedFlow& operator[](uint32_t place) const { return flows_[place]; }

  uint32_t size() const { return high_water_ - free_count_; }
  size_t memory_bytes() const { return flows_.committed_bytes() + free_.committed_bytes(); }

 private:
  uint32_t limit_;
  ReservedArray<ProxiedFlow> flows_;
  ReservedArray<uint32_t> free_;  // places, the last one freed on top
  uint32_t high_water_ = 0, free_count_ = 0;
};

}  // namespace sluice::lvs
