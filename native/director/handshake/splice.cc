// SPDX-License-Identifier: Apache-2.0
// Packets of proxied flows (syn_proxy.h), each in the numbers that its receiver knows, and what their timers repeat.
#include "director/handshake/syn_proxy.h"
#include "director/stages/director.h"
#include "wire/tcp.h"

namespace sluice::director {

std::optional<Time> Director::next_timer() const {
  const uint32_t place = spliced_.next_due();
  return place == SplicedFlows::none ? std::nullopt : std::optional(spliced_[place].due);
}

// What was not answered is repeated, at most so many times; false when there is more to repeat.
bool Director::repeat_unanswered(Time now, uint32_t budget, TransmitQueue& out) {
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
void Director::repeat_to_server(SplicedFlow& spliced, Time now, TransmitQueue& out) {
  Flow<A>& flow = flows<A>().table().at(spliced.flow);
  // No packet has caused this: it leaves without tags but those of its port.
  Frame nothing;
  nothing.port = no_port_id;
  wire::Packet packet;
  packet.protocol = wire::protocol::tcp;
  Transit<A> t{nothing, packet, now, out, nullptr, flow.forward};
  if (spliced.phase == SplicedFlow::Phase::greeting) {
    ask_again(t, flow);
  } else {
    spliced.announcement.times_sent++;
    send_header(t, flow);
  }
}

// A packet that has been rewritten for its receiver: now in the numbers that the receiver knows.
template <class A>
void Director::splice(const Transit<A>& t, const Flow<A>& flow, Seen seen) const {
  if (t.is_later_fragment()) return;
  const SplicedFlow& spliced = spliced_[flow.spliced];
  const InsertedHeader& header = spliced.announcement.header;
  const bool is_request = seen == Seen::from_client;
  wire::MutableTcpView tcp(t.transport());
  wire::Sum change = is_request ? past_header_to_server(tcp, header) : past_header_to_client(tcp, header);
  if (spliced.is_greeted()) {
    change += is_request ? to_server(tcp, spliced.splice) : to_client(tcp, spliced.splice);
  }
  if (t.trace && header.is_in_connection() && !tcp.has(wire::tcp_flag::syn)) {
    t.trace->say(is_request ? "sequence numbers shifted by %u" : "acknowledgements shifted back by %u", header.length);
  }
  // A partial checksum covers the pseudo-header alone.
  if (t.frame.checksum == TransportChecksum::partial) return;
  tcp.set_checksum(wire::updated_checksum(tcp.checksum(), change));
}
template void Director::splice(const Transit<wire::Ipv4Address>&, const Flow<wire::Ipv4Address>&, Seen) const;
template void Director::splice(const Transit<wire::Ipv6Address>&, const Flow<wire::Ipv6Address>&, Seen) const;

// The TCP header that an ICMP error quotes, as far as it does, in the numbers of the packet's sender: by its sequence
// number a host knows an error about its own packets from a forged one (RFC 5927).
template <class A>
void Director::unsplice_quotation(const Flow<A>& flow, wire::MutableBytes quoted, bool is_about_reply) const {
  const SplicedFlow& spliced = spliced_[flow.spliced];
  const InsertedHeader& header = spliced.announcement.header;
  if (is_about_reply) {
    if (spliced.is_greeted()) unquote_to_client(quoted, spliced.splice);
    unquote_past_header_to_client(quoted, header);
  } else {
    if (spliced.is_greeted()) unquote_to_server(quoted, spliced.splice);
    unquote_past_header_to_server(quoted, header);
  }
}
template void Director::unsplice_quotation(const Flow<wire::Ipv4Address>&, wire::MutableBytes, bool) const;
template void Director::unsplice_quotation(const Flow<wire::Ipv6Address>&, wire::MutableBytes, bool) const;

}  // namespace sluice::director
