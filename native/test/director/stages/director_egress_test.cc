// SPDX-License-Identifier: Apache-2.0
// The NAT gateway: servers of 10.0.2.0/24 and 2001:db8:2::/64 open connections through an address of a pool.
#include "test/director/fixture.h"

using namespace sluice;
using namespace sluice::test;

namespace {

constexpr std::string_view public4 = "10.0.1.200", public6 = "2001:db8:1::200";
constexpr std::string_view remote4 = "198.51.100.7", remote6 = "2001:db8:f::7";
constexpr uint16_t first_port = 50000;

struct EgressFixture : Fixture {
  explicit EgressFixture(uint16_t ports = 1) {
    set_pool(2, {public4, public6}, first_port, static_cast<uint16_t>(first_port + ports - 1));
    director.set_egress({{address("10.0.2.0"), 24, 2}, {address("2001:db8:2::"), 64, 2}});
  }
};

PacketBuilder outwards(std::string_view remote = remote4, std::string_view inside = server4) {
  return from_server().ipv4({.source = inside, .destination = remote});
}
PacketBuilder outside(std::string_view remote = remote4) {
  return to_router().ipv4({.source = public4, .destination = remote, .ttl = 63});
}
PacketBuilder inwards(std::string_view remote = remote4) {
  return from_router().ipv4({.source = remote, .destination = public4});
}
PacketBuilder inside(std::string_view remote = remote4) {
  return to_server().ipv4({.source = remote, .destination = server4, .ttl = 63});
}
constexpr UdpLayer query{.source_port = 4000, .destination_port = 53};
constexpr UdpLayer query_out{.source_port = first_port, .destination_port = 53};
constexpr UdpLayer answer{.source_port = 53, .destination_port = first_port};
constexpr UdpLayer answer_in{.source_port = 53, .destination_port = 4000};

}  // namespace

TEST_CASE("a server opens connections over IPv4 and IPv6, and gets the answers") {
  EgressFixture f;
  const auto out6 = [] { return from_server().ipv6({.source = server6, .destination = remote6}); };
  const auto back6 = [] { return from_router().ipv6({.source = remote6, .destination = public6}); };
  f.run({
      {"UDP out",
       outwards().udp(query).payload("q").build(),
       Reason::egress_opened,
       {outside().udp(query_out).payload("q").build()}},
      {"UDP back",
       inwards().udp(answer).payload("a").build(),
       Reason::egress,
       {inside().udp(answer_in).payload("a").build()}},
      {"UDP out again",
       outwards().udp(query).payload("r").build(),
       Reason::egress,
       {outside().udp(query_out).payload("r").build()}},
      {"TCP out",
       outwards().tcp({.source_port = 4000, .destination_port = 443}).build(),
       Reason::egress_opened,
       {outside().tcp({.source_port = first_port, .destination_port = 443}).build()}},
      {"TCP back",
       inwards().tcp({.source_port = 443, .destination_port = first_port, .flags = SYN | ACK}).build(),
       Reason::egress,
       {inside().tcp({.source_port = 443, .destination_port = 4000, .flags = SYN | ACK}).build()}},
      {"UDP over IPv6 out",
       out6().udp(query).payload("q").build(),
       Reason::egress_opened,
       {to_router()
            .ipv6({.source = public6, .destination = remote6, .hop_limit = 63})
            .udp(query_out)
            .payload("q")
            .build()}},
      {"UDP over IPv6 back",
       back6().udp(answer).payload("a").build(),
       Reason::egress,
       {to_server()
            .ipv6({.source = remote6, .destination = server6, .hop_limit = 63})
            .udp(answer_in)
            .payload("a")
            .build()}},
  });
}

