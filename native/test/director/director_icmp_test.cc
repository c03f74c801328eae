// SPDX-License-Identifier: Apache-2.0
// What the director answers or translates besides connections: ICMP errors, echo, ARP and neighbour discovery; and what
// it answers to nobody.
#include "director/fixture.h"

using namespace sluice;
using namespace sluice::test;

namespace {

constexpr std::string_view broadcast_mac = "ff:ff:ff:ff:ff:ff";

PacketBuilder to_everybody(std::string_view destination) {
  return ethernet({.source = client_mac, .destination = destination});
}

// The client's packet as a tunnel's router quotes it: without the outer headers a plain request.
PacketBuilder& request(PacketBuilder& builder) {
  return builder.ipv4({.ttl = 63, .dont_fragment = true}).tcp({.source_port = 1234, .checksum = 0x1234});
}

}  // namespace

TEST_CASE("ICMPv6 errors about NAT's packets are translated both ways") {
  Fixture f;
  f.add(tcp(vip6));
  f.add_server(tcp(vip6), server6, 8080);
  f.expect({"SYN",
            from_client().ipv6({.source = client6, .destination = vip6}).tcp({.source_port = 1234}).build(),
            Reason::scheduled,
            {to_server()
                 .ipv6({.source = client6, .destination = server6, .hop_limit = 63})
                 .tcp({.source_port = 1234, .destination_port = 8080})
                 .build()}});
  const IcmpLayer unreachable{.type = 1, .code = 3, .rest = 0};
  f.run({
      {"from the server: the client hears of it from the virtual address",
       from_server()
           .ipv6({.source = server6, .destination = client6})
           .icmpv6(unreachable)
           .ipv6({.source = client6, .destination = server6})
           .tcp({.source_port = 1234, .destination_port = 8080, .checksum = 1})
           .build(),
       Reason::related_error,
       {to_client()
            .ipv6({.source = vip6, .destination = client6, .hop_limit = 63})
            .icmpv6(unreachable)
            .ipv6({.source = client6, .destination = vip6})
            .tcp({.source_port = 1234, .destination_port = 80, .checksum = 1})
            .build()}},
      {"from a router on the client's way: the server hears of it from that router",
       from_router()
           .ipv6({.source = "2001:db8:9::7", .destination = vip6})
           .icmpv6(unreachable)
           .ipv6({.source = vip6, .destination = client6})
           .tcp({.source_port = 80, .destination_port = 1234, .checksum = 1})
           .build(),
       Reason::related_error,
       {to_server()
            .ipv6({.source = "2001:db8:9::7", .destination = server6, .hop_limit = 63})
            .icmpv6(unreachable)
            .ipv6({.source = server6, .destination = client6})
            .tcp({.source_port = 8080, .destination_port = 1234, .checksum = 1})
            .build()}},
      {"about nothing that is known",
       from_router()
           .ipv6({.source = "2001:db8:9::7", .destination = vip6})
           .icmpv6(unreachable)
           .ipv6({.source = vip6, .destination = client6})
           .tcp({.source_port = 80, .destination_port = 999})
           .build(),
       Reason::unrelated_icmp},
  });
}

