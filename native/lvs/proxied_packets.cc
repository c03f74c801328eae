// SPDX-License-Identifier: Apache-2.0
// Packets of proxied flows (syn_proxy.h), each in the numbers that its receiver knows, and what their timers repeat.
#include "lvs/director.h"
#include "lvs/syn_proxy.h"
#include "wire/tcp.h"

namespace sluice::lvs {

std::optional<Time> Director::next_timer() const {
  const uint32_t place = proxied_.next_due();
  return place == ProxiedFlows::none ? std::nullopt : std::optional(proxied_[place].due);
}

// What was not answered is repeated, at most so many times; false when there is more to repeat.
bool Director::repeat_unanswered(Time now, uint32_t budget, TransmitQueue& out) {
  for (uint32_t done = 0;; done++) {
    const uint32_t place = proxied_.next_due();
    if (place == ProxiedFlows::none || proxied_[place].due > now) return true;
    if (done == budget) return false;
    proxied_.stop_waiting(place);
    if (proxied_[place].family == wire::Family::ipv4) {
      repeat_to_server<wire::Ipv4Address>(proxied_[place], now, out);
    } else {
      repeat_to_server<wire::Ipv6Address>(proxied_[place], now, out);
    }
  }
}

template <class A>
void Director::repeat_to_server(ProxiedFlow& proxied, Time now, TransmitQueue& out) {
  Flow<A>& flow = flows<A>().table().at(proxied.flow);
  // No packet has caused this: it leaves without tags but those of its port.
  Frame nothing;
  nothing.port = no_port_id;
  wire::Packet packet;
  packet.protocol = wire::protocol::tcp;
  Transit<A> t{nothing, packet, now, out, nullptr, flow.forward};
  if (proxied.phase == ProxiedFlow::Phase::greeting) {
    ask_again(t, flow);
  } else {
    proxied.announcement.times_sent++;
    send_header(t, flow);
  }
}

// A packet that has been rewritten for its receiver: now in the numbers that the receiver knows.
template <class A>
void Director::splice(const Transit<A>& t, const Flow<A>& flow, Seen seen) const {
  if (t.is_later_fragment()) return;
  const ProxiedFlow& proxied = proxied_[flow.proxied];
  const InsertedHeader& header = proxied.announcement.header;
  const bool is_request = seen == Seen::from_client;
  wire::MutableTcpView tcp(t.transport());
  wire::Sum change = is_request ? past_header_to_server(tcp, header) : past_header_to_client(tcp, header);
  if (proxied.is_greeted()) {
    change += is_request ? to_server(tcp, proxied.splice) : to_client(tcp, proxied.splice);
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
  const ProxiedFlow& proxied = proxied_[flow.proxied];
  const InsertedHeader& header = proxied.announcement.header;
  if (is_about_reply) {
    if (proxied.is_greeted()) unquote_to_client(quoted, proxied.splice);
    unquote_past_header_to_client(quoted, header);
  } else {
    if (proxied.is_greeted()) unquote_to_server(quoted, proxied.splice);
    unquote_past_header_to_server(quoted, header);
  }
}
template void Director::unsplice_quotation(const Flow<wire::Ipv4Address>&, wire::MutableBytes, bool) const;
template void Director::unsplice_quotation(const Flow<wire::Ipv6Address>&, wire::MutableBytes, bool) const;

}  // namespace sluice::lvs