TEST_CASE("one place of the pool serves any number of remote hosts") {
  EgressFixture f;
  f.run({
      {"one host", outwards().udp(query).build(), Reason::egress_opened, {outside().udp(query_out).build()}},
      {"another",
       outwards("198.51.100.8").udp(query).build(),
       Reason::egress_opened,
       {outside("198.51.100.8").udp(query_out).build()}},
      {"the same host, from another port: no place is left",
       outwards().udp({.source_port = 4001, .destination_port = 53}).build(), Reason::pool_exhausted},
      {"the same host's other port",
       outwards().udp({.source_port = 4001, .destination_port = 54}).build(),
       Reason::egress_opened,
       {outside().udp({.source_port = first_port, .destination_port = 54}).build()}},
  });
  CHECK(f.pool_flows(2) == 3);
}

TEST_CASE("an idle egress flow ends, and its place is free again") {
  EgressFixture f;
  f.expect({"opens", outwards().udp(query).build(), Reason::egress_opened, {outside().udp(query_out).build()}});
  f.wait(299 * second);
  CHECK(f.pool_flows(2) == 1);
  f.expect({"a packet renews it", inwards().udp(answer).build(), Reason::egress, {inside().udp(answer_in).build()}});
  f.wait(299 * second);
  CHECK(f.pool_flows(2) == 1);
  f.wait(2 * second);
  CHECK(f.pool_flows(2) == 0);
  CHECK(f.receive(inwards().udp(answer).build()).decision.reason == Reason::port_unreachable);
}

TEST_CASE("packets of strangers, hairpins and the middle of connections do not pass the gateway") {
  EgressFixture f;
  director::Switches switches;
  switches.host_answers = false;
  f.director.set_switches(switches);
  f.run({
      {"a stranger calls the public address", inwards().udp(answer).build(), Reason::egress_unsolicited},
      {"a server calls the public address", outwards(public4).udp(query).build(), Reason::hairpin_refused},
      {"TCP without SYN", outwards().tcp({.destination_port = 443, .flags = ACK}).build(), Reason::egress_untracked},
      {"a host that is not behind the gateway", from_client().ipv4({.destination = remote4}).udp(query).build(),
       Reason::no_service},
      {"to this host", outwards("10.0.2.1").udp(query).build(), Reason::no_service},
      {"to a multicast group", outwards("224.0.0.251").udp(query).build(), Reason::no_service},
      {"to a network's broadcast address", outwards("10.0.1.255").udp(query).build(), Reason::no_service},
      {"to everybody", outwards("255.255.255.255").udp(query).build(), Reason::no_service},
      {"from the network's broadcast address", outwards(remote4, "10.0.2.255").udp(query).build(),
       Reason::martian_source},
      {"to an IPv6 group", from_server().ipv6({.source = server6, .destination = "ff05::1"}).udp(query).build(),
       Reason::no_service},
  });
  CHECK(f.flow_count() == 0);
}

TEST_CASE("a real server's packet without a flow gets one error, or passes without one") {
  Fixture f;
  director::Switches switches;
  switches.nat_icmp_send = true;
  f.director.set_switches(switches);
  f.add(tcp());
  f.add_server(tcp(), server4, 8080);
  const auto packet = [](uint8_t ttl, std::string_view destination = client4) {
    return ipv4({.source = server4, .destination = destination, .ttl = ttl}).tcp({.source_port = 8080, .flags = ACK});
  };
  const auto in = [&](const PacketBuilder& ip) {
    return ethernet({.source = server_mac, .destination = s0_mac, .type = wire::ethertype::ipv4})
        .payload(ip.build())
        .build();
  };
  const auto told = [](uint8_t type, uint8_t code, uint16_t id, const PacketBuilder& about) {
    return to_server()
        .ipv4({.source = "10.0.2.1", .destination = server4, .tos = 0xc0, .id = id})
        .icmp({.type = type, .code = code, .rest = 0})
        .payload(about.build())
        .build();
  };
  f.run({
      {"nobody there", in(packet(64)), Reason::real_server_told, {told(3, 3, 1, packet(63))}},
      {"its way ends here", in(packet(1)), Reason::ttl_exceeded, {told(11, 0, 2, packet(1))}},
      {"to this host itself", in(packet(1, "10.0.1.1")), Reason::no_service},
  });
  Network island = f.network;
  island.routes.clear();
  f.use(island);
  f.run({{"no way there",
          in(packet(64, "198.51.100.7")),
          Reason::no_route,
          {told(3, 0, 3, packet(64, "198.51.100.7"))}}});
}