TEST_CASE("errors about tunnelled packets reach the client in its own terms, the tunnel's headers off the MTU") {
  struct Kind {
    const char* what;
    lvs::Tunnel tunnel;
    uint32_t headers;
    std::function<void(PacketBuilder&)> wrap;
  };
  const Kind kinds[] = {
      {"IP in IP", {}, 20, [](PacketBuilder&) {}},
      {"GUE",
       {.encapsulation = Encapsulation::gue, .port = 6080},
       32,
       [](PacketBuilder& b) { b.udp({.destination_port = 6080, .checksum = 0}).gue(); }},
      {"GRE", {.encapsulation = Encapsulation::gre}, 24, [](PacketBuilder& b) { b.gre(); }},
      {"GRE with a checksum",
       {.encapsulation = Encapsulation::gre, .checksum = true},
       28,
       [](PacketBuilder& b) { b.gre({.checksum = true}); }},
  };
  for (const Kind& kind : kinds) {
    INFO(kind.what);
    Fixture f;
    f.add(tcp());
    f.add_server(tcp(), server4, 80, {.forwarding = Forwarding::tunnel, .tunnel = kind.tunnel});
    CHECK(f.receive(from_client().ipv4().tcp({.source_port = 1234}).build()).decision.reason == Reason::scheduled);
    const auto error = [&](IcmpLayer layer) {
      PacketBuilder builder = from_server();
      builder.ipv4({.source = "10.0.2.19", .destination = "10.0.2.1"})
          .icmp(layer)
          .ipv4({.source = "10.0.2.1", .destination = server4});
      kind.wrap(builder);
      return request(builder).build();
    };
    const auto told = [](IcmpLayer layer, uint16_t id) {
      PacketBuilder builder = to_client();
      builder.ipv4({.source = vip4, .destination = client4, .tos = 0xc0, .id = id}).icmp(layer);
      return request(builder).build();
    };
    // The director's own identifications count on: the outer header of the first packet had number one.
    f.run({
        {"fragmentation needed",
         error({.type = 3, .code = 4, .rest = 1400}),
         Reason::tunnel_error,
         {told({.type = 3, .code = 4, .rest = 1400 - kind.headers}, 2)}},
        {"host unreachable",
         error({.type = 3, .code = 1, .rest = 0}),
         Reason::tunnel_error,
         {told({.type = 3, .code = 1, .rest = 0}, 3)}},
    });
    // What the router said counts from now on: 1,400 less the headers, less 20 and 20.
    const uint32_t room = 1400 - kind.headers - 40;
    const auto data = [](size_t size) {
      return from_client()
          .ipv4({.dont_fragment = true})
          .tcp({.source_port = 1234, .flags = ACK})
          .payload(Buffer(size))
          .build();
    };
    CHECK(f.receive(data(room)).decision.reason == Reason::established);
    CHECK(f.receive(data(room + 1)).decision.reason == Reason::too_big);
  }
}

TEST_CASE("an error that only looks like a tunnel's is not") {
  Fixture f;
  f.add(tcp());
  f.add_server(tcp(), server4, 80, {.forwarding = Forwarding::tunnel});
  f.receive(from_client().ipv4().tcp({.source_port = 1234}).build());
  const auto error = [](std::string_view server, uint16_t port) {
    return from_server()
        .ipv4({.source = "10.0.2.19", .destination = "10.0.2.1"})
        .icmp({.type = 3, .code = 1, .rest = 0})
        .ipv4({.source = "10.0.2.1", .destination = server})
        .ipv4()
        .tcp({.source_port = port})
        .build();
  };
  f.run({
      {"to a server that is none", error("10.0.2.99", 1234), Reason::unrelated_icmp},
      {"about a flow that is none", error(server4, 999), Reason::unrelated_icmp},
  });
}

TEST_CASE("a virtual address answers echo") {
  Fixture f;
  f.add(tcp(vip4));
  f.add(tcp(vip6));
  f.run({
      {"IPv4",
       from_client().ipv4({.ttl = 3, .id = 77}).icmp().payload("ping").build(),
       Reason::echo_answered,
       {to_client().ipv4({.source = vip4, .destination = client4, .id = 1}).icmp({.type = 0}).payload("ping").build()}},
      {"IPv6",
       from_client().ipv6({.source = client6, .destination = vip6}).icmpv6().payload("ping").build(),
       Reason::echo_answered,
       {to_client().ipv6({.source = vip6, .destination = client6}).icmpv6({.type = 129}).payload("ping").build()}},
      {"a wrong checksum", from_client().ipv4().icmp({.checksum = 1}).build(), Reason::bad_icmp_checksum},
      {"an address that is none of ours", from_client().ipv4({.destination = "10.0.1.99"}).icmp().build(),
       Reason::unrelated_icmp},
      {"a multicast sender", from_client().ipv4({.source = "224.0.0.1"}).icmp().build(), Reason::martian_source},
      {"nowhere to answer to: a neighbour that is not known",
       from_client().ipv4({.source = "10.0.1.77"}).icmp().build(), Reason::no_neighbour},
      {"another kind of question", from_client().ipv4().icmp({.type = 13}).build(), Reason::unrelated_icmp},
  });
}

