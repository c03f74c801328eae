// SPDX-License-Identifier: Apache-2.0
#include "director/tracking/defence.h"

#include "wire/protocol.h"

namespace sluice::director {

namespace {

constexpr uint64_t page = 4096;
// The part of the table that is scanned each second.
constexpr uint32_t drop_share = 32;
// A flow younger than this is not ended for being idle: a handshake may take that long.
constexpr Time grace = 60 * second;

// Whether the flow's last packet is older than the grace period: the deadline is less than (timeout - grace) away.
template <class A>
bool is_idle(const Flow<A>& flow, Time timeout, Tick now) {
  return static_cast<int32_t>(flow.deadline + ticks(grace) - now - ticks(timeout)) <= 0;
}

bool is_in_force(uint8_t mode, bool short_of_memory) {
  return mode >= 3 || (mode > 0 && short_of_memory);
}

}  // namespace

bool Defence::is_time(Time now) {
  if (now < next_run_) return false;
  next_run_ = now + period;
  return true;
}

void Defence::set_level(const Switches& switches, uint64_t free_flows) {
  const uint64_t free_pages = free_flows * sizeof(Flow<wire::Ipv4Address>) / page;
  const bool is_short = free_pages < switches.amemthresh;
  drops_entries_ = is_in_force(switches.drop_entry, is_short);
  secures_tcp_ = is_in_force(switches.secure_tcp, is_short);
  if (switches.drop_packet >= 3) {
    drop_rate_ = static_cast<int32_t>(switches.am_droprate);
  } else if (is_in_force(switches.drop_packet, is_short)) {
    drop_rate_ = until_drop_ = static_cast<int32_t>(switches.amemthresh / (switches.amemthresh - free_pages));
  } else {
    drop_rate_ = 0;
  }
}

// Ends every n-th idle flow that has had n packets. Flows with more than eight packets, or none, stay.
bool Defence::is_turn_of(uint32_t packets) {
  if (packets == 0 || packets > most_packets) return false;
  if (--countdown_[packets] > 0) return false;
  countdown_[packets] = static_cast<int32_t>(packets);
  return true;
}

template <class A>
bool Defence::is_to_be_dropped(const Flow<A>& flow, const Timeouts& timeouts, Tick now) {
  if (flow.is_template()) return flow.control == 0 && flow.state != template_state::assured;
  switch (flow.protocol) {
    case wire::protocol::tcp:
      if (is_half_open(static_cast<TcpState>(flow.state))) return true;
      return static_cast<TcpState>(flow.state) == TcpState::established &&
             is_idle(flow, timeouts.of(TcpState::established), now) && is_turn_of(flow.packets);
    case wire::protocol::sctp:
      if (is_half_open(static_cast<SctpState>(flow.state))) return true;
      return static_cast<SctpState>(flow.state) == SctpState::established &&
             is_idle(flow, timeouts.of(SctpState::established), now) && is_turn_of(flow.packets);
    default:
      return is_idle(flow, timeouts.of(UdpState::normal), now) && is_turn_of(flow.packets);
  }
}

template <class A>
void Defence::drop_entries(FlowKeeper<A>& keeper, const Timeouts& timeouts, Tick now) {
  if (!drops_entries_) return;
  FlowTable<A>& table = keeper.table();
  const uint32_t share = table.span() / drop_share + 1;
  const uint32_t from = static_cast<uint32_t>(uint64_t{random_()} * table.span() >> 32);
  table.walk(from, share, [&](Flow<A>& flow) {
    if (is_to_be_dropped(flow, timeouts, now)) keeper.end(flow, Template::goes_if_unproven);
  });
}
template void Defence::drop_entries(FlowKeeper<wire::Ipv4Address>&, const Timeouts&, Tick);
template void Defence::drop_entries(FlowKeeper<wire::Ipv6Address>&, const Timeouts&, Tick);

}  // namespace sluice::director