TEST_CASE("strangers and hairpins get the errors that the gateway's host would send") {
  EgressFixture f;
  f.expect({"UDP from a stranger",
            inwards().udp(answer).build(),
            Reason::port_unreachable,
            {to_router()
                 .ipv4({.source = public4, .destination = remote4, .tos = 0xc0, .id = 1})
                 .icmp({.type = 3, .code = 3, .rest = 0})
                 .ipv4({.source = remote4, .destination = public4})
                 .udp(answer)
                 .build()}});
  f.expect({"TCP of a connection that the gateway does not know",
            inwards().tcp({.source_port = 443, .destination_port = 4000, .acknowledgement = 7, .flags = ACK}).build(),
            Reason::connection_reset,
            {to_router()
                 .ipv4({.source = public4, .destination = remote4, .dont_fragment = true})
                 .tcp({.source_port = 4000, .destination_port = 443, .sequence = 7, .flags = RST, .window = 0})
                 .build()}});
  CHECK(f.receive(outwards(public4).udp(query).build()).decision.reason == Reason::port_unreachable);
}

TEST_CASE("no egress flow is opened to a virtual address") {
  EgressFixture f;
  f.add(tcp());
  CHECK(f.receive(outwards(vip4).udp(query).build()).decision.reason == Reason::port_unreachable);
  CHECK(f.flow_count() == 0);
}

TEST_CASE("if the host has the pool's address, the host's packets pass to the host") {
  EgressFixture f;
  f.set_pool(2, {"10.0.1.1"}, first_port, first_port);
  f.run({
      {"SSH to the host", from_client().ipv4({.destination = "10.0.1.1"}).tcp({.destination_port = 22}).build(),
       Reason::no_service},
      {"out",
       outwards().udp(query).build(),
       Reason::egress_opened,
       {to_router().ipv4({.source = "10.0.1.1", .destination = remote4, .ttl = 63}).udp(query_out).build()}},
      {"back",
       from_router().ipv4({.source = remote4, .destination = "10.0.1.1"}).udp(answer).build(),
       Reason::egress,
       {inside().udp(answer_in).build()}},
  });
}

TEST_CASE("servers can ping through the gateway; the identifier is used as a port") {
  EgressFixture f;
  const auto echo = [](uint8_t type, uint32_t id) { return IcmpLayer{.type = type, .rest = id << 16 | 7}; };
  const auto out6 = [] { return from_server().ipv6({.source = server6, .destination = remote6}); };
  f.run({
      {"echo request",
       outwards().icmp(echo(8, 0x1111)).payload("ping").build(),
       Reason::egress_opened,
       {outside().icmp(echo(8, first_port)).payload("ping").build()}},
      {"echo reply",
       inwards().icmp(echo(0, first_port)).payload("ping").build(),
       Reason::egress,
       {inside().icmp(echo(0, 0x1111)).payload("ping").build()}},
      {"the next request",
       outwards().icmp(echo(8, 0x1111)).payload("pong").build(),
       Reason::egress,
       {outside().icmp(echo(8, first_port)).payload("pong").build()}},
      {"another ping to the same host: no place", outwards().icmp(echo(8, 0x2222)).build(), Reason::pool_exhausted},
      {"a reply that nobody asked for", inwards("198.51.100.9").icmp(echo(0, first_port)).build(),
       Reason::egress_unsolicited},
      {"a reply that is not the gateway's",
       from_router().ipv4({.source = remote4, .destination = "10.0.1.1"}).icmp(echo(0, 1)).build(),
       Reason::unrelated_icmp},
      {"a reply from a server", outwards().icmp(echo(0, 0x1111)).build(), Reason::unrelated_icmp},
      {"over IPv6",
       out6().icmpv6(echo(128, 0x1111)).payload("ping").build(),
       Reason::egress_opened,
       {to_router()
            .ipv6({.source = public6, .destination = remote6, .hop_limit = 63})
            .icmpv6(echo(128, first_port))
            .payload("ping")
            .build()}},
      {"and back",
       from_router()
           .ipv6({.source = remote6, .destination = public6})
           .icmpv6(echo(129, first_port))
           .payload("ping")
           .build(),
       Reason::egress,
       {to_server()
            .ipv6({.source = remote6, .destination = server6, .hop_limit = 63})
            .icmpv6(echo(129, 0x1111))
            .payload("ping")
            .build()}},
      {"the public address answers pings itself",
       inwards().icmp(echo(8, 5)).payload("hi").build(),
       Reason::echo_answered,
       {to_router()
            .ipv4({.source = public4, .destination = remote4, .ttl = 64, .id = 1})
            .icmp(echo(0, 5))
            .payload("hi")
            .build()}},
  });
  f.wait(61 * second);
  CHECK(f.flow_count() == 0);
  CHECK(f.pool_flows(2) == 0);
}