TEST_CASE("ARP for virtual and local addresses is answered, and nothing else") {
  Fixture f;
  f.add(tcp(vip4));
  f.set_pool(1, {"10.0.2.200", "10.0.2.1"}, 1024, 1024);
  const auto who_has = [](std::string_view target, std::string_view sender) {
    return to_everybody(broadcast_mac).arp({.sender_mac = client_mac, .sender = sender, .target = target}).build();
  };
  const auto is_at = [](std::string_view sender, std::string_view target) {
    return to_client()
        .arp({.operation = 2, .sender_mac = c0_mac, .sender = sender, .target_mac = client_mac, .target = target})
        .build();
  };
  const Buffer question = who_has(vip4, client4);
  f.run({
      {"a virtual address", who_has(vip4, client4), Reason::arp_answered, {is_at(vip4, client4)}},
      {"a probe before an address is taken", who_has(vip4, "0.0.0.0"), Reason::arp_answered, {is_at(vip4, "0.0.0.0")}},
      {"by unicast",
       from_client().arp({.sender_mac = client_mac, .sender = client4, .target = vip4}).build(),
       Reason::arp_answered,
       {is_at(vip4, client4)}},
      {"padded",
       to_everybody(broadcast_mac).arp({.sender_mac = client_mac, .sender = client4, .target = vip4}).build_padded(),
       Reason::arp_answered,
       {is_at(vip4, client4)}},
      {"an announcement of it by another", who_has(vip4, vip4), Reason::not_ip},
      {"a reply", to_everybody(broadcast_mac).arp({.operation = 2, .target = vip4}).build(), Reason::not_ip},
      {"the host's own address", who_has("10.0.1.1", client4), Reason::not_ip},
      {"another's", who_has("10.0.1.99", client4), Reason::not_ip},
      {"a pool's address", who_has("10.0.2.200", client4), Reason::arp_answered, {is_at("10.0.2.200", client4)}},
      {"a pool's address that the host has", who_has("10.0.2.1", client4), Reason::not_ip},
      {"cut short", Buffer(question.begin(), question.begin() + 30), Reason::not_ip},
  });
}

TEST_CASE("neighbour solicitations for virtual addresses are answered") {
  Fixture f;
  f.add(tcp(vip6));
  constexpr std::string_view group = "ff02::1:ff00:100", group_mac = "33:33:ff:00:01:00";
  const auto who_has = [](PacketBuilder builder, std::string_view source, std::string_view destination,
                          uint8_t hops = 255, std::string_view target = vip6) {
    return builder.ipv6({.source = source, .destination = destination, .hop_limit = hops})
        .neighbour({.target = target, .link_address = client_mac})
        .build();
  };
  const auto is_at = [](std::string_view to, std::string_view link, uint8_t flags) {
    return ethernet({.source = c0_mac, .destination = link})
        .ipv6({.source = vip6, .destination = to, .hop_limit = 255})
        .neighbour({.type = 136, .flags = flags, .target = vip6, .link_address = c0_mac})
        .build();
  };
  Buffer probe = to_everybody(group_mac)
                     .ipv6({.source = "::", .destination = group, .hop_limit = 255})
                     .icmpv6({.type = 135, .rest = 0})
                     .payload(hex("20010db8000100000000000000000100"))
                     .build();
  f.run({
      {"by multicast",
       who_has(to_everybody(group_mac), client6, group),
       Reason::neighbour_answered,
       {is_at(client6, client_mac, 0x60)}},
      {"by unicast, to see whether it is still there",
       who_has(from_client(), client6, vip6),
       Reason::neighbour_answered,
       {is_at(client6, client_mac, 0x60)}},
      {"duplicate address detection: answered to all",
       probe,
       Reason::neighbour_answered,
       {is_at("ff02::1", "33:33:00:00:00:01", 0x20)}},
      {"from beyond a router", who_has(to_everybody(group_mac), client6, group, 254), Reason::martian_ttl},
      {"another's address", who_has(to_everybody(group_mac), client6, group, 255, "2001:db8:1::99"),
       Reason::not_addressed_here},
      {"an advertisement",
       to_everybody("33:33:00:00:00:01")
           .ipv6({.source = client6, .destination = "ff02::1", .hop_limit = 255})
           .neighbour({.type = 136, .target = vip6})
           .build(),
       Reason::not_addressed_here},
      {"a router solicitation",
       to_everybody("33:33:00:00:00:02")
           .ipv6({.source = client6, .destination = "ff02::2", .hop_limit = 255})
           .icmpv6({.type = 133, .rest = 0})
           .build(),
       Reason::not_addressed_here},
      {"in a fragment",
       to_everybody(group_mac)
           .ipv6({.source = client6, .destination = group, .hop_limit = 255})
           .fragment({.offset = 8, .next_header = 58})
           .build(),
       Reason::not_addressed_here},
  });
}

