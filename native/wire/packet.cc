// SPDX-License-Identifier: Apache-2.0
#include "wire/packet.h"

#include "wire/ethernet.h"
#include "wire/icmp.h"
#include "wire/icmpv6.h"
#include "wire/plain.h"
#include "wire/sctp.h"
#include "wire/tcp.h"
#include "wire/udp.h"
#include "wire/vlan.h"

namespace sluice::wire {

namespace {

// A whole packet must hold what its lengths say; a quotation is only the beginning of a packet.
enum class Completeness : bool { whole, quoted };

Malformed fail(Packet& out, Malformed reason) {
  return out.malformed = reason;
}

void set_ports(const uint8_t* at, Packet& out) {
  out.source_port = load_be16(at);
  out.destination_port = load_be16(at + 2);
  out.has_ports = true;
}

Malformed dissect_tcp(Bytes segment, Packet& out) {
  const auto tcp = TcpView::parse(segment);
  if (!tcp) return fail(out, tcp.reason());
  out.tcp_flags = tcp->flags();
  out.payload = static_cast<uint16_t>(out.l4 + tcp->header_length());
  return Malformed::ok;
}

// The length field of a first fragment counts the whole datagram, so it may exceed the fragment.
Malformed dissect_udp(Bytes segment, Packet& out) {
  if (segment.size() < UdpView::header_length) return fail(out, Malformed::truncated);
  const size_t length = load_be16(segment.data() + 4);
  out.payload = static_cast<uint16_t>(out.l4 + UdpView::header_length);
  if (length < UdpView::header_length) return fail(out, Malformed::length_lies);
  if (length > segment.size() && out.fragment == Fragment::none) return fail(out, Malformed::length_lies);
  return Malformed::ok;
}

Malformed dissect_fixed(Bytes segment, size_t header_length, Packet& out) {
  if (segment.size() < header_length) return fail(out, Malformed::truncated);
  out.payload = static_cast<uint16_t>(out.l4 + header_length);
  return Malformed::ok;
}

Malformed dissect_whole_transport(Bytes segment, Packet& out) {
  switch (out.protocol) {
    case protocol::tcp:
      return dissect_tcp(segment, out);
    case protocol::udp:
      return dissect_udp(segment, out);
    case protocol::sctp:
      return dissect_fixed(segment, SctpView::header_length, out);
    case protocol::icmp:
      return dissect_fixed(segment, IcmpView::header_length, out);
    case protocol::icmpv6:
      return dissect_fixed(segment, Icmpv6View::header_length, out);
    default:
      return Malformed::ok;
  }
}

void dissect_quoted_transport(Bytes segment, Packet& out) {
  constexpr size_t tcp_flags_offset = 13;
  size_t header_length = 0;
  switch (out.protocol) {
    case protocol::tcp:
      if (segment.size() > tcp_flags_offset) out.tcp_flags = segment[tcp_flags_offset];
      header_length = segment.size() > tcp_flags_offset ? (segment[12] >> 4) * 4u : TcpView::minimum_header_length;
      break;
    case protocol::udp:
      header_length = UdpView::header_length;
      break;
    case protocol::sctp:
      header_length = SctpView::header_length;
      break;
    case protocol::icmp:
    case protocol::icmpv6:
      header_length = IcmpView::header_length;
      break;
  }
  out.payload = static_cast<uint16_t>(out.l4 + header_length);
}

// `segment` begins at out.l4 and ends with the IP packet.
Malformed dissect_transport(Bytes segment, Completeness completeness, Packet& out) {
  out.payload = out.l4;
  if (out.fragment == Fragment::later) return Malformed::ok;
  const bool ported = out.protocol == protocol::tcp || out.protocol == protocol::udp || out.protocol == protocol::sctp;
  if (ported && segment.size() >= 4) set_ports(segment.data(), out);
  if (completeness == Completeness::quoted) {
    dissect_quoted_transport(segment, out);
    return ported && !out.has_ports ? fail(out, Malformed::truncated) : Malformed::ok;
  }
  const Malformed reason = dissect_whole_transport(segment, out);
  const bool cut_by_fragmentation =
      out.fragment == Fragment::first && (reason == Malformed::truncated || reason == Malformed::header_beyond_packet);
  return cut_by_fragmentation ? fail(out, Malformed::tiny_fragment) : reason;
}

Malformed set_fragment(Packet& out, size_t offset, bool more, uint32_t id, size_t data_length) {
  out.fragment = offset == 0 ? Fragment::first : Fragment::later;
  out.fragment_offset = static_cast<uint16_t>(offset);
  out.more_fragments = more;
  out.fragment_id = id;
  return offset + data_length > Ipv4View::maximum_length ? fail(out, Malformed::fragment_overflow) : Malformed::ok;
}

// `bytes` begins at out.l3.
Malformed dissect_ipv4(Bytes bytes, Completeness completeness, Packet& out) {
  const auto ip = completeness == Completeness::whole ? Ipv4View::parse(bytes) : Ipv4View::parse_quoted(bytes);
  if (!ip) return fail(out, ip.reason());
  out.ip_version = 4;
  out.l3_length = ip->total_length();
  out.l4 = static_cast<uint16_t>(out.l3 + ip->header_length());
  out.payload = out.l4;
  out.protocol = ip->protocol();
  if (!ipv4_options_ok(ip->options())) return fail(out, Malformed::bad_option);
  if (ip->is_fragment()) {
    const Malformed reason = set_fragment(out, ip->fragment_offset(), ip->has_more_fragments(), ip->id(),
                                          ip->total_length() - ip->header_length());
    if (reason != Malformed::ok) return reason;
  }
  return dissect_transport(ip->payload(), completeness, out);
}

Malformed dissect_ipv6(Bytes bytes, Completeness completeness, Packet& out) {
  const auto ip = completeness == Completeness::whole ? Ipv6View::parse(bytes) : Ipv6View::parse_quoted(bytes);
  if (!ip) return fail(out, ip.reason());
  out.ip_version = 6;
  out.l3_length = static_cast<uint32_t>(Ipv6View::header_length + ip->payload_length());
  Ipv6Chain chain;
  const Malformed reason = walk_extension_headers(*ip, chain);
  out.protocol = chain.protocol;
  out.l4 = static_cast<uint16_t>(out.l3 + chain.transport);
  out.payload = out.l4;
  if (chain.fragment_header != 0) {
    out.fragment_header = static_cast<uint16_t>(out.l3 + chain.fragment_header);
    const Malformed overflow = set_fragment(out, chain.fragment_offset, chain.more_fragments, chain.fragment_id,
                                            out.l3_length - chain.transport);
    if (overflow != Malformed::ok) return overflow;
  }
  if (reason != Malformed::ok) return fail(out, reason);
  return dissect_transport(ip->bytes().subspan(chain.transport), completeness, out);
}

Malformed dissect_network(Bytes bytes, Completeness completeness, Packet& out) {
  if (bytes.empty()) return fail(out, Malformed::truncated);
  switch (bytes[0] >> 4) {
    case 4:
      out.ethertype = ethertype::ipv4;
      return dissect_ipv4(bytes, completeness, out);
    case 6:
      out.ethertype = ethertype::ipv6;
      return dissect_ipv6(bytes, completeness, out);
    default:
      return fail(out, Malformed::bad_version);
  }
}

// For all frames that are not plain, and for plain-looking frames that is() refused.
[[gnu::noinline]] Malformed dissect_any(Bytes frame, Packet& out) {
  const auto ethernet = EthernetView::parse(frame);
  if (!ethernet) return fail(out, ethernet.reason());
  out.l3 = EthernetView::header_length;
  out.ethertype = ethernet->type();
  while (is_vlan_type(out.ethertype) && out.vlan_count < Packet::maximum_vlan_tags) {
    const auto tag = VlanView::parse(frame.subspan(out.l3));
    if (!tag) return fail(out, tag.reason());
    out.vlan_tpid[out.vlan_count] = out.ethertype;
    out.vlan_tci[out.vlan_count++] = tag->tci();
    out.l3 += VlanView::header_length;
    out.ethertype = tag->type();
  }
  if (out.ethertype == ethertype::ipv4) return dissect_ipv4(frame.subspan(out.l3), Completeness::whole, out);
  if (out.ethertype == ethertype::ipv6) return dissect_ipv6(frame.subspan(out.l3), Completeness::whole, out);
  return Malformed::ok;
}

template <class A>
void dissect_plain(const uint8_t* frame, Packet& out) {
  const PlainFrame<A> plain(frame);
  out.l3_length = plain.l3_length();
  out.l3 = static_cast<uint16_t>(plain.l3);
  out.l4 = static_cast<uint16_t>(plain.l4);
  out.payload = static_cast<uint16_t>(plain.payload());
  out.ethertype = plain.is_v4 ? ethertype::ipv4 : ethertype::ipv6;
  out.source_port = plain.source_port();
  out.destination_port = plain.destination_port();
  out.ip_version = plain.is_v4 ? 4 : 6;
  out.protocol = plain.protocol();
  if (out.protocol == protocol::tcp) out.tcp_flags = plain.tcp_flags();
  out.has_ports = true;
}

}  // namespace

Malformed dissect(Bytes frame, Packet& out) {
  out = Packet{};
  const auto length = static_cast<uint32_t>(frame.size());
  if (PlainFrame<Ipv4Address>::is(frame.data(), length)) {
    dissect_plain<Ipv4Address>(frame.data(), out);
  } else if (PlainFrame<Ipv6Address>::is(frame.data(), length)) {
    dissect_plain<Ipv6Address>(frame.data(), out);
  } else {
    return dissect_any(frame, out);
  }
  return Malformed::ok;
}

Malformed dissect_ip(Bytes packet, Packet& out) {
  out = Packet{};
  return dissect_network(packet, Completeness::whole, out);
}

Malformed dissect_quoted(Bytes packet, Packet& out) {
  out = Packet{};
  return dissect_network(packet, Completeness::quoted, out);
}

}  // namespace sluice::wire
