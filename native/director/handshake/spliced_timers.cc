// SPDX-License-Identifier: Apache-2.0
#include "director/handshake/spliced_timers.h"

namespace sluice::director {

std::optional<Time> SplicedTimers::next_timer() const {
  const uint32_t place = spliced_.next_due();
  return place == SplicedFlows::none ? std::nullopt : std::optional(spliced_[place].due);
}

bool SplicedTimers::repeat_unanswered(Time now, uint32_t budget, TransmitQueue& out) {
  for (uint32_t done = 0;; done++) {
    const uint32_t place = spliced_.next_due();
    if (place == SplicedFlows::none || spliced_[place].due > now) return true;
    if (done == budget) return false;
    spliced_.stop_waiting(place);
    if (spliced_[place].family == wire::Family::ipv4) {
      repeat_to_server<wire::Ipv4Address>(spliced_[place], now, out);
    } else {
      repeat_to_server<wire::Ipv6Address>(spliced_[place], now, out);
    }
  }
}

template <class A>
void SplicedTimers::repeat_to_server(SplicedFlow& spliced, Time now, TransmitQueue& out) {
  Flow<A>& flow = flows_.of<A>().table().at(spliced.flow);
  // No packet has caused this segment: it leaves only with the tag of its port.
  Frame nothing;
  nothing.port = no_port_id;
  wire::Packet packet;
  packet.protocol = wire::protocol::tcp;
  Transit<A> t{nothing, packet, now, out, nullptr, flow.forward};
  if (spliced.phase == SplicedFlow::Phase::greeting) {
    syn_proxy_.ask_again(t, flow);
  } else {
    spliced.announcement.times_sent++;
    proxy_protocol_.send_header(t, flow);
  }
}

}  // namespace sluice::director