TEST_CASE("fragments of a long ping follow their first one in both directions") {
  EgressFixture f;
  const IcmpLayer ping{.type = 8, .rest = 0x1111'0001}, ping_out{.type = 8, .rest = uint32_t{first_port} << 16 | 1};
  constexpr ptrdiff_t headers = 14 + 20, cut = headers + 64;
  const auto head = [](const Buffer& whole) { return Buffer(whole.begin() + headers, whole.begin() + cut); };
  const auto tail = [](const Buffer& whole) { return Buffer(whole.begin() + cut, whole.end()); };
  const Buffer whole = outwards().icmp(ping).payload(Buffer(86, 3)).build(),
               whole_out = outside().icmp(ping_out).payload(Buffer(86, 3)).build();
  const auto piece = [](uint16_t offset) {
    return from_server().ipv4(
        {.source = server4, .destination = remote4, .id = 7, .offset = offset, .more = offset == 0, .protocol = 1});
  };
  const auto piece_out = [](uint16_t offset) {
    return to_router().ipv4({.source = public4,
                             .destination = remote4,
                             .ttl = 63,
                             .id = 7,
                             .offset = offset,
                             .more = offset == 0,
                             .protocol = 1});
  };
  f.run({
      {"the first piece",
       piece(0).payload(head(whole)).build(),
       Reason::egress_opened,
       {piece_out(0).payload(head(whole_out)).build()}},
      {"the second",
       piece(64).payload(tail(whole)).build(),
       Reason::fragment,
       {piece_out(64).payload(tail(whole_out)).build()}},
  });
}

TEST_CASE("a router's error reaches the server behind the gateway, with the router as its source") {
  EgressFixture f;
  const IcmpLayer exceeded{.type = 11, .code = 0, .rest = 0};
  const IcmpLayer ping{.type = 8, .rest = 0x1111'0001}, ping_out{.type = 8, .rest = uint32_t{first_port} << 16 | 1};
  f.run({
      {"UDP out", outwards().udp(query).build(), Reason::egress_opened, {outside().udp(query_out).build()}},
      {"time exceeded about it",
       from_router()
           .ipv4({.source = "203.0.113.9", .destination = public4})
           .icmp(exceeded)
           .ipv4({.source = public4, .destination = remote4, .ttl = 1})
           .udp({.source_port = first_port, .destination_port = 53, .checksum = 0x1234})
           .build(),
       Reason::related_error,
       {to_server()
            .ipv4({.source = "203.0.113.9", .destination = server4, .ttl = 63})
            .icmp(exceeded)
            .ipv4({.source = server4, .destination = remote4, .ttl = 1})
            .udp({.source_port = 4000, .destination_port = 53, .checksum = 0x1234})
            .build()}},
      {"ping out", outwards().icmp(ping).build(), Reason::egress_opened, {outside().icmp(ping_out).build()}},
      {"time exceeded about the ping",
       from_router()
           .ipv4({.source = "203.0.113.9", .destination = public4})
           .icmp(exceeded)
           .ipv4({.source = public4, .destination = remote4, .ttl = 1})
           .icmp(ping_out)
           .build(),
       Reason::related_error,
       {to_server()
            .ipv4({.source = "203.0.113.9", .destination = server4, .ttl = 63})
            .icmp(exceeded)
            .ipv4({.source = server4, .destination = remote4, .ttl = 1})
            .icmp(ping)
            .build()}},
      {"about a ping that nobody sent",
       from_router()
           .ipv4({.source = "203.0.113.9", .destination = public4})
           .icmp(exceeded)
           .ipv4({.source = public4, .destination = remote4, .ttl = 1})
           .icmp({.type = 8, .rest = 0x9999'0001})
           .build(),
       Reason::unrelated_icmp},
      {"an inner router's error about the answer: the remote host hears of it from the gateway",
       from_server()
           .ipv4({.source = "10.0.2.19", .destination = remote4})
           .icmp({.type = 3, .code = 3, .rest = 0})
           .ipv4({.source = remote4, .destination = server4})
           .udp({.source_port = 53, .destination_port = 4000, .checksum = 0x1234})
           .build(),
       Reason::related_error,
       {to_router()
            .ipv4({.source = public4, .destination = remote4, .ttl = 63})
            .icmp({.type = 3, .code = 3, .rest = 0})
            .ipv4({.source = remote4, .destination = public4})
            .udp({.source_port = 53, .destination_port = first_port, .checksum = 0x1234})
            .build()}},
  });
}

TEST_CASE("ICMPv6 errors about a ping through the gateway quote a packet with a right checksum") {
  EgressFixture f;
  const IcmpLayer exceeded{.type = 3, .code = 0, .rest = 0};
  const IcmpLayer ping{.type = 128, .rest = 0x1111'0001}, ping_out{.type = 128, .rest = uint32_t{first_port} << 16 | 1};
  f.run({
      {"ping out",
       from_server().ipv6({.source = server6, .destination = remote6}).icmpv6(ping).payload("x").build(),
       Reason::egress_opened,
       {to_router()
            .ipv6({.source = public6, .destination = remote6, .hop_limit = 63})
            .icmpv6(ping_out)
            .payload("x")
            .build()}},
      {"time exceeded",
       from_router()
           .ipv6({.source = "2001:db8:9::9", .destination = public6})
           .icmpv6(exceeded)
           .ipv6({.source = public6, .destination = remote6, .hop_limit = 1})
           .icmpv6(ping_out)
           .payload("x")
           .build(),
       Reason::related_error,
       {to_server()
            .ipv6({.source = "2001:db8:9::9", .destination = server6, .hop_limit = 63})
            .icmpv6(exceeded)
            .ipv6({.source = server6, .destination = remote6, .hop_limit = 1})
            .icmpv6(ping)
            .payload("x")
            .build()}},
  });
}

TEST_CASE("the gateway acts as a router: it decrements hop limits, respects MTUs and reports obstacles") {
  EgressFixture f;
  Network narrow = f.network;
  narrow.ports[c0].mtu = 600;
  f.use(narrow);
  const Buffer long_query = from_server()
                                .ipv4({.source = server4, .destination = remote4, .dont_fragment = true})
                                .udp(query)
                                .payload(Buffer(800))
                                .build();
  auto outcome = f.receive(long_query);
  CHECK(outcome.decision.reason == Reason::too_big);
  REQUIRE(outcome.out.size() == 1);
  wire::Packet told;
  REQUIRE(wire::dissect(outcome.out[0].frame, told) == wire::Malformed::ok);
  CHECK(wire::load_be16(&outcome.out[0].frame[told.l4 + 6]) == 600);
  outcome = f.receive(from_server().ipv4({.source = server4, .destination = remote4, .ttl = 1}).udp(query).build());
  CHECK(outcome.decision.reason == Reason::ttl_exceeded);
  outcome = f.receive(
      from_server().ipv4({.source = server4, .destination = remote4}).udp(query).payload(Buffer(800)).build());
  CHECK(outcome.decision.reason == Reason::egress);
  CHECK(outcome.out.size() == 2);
}
