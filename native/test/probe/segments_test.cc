// SPDX-License-Identifier: Apache-2.0
#include "probe/segments.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>

#include "wire/gre.h"
#include "wire/gue.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"
#include "wire/udp.h"

using namespace sluice;
using probe::Wrapping;

namespace {

wire::Address address(const char* text) {
  return wire::parse_address(text).value();
}

const probe::Ends ends4 = {address("10.9.0.1"), address("198.51.100.10"), 40000, 80};
const probe::Ends ends6 = {address("2001:db8:9::1"), address("2001:db8:f::10"), 40000, 80};

probe::TrafficWay way(Wrapping wrapping, const char* server, bool has_checksum) {
  return {*probe::SocketAddress::parse(server, 0), wrapping, 6080, has_checksum};
}

bool is_tcp_sum_ok(wire::Bytes tcp, wire::Sum pseudo_header) {
  return wire::fold(wire::sum_bytes(tcp, pseudo_header)) == 0xffff;
}

}  // namespace

TEST_CASE("a SYN is a whole packet with right checksums") {
  const probe::Packet packet4 = probe::segment_of(ends4, wire::tcp_flag::syn, 7);
  const auto ip4 = wire::Ipv4View::parse(packet4);
  REQUIRE(ip4);
  CHECK(ip4->is_checksum_ok());
  CHECK(ip4->bytes().size() == packet4.size());
  CHECK(is_tcp_sum_ok(ip4->payload(), wire::pseudo_header_sum(ip4->source(), ip4->destination(), wire::protocol::tcp,
                                                              static_cast<uint32_t>(ip4->payload().size()))));
  const auto tcp = wire::TcpView::parse(ip4->payload());
  REQUIRE(tcp);
  CHECK(tcp->sequence() == 7);
  CHECK(tcp->header_length() == 24);

  const probe::Packet packet6 = probe::segment_of(ends6, wire::tcp_flag::rst, 8);
  const auto ip6 = wire::Ipv6View::parse(packet6);
  REQUIRE(ip6);
  CHECK(ip6->bytes().size() == packet6.size());
  CHECK(is_tcp_sum_ok(ip6->payload(), wire::pseudo_header_sum(ip6->source(), ip6->destination(), wire::protocol::tcp,
                                                              static_cast<uint32_t>(ip6->payload().size()))));
}

TEST_CASE("a packet is wrapped as the tunnel wants it") {
  const probe::Packet inner4 = probe::segment_of(ends4, wire::tcp_flag::syn, 7);
  const probe::Packet inner6 = probe::segment_of(ends6, wire::tcp_flag::syn, 7);
  CHECK(probe::wrap(inner4, way(Wrapping::ipip, "10.9.0.2", false), ends4.local, 1).protocol == wire::protocol::ipip);
  CHECK(probe::wrap(inner6, way(Wrapping::ipip, "10.9.0.2", false), ends4.local, 1).protocol == wire::protocol::ipv6);

  const auto with_sum = probe::wrap(inner4, way(Wrapping::gre, "10.9.0.2", true), ends4.local, 1);
  const auto gre = wire::GreView::parse(with_sum.payload);
  REQUIRE(gre);
  CHECK(with_sum.protocol == wire::protocol::gre);
  CHECK(gre->has_checksum());
  CHECK(gre->is_checksum_ok());
  CHECK(std::ranges::equal(gre->payload(), inner4));

  const auto datagram = probe::wrap(inner6, way(Wrapping::gue, "2001:db8:9::2", false), ends6.local, 4711);
  const auto udp = wire::UdpView::parse(datagram.payload);
  REQUIRE(udp);
  CHECK(datagram.protocol == wire::protocol::udp);
  CHECK(udp->source_port() == 4711);
  CHECK(udp->destination_port() == 6080);
  // Without it no host takes a datagram of IPv6.
  const auto sum = wire::pseudo_header_sum(ends6.local.v6(), address("2001:db8:9::2").v6(), wire::protocol::udp,
                                           static_cast<uint32_t>(datagram.payload.size()));
  CHECK(wire::fold(wire::sum_bytes(datagram.payload, sum)) == 0xffff);
  const auto gue = wire::GueView::parse(udp->payload());
  REQUIRE(gue);
  CHECK(gue->protocol() == wire::protocol::ipv6);
  CHECK(std::ranges::equal(gue->payload(), inner6));
}

TEST_CASE("what has arrived is told by the connection's ends") {
  // The other side's ends are these, turned around.
  const probe::Ends theirs = {ends4.service, ends4.local, 80, 40000};
  const auto answer = probe::arrived(probe::segment_of(theirs, wire::tcp_flag::syn | wire::tcp_flag::ack, 1));
  REQUIRE(answer);
  CHECK(answer->ends == ends4);
  CHECK(answer->flags == (wire::tcp_flag::syn | wire::tcp_flag::ack));
  CHECK(answer->error == 0);

  // An ICMP error quotes the connection's own segment, wrapped or not.
  const probe::Packet sent = probe::segment_of(ends4, wire::tcp_flag::syn, 7);
  const probe::Packet wrapped_segment = probe::wrap(sent, way(Wrapping::gre, "10.9.0.2", true), ends4.local, 1).payload;
  const auto unreachable = [](uint8_t code, const probe::Packet& quoted) {
    probe::Packet packet(wire::Ipv4View::minimum_header_length + 8);
    packet.insert(packet.end(), quoted.begin(), quoted.end());
    wire::emit(wire::Ipv4Fields{.total_length = static_cast<uint16_t>(packet.size()),
                                .protocol = wire::protocol::icmp,
                                .source = address("10.9.0.2").v4(),
                                .destination = ends4.local.v4()},
               packet.data());
    packet[20] = wire::icmp_type::unreachable;
    packet[21] = code;
    return packet;
  };
  probe::Packet outer(wire::Ipv4View::minimum_header_length);
  outer.insert(outer.end(), wrapped_segment.begin(), wrapped_segment.end());
  wire::emit(wire::Ipv4Fields{.total_length = static_cast<uint16_t>(outer.size()),
                              .protocol = wire::protocol::gre,
                              .source = ends4.local.v4(),
                              .destination = address("10.9.0.2").v4()},
             outer.data());
  for (const probe::Packet& quoted : {sent, outer}) {
    const auto error = probe::arrived(unreachable(wire::icmp_code::host, quoted));
    REQUIRE(error);
    CHECK(error->ends == ends4);
    CHECK(error->error == EHOSTUNREACH);
    CHECK(error->quoted_sequence == 7);
    CHECK_FALSE(probe::arrived(unreachable(wire::icmp_code::fragmentation_needed, quoted)));
  }

  const probe::Packet whole = probe::segment_of(theirs, wire::tcp_flag::rst, 1);
  for (size_t length = 0; length < whole.size(); length++) {
    CHECK_FALSE(probe::arrived(wire::Bytes(whole).first(length)));
  }
}
