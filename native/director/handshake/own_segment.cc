// SPDX-License-Identifier: Apache-2.0
#include "director/handshake/own_segment.h"

#include <algorithm>

#include "director/tracking/flow_keeper.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"

namespace sluice::director {

namespace {

constexpr uint8_t own_hop_limit = 64;

}  // namespace

template <class A>
IpPacket write(const OwnSegment<A>& segment, uint8_t* to) {
  const A &source = segment.endpoints.source, &destination = segment.endpoints.destination;
  std::array<uint8_t, 20> options;
  wire::TcpFields fields;
  fields.source_port = segment.endpoints.source_port;
  fields.destination_port = segment.endpoints.destination_port;
  fields.sequence = segment.sequence;
  fields.acknowledgement = segment.acknowledgement;
  fields.flags = segment.flags;
  fields.window = segment.window;
  fields.options = {options.data(), write_syn_options(segment.options, options)};
  uint8_t* const tcp = to + ip_header_length<A>;
  const auto header = static_cast<uint32_t>(wire::emit(fields, tcp));
  std::copy(segment.payload.begin(), segment.payload.end(), tcp + header);
  const auto length = header + static_cast<uint32_t>(segment.payload.size());
  wire::MutableTcpView(wire::MutableBytes(tcp, length))
      .fill_checksum(wire::pseudo_header_sum(source, destination, wire::protocol::tcp, length));
  const uint32_t total = ip_header_length<A> + length;
  if constexpr (A::family == wire::Family::ipv4) {
    wire::Ipv4Fields ip;
    ip.total_length = static_cast<uint16_t>(total);
    ip.flags_and_offset = wire::Ipv4View::dont_fragment;  // never fragmented, so it needs no identification (RFC 6864)
    ip.ttl = own_hop_limit;
    ip.protocol = wire::protocol::tcp;
    ip.source = source;
    ip.destination = destination;
    wire::emit(ip, to);
  } else {
    wire::Ipv6Fields ip;
    ip.payload_length = static_cast<uint16_t>(length);
    ip.next_header = wire::protocol::tcp;
    ip.hop_limit = own_hop_limit;
    ip.source = source;
    ip.destination = destination;
    wire::emit(ip, to);
  }
  return {to, total, A::family};
}
template IpPacket write(const OwnSegment<wire::Ipv4Address>&, uint8_t*);
template IpPacket write(const OwnSegment<wire::Ipv6Address>&, uint8_t*);

template <class A>
std::optional<Reason> send_own(Transmitter& transmitter, Transit<A>& t, const OwnSegment<A>& segment,
                               const NextHop& hop, const Flow<A>* told) {
  if (hop.state == HopState::no_neighbour) {
    transmitter.ask_neighbour(hop, t.now, t.frame, t.packet, t.out);
    return Reason::no_neighbour;
  }
  if (hop.state != HopState::reachable) return Reason::no_route;
  uint8_t* buffer = transmitter.take_buffer(longest_own_segment);
  if (buffer == nullptr) return Reason::out_of_buffers;
  IpPacket packet = write(segment, buffer);
  if (told != nullptr && (told->flags & flow_flag::tells_client) != 0) {
    const bool tells = insert_toa(packet, ip_header_length<A>, told->client(), told->client_port(), hop.mtu, false);
    if (t.trace)
      t.trace->say(tells ? "a TCP option tells the client's address" : "no room to tell the client's address");
  }
  Frame frame;
  frame.port = t.frame.port;
  return transmitter.send(frame, t.packet, packet, hop, t.out);
}

template std::optional<Reason> send_own(Transmitter&, Transit<wire::Ipv4Address>&, const OwnSegment<wire::Ipv4Address>&,
                                        const NextHop&, const Flow<wire::Ipv4Address>*);
template std::optional<Reason> send_own(Transmitter&, Transit<wire::Ipv6Address>&, const OwnSegment<wire::Ipv6Address>&,
                                        const NextHop&, const Flow<wire::Ipv6Address>*);

}  // namespace sluice::director