TEST_CASE("sources that no host can have open no flow") {
  for (const std::string_view source : {"0.0.0.0", "127.0.0.1", "224.0.0.1", "239.255.255.250", "255.255.255.255",
                                        "10.0.1.255", "10.0.1.1", "10.0.1.100", "10.0.2.200"}) {
    Fixture f;
    f.add(tcp());
    f.add_server(tcp(), server4, 80);
    f.set_pool(1, {"10.0.2.200"}, 1024, 1024);
    f.run({{source.data(), from_client().ipv4({.source = source}).tcp().build(), Reason::martian_source}});
    CHECK(f.flow_count() == 0);
  }
  for (const std::string_view source :
       {"::", "::1", "ff02::1", "::ffff:10.0.1.2", "2001:db8:1::1", "2001:db8:1::100"}) {
    Fixture f;
    f.add(tcp(vip6));
    f.add_server(tcp(vip6), server6, 80);
    f.run({{source.data(), from_client().ipv6({.source = source, .destination = vip6}).tcp().build(),
            Reason::martian_source}});
    CHECK(f.flow_count() == 0);
  }
}

TEST_CASE("what is addressed to many, or to others, is not the director's") {
  Fixture f;
  f.add(tcp());
  f.add_server(tcp(), server4, 80);
  f.run({
      {"a broadcast frame", to_everybody(broadcast_mac).ipv4().tcp().build(), Reason::not_addressed_here},
      {"a multicast frame", to_everybody("01:00:5e:00:00:01").ipv4({.destination = "224.0.0.1"}).udp().build(),
       Reason::not_addressed_here},
      {"another host's", to_everybody(server_mac).ipv4().tcp().build(), Reason::not_addressed_here},
      {"another host's, malformed", to_everybody(server_mac).ipv4({.header_words = 4}).tcp().build(),
       Reason::not_addressed_here},
      {"a broadcast frame, malformed", to_everybody(broadcast_mac).ipv4({.version = 5}).tcp().build(),
       Reason::not_addressed_here},
      {"a frame cut within the addresses", Buffer(10, 0xff), Reason::truncated},
      {"a group in a frame for this host", from_client().ipv4({.destination = "224.0.0.1"}).udp().build(),
       Reason::no_service},
      {"everybody in a frame for this host", from_client().ipv4({.destination = "255.255.255.255"}).udp().build(),
       Reason::no_service},
      {"no IP", ethernet({.destination = c0_mac, .type = 0x88cc}).payload("lldp").build(), Reason::not_ip},
      {"another protocol", from_client().ipv4({.protocol = 89}).payload("ospf").build(), Reason::other_protocol},
  });
}

TEST_CASE("a next hop without a link-layer address is asked for, once a second") {
  Fixture f;
  f.add(tcp());
  f.add_server(tcp(), "10.0.2.77", 80);
  const Buffer syn = from_client().ipv4().tcp().build();
  const Buffer who_has = ethernet({.source = s0_mac, .destination = broadcast_mac})
                             .arp({.sender_mac = s0_mac, .sender = "10.0.2.1", .target = "10.0.2.77"})
                             .build();
  f.run({{"the first", syn, Reason::no_neighbour, {who_has}}, {"at once again", syn, Reason::no_neighbour}});
  f.wait(second);
  f.run({{"a second later", syn, Reason::no_neighbour, {who_has}}});
}

TEST_CASE("the way of an error is asked for where nothing else asks: replies of direct routing go past the director") {
  Fixture f;
  f.add(tcp());
  f.add_server(tcp(), server4, 80, {.forwarding = Forwarding::dr});
  const Buffer dying = from_client().ipv4({.source = "10.0.1.77", .ttl = 1}).tcp().build();
  const Buffer who_has = ethernet({.source = c0_mac, .destination = broadcast_mac})
                             .arp({.sender_mac = c0_mac, .sender = "10.0.1.1", .target = "10.0.1.77"})
                             .build();
  f.run({{"no error can leave yet", dying, Reason::ttl_exceeded, {who_has}}});
}
