// SPDX-License-Identifier: Apache-2.0
// What the director does when flows use up its memory: IPVS's three defences, with IPVS's switches.
//
// Once a second the director checks whether memory is short: fewer than `amemthresh` pages of 4 KiB are left for flows.
// drop_entry then scans 1/32 of the table each second; it ends flows that were never established, and sometimes idle
// flows with few packets. drop_packet refuses every n-th packet that would open a flow. secure_tcp makes TCP flows
// follow the stricter state table. Mode 0 means never, 3 always, 1 and 2 only while memory is short (the kernel
// switches between 1 and 2 by itself; here both mean the same).
#pragma once

#include "director/states/switches.h"
#include "director/states/timeouts.h"
#include "director/tracking/flow_keeper.h"

namespace sluice::director {

class Defence {
 public:
  Defence(RandomSource random, Time start) : random_(std::move(random)), next_run_(start + period) {}

  // True once for each second that has passed: then the tables must be scanned.
  bool is_time(Time now);
  void set_level(const Switches& switches, uint64_t free_flows);
  template <class A>
  void drop_entries(FlowKeeper<A>& keeper, const Timeouts& timeouts, Tick now);

  // For a packet that would open a flow: whether this packet must be refused.
  bool drops_packet() {
    if (drop_rate_ == 0 || --until_drop_ > 0) return false;
    until_drop_ = drop_rate_;
    return true;
  }
  bool is_tcp_secured() const { return secures_tcp_; }

 private:
  static constexpr Time period = second;

  template <class A>
  bool is_to_be_dropped(const Flow<A>& flow, const Timeouts& timeouts, Tick now);
  bool is_turn_of(uint32_t packets);

  RandomSource random_;
  Time next_run_;
  bool drops_entries_ = false, secures_tcp_ = false;
  int32_t drop_rate_ = 0, until_drop_ = 0;
  static constexpr uint32_t most_packets = 8;
  std::array<int32_t, most_packets + 1> countdown_{};
};

}  // namespace sluice::director
