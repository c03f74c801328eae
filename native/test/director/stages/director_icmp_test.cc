// SPDX-License-Identifier: Apache-2.0
// Packets that the director answers or translates beside connections: ICMP errors, echo, ARP and neighbour discovery;
// and packets that it does not answer.
#include "test/director/fixture.h"

using namespace sluice;
using namespace sluice::test;

namespace {

constexpr std::string_view broadcast_mac = "ff:ff:ff:ff:ff:ff";

PacketBuilder to_everybody(std::string_view destination) {
  return ethernet({.source = client_mac, .destination = destination});
}

// The client's packet as a router within a tunnel quotes it. Without the outer headers it is a plain request.
PacketBuilder& request(PacketBuilder& builder) {
  return builder.ipv4({.ttl = 63, .dont_fragment = true}).tcp({.source_port = 1234, .checksum = 0x1234});
}

}  // namespace

TEST_CASE("ICMPv6 errors about packets of NAT flows are translated in both directions") {
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

TEST_CASE("errors about tunnelled packets are translated for the client, with the tunnel's headers off the MTU") {
  struct Kind {
    const char* what;
    director::Tunnel tunnel;
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
    // The director's identifications count up: the outer header of the first packet had number one.
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
    // From now on the router's MTU applies: 1,400 less the headers, less 20 and 20.
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

TEST_CASE("an error that only resembles a tunnel's error is not translated") {
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

TEST_CASE("a virtual address answers echo requests") {
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
      {"another kind of question", from_client().ipv4().icmp({.type = 13}).build(), Reason::unrelated_icmp},
  });
}

TEST_CASE("an echo reply to an unknown neighbour asks for the neighbour") {
  constexpr std::string_view neighbour6 = "2001:db8:1::77", group = "ff02::1:ff00:77";
  Fixture f;
  f.add(tcp(vip4));
  f.add(tcp(vip6));
  const Buffer echo = from_client().ipv4({.source = "10.0.1.77"}).icmp().build();
  const Buffer echo6 = from_client().ipv6({.source = neighbour6, .destination = vip6}).icmpv6().build();
  const Buffer who_has = ethernet({.source = c0_mac, .destination = broadcast_mac})
                             .arp({.sender_mac = c0_mac, .sender = "10.0.1.1", .target = "10.0.1.77"})
                             .build();
  const Buffer who_has6 = ethernet({.source = c0_mac, .destination = "33:33:ff:00:00:77"})
                              .ipv6({.source = "2001:db8:1::1", .destination = group, .hop_limit = 255})
                              .neighbour({.target = neighbour6, .link_address = c0_mac})
                              .build();
  f.run({
      {"a wrong checksum", from_client().ipv4({.source = "10.0.1.77"}).icmp({.checksum = 1}).build(),
       Reason::bad_icmp_checksum},
      {"IPv4", echo, Reason::no_neighbour, {who_has}},
      {"at once again", echo, Reason::no_neighbour},
      {"IPv6", echo6, Reason::no_neighbour, {who_has6}},
  });
  Network resolved = f.network;
  resolved.neighbours.push_back({address("10.0.1.77"), mac(client_mac), c0});
  f.use(resolved);
  f.run({{"when the neighbour has answered",
          echo,
          Reason::echo_answered,
          {to_client().ipv4({.source = vip4, .destination = "10.0.1.77", .id = 1}).icmp({.type = 0}).build()}}});
}

TEST_CASE("ARP requests for virtual and local addresses are answered, and no others") {
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
      {"an announcement of it by another", who_has(vip4, vip4), Reason::address_taken},
      {"an answer for it by another",
       to_everybody(broadcast_mac).arp({.operation = 2, .sender = vip4, .target = "10.0.1.1"}).build(),
       Reason::address_taken},
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
      {"an advertisement from beyond a router",
       to_everybody("33:33:00:00:00:01")
           .ipv6({.source = client6, .destination = "ff02::1", .hop_limit = 254})
           .neighbour({.type = 136, .target = vip6})
           .build(),
       Reason::not_addressed_here},
      {"an advertisement",
       to_everybody("33:33:00:00:00:01")
           .ipv6({.source = client6, .destination = "ff02::1", .hop_limit = 255})
           .neighbour({.type = 136, .target = vip6})
           .build(),
       Reason::address_taken},
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

TEST_CASE("schedule_icmp: an error about a reply without a known flow opens the flow and goes to its real server") {
  constexpr std::string_view local4 = "10.0.2.200";
  Fixture f;
  f.set_pool(1, {local4}, 40000, 40010);
  director::ServiceSettings settings;
  settings.pool = 1;
  settings.one_packet = true;
  for (const auto& key : {tcp(), udp()}) {
    f.add(key, settings);
    f.add_server(key, server4, 8080, {.forwarding = Forwarding::fullnat});
  }
  director::Switches switches;
  switches.schedule_icmp = true;
  const IcmpLayer unreachable{.type = 3, .code = 3, .rest = 0};
  const auto about = [&](uint16_t client, uint16_t service_port = 80, std::string_view from = client4,
                         std::string_view to = client4) {
    return from_client()
        .ipv4({.source = from, .destination = vip4})
        .icmp(unreachable)
        .ipv4({.source = vip4, .destination = to})
        .tcp({.source_port = service_port, .destination_port = client, .checksum = 1})
        .build();
  };
  const auto told = [&](uint16_t local_port) {
    return to_server()
        .ipv4({.source = local4, .destination = server4, .ttl = 63})
        .icmp(unreachable)
        .ipv4({.source = server4, .destination = local4})
        .tcp({.source_port = 8080, .destination_port = local_port, .checksum = 1})
        .build();
  };
  SUBCASE("not if the switch is off") {
    f.run({{"", about(1), Reason::unrelated_icmp}});
    CHECK(f.flow_count() == 0);
  }
  SUBCASE("the flow lives for three seconds") {
    f.director.set_switches(switches);
    const Outcome outcome = f.receive(about(1));
    CHECK(outcome.decision.reason == Reason::related_error);
    REQUIRE(outcome.out.size() == 1);
    const uint16_t local_port = wire::load_be16(outcome.out[0].frame.data() + 14 + 20 + 8 + 20 + 2);
    CHECK(outcome.out[0].frame == told(local_port));
    CHECK(f.server_of(tcp(), server4).counters.connections == 1);
    f.run({{"the next one is of that flow", about(1), Reason::related_error, {told(local_port)}}});
    CHECK(f.flow_count() == 1);
    f.wait(4 * second);
    CHECK(f.flow_count() == 0);
    CHECK(f.pool_flows(1) == 0);
  }
  SUBCASE("only for this error if the service keeps no flows") {
    f.director.set_switches(switches);
    const Buffer error = from_client()
                             .ipv4()
                             .icmp(unreachable)
                             .ipv4({.source = vip4, .destination = client4})
                             .udp({.source_port = 53, .destination_port = 1})
                             .build();
    CHECK(f.receive(error).decision.reason == Reason::related_error);
    CHECK(f.flow_count() == 0);
    CHECK(f.pool_flows(1) == 0);
  }
  SUBCASE("not if no service or server fits, or the packet is not for this host") {
    f.director.set_switches(switches);
    f.run({
        {"another port", about(1, 99), Reason::unrelated_icmp},
        {"from nobody", about(1, 80, "127.0.0.1"), Reason::martian_source},
        {"about nobody", about(1, 80, client4, "127.0.0.1"), Reason::martian_source},
        {"FTP's data", about(20), Reason::ftp_data},
    });
    f.remove_server(tcp(), server4, 8080);
    f.run({{"no real server: nobody is told", about(1), Reason::no_real_server}});
    CHECK(f.flow_count() == 0);
  }
  SUBCASE("not with the SYN proxy") {
    f.director.set_switches(switches);
    settings.syn_proxy = director::SynProxy::automatic;
    CHECK(f.director.services().edit_service(tcp(), settings) == director::EditResult::done);
    f.run({{"", about(1), Reason::unrelated_icmp}});
    CHECK(f.flow_count() == 0);
  }
}

TEST_CASE("a source that cannot be a host opens no flow") {
  for (const std::string_view source : {"0.0.0.0", "127.0.0.1", "224.0.0.1", "239.255.255.250", "255.255.255.255",
                                        "10.0.1.1", "10.0.1.100", "10.0.2.200"}) {
    Fixture f;
    f.add(tcp());
    f.add_server(tcp(), server4, 80);
    f.set_pool(1, {"10.0.2.200"}, 1024, 1024);
    f.run({{source.data(), from_client().ipv4({.source = source}).tcp().build(), Reason::martian_source}});
    CHECK(f.flow_count() == 0);
  }
  for (const std::string_view source : {"::", "::1", "ff02::1"}) {
    Fixture f;
    f.add(tcp(vip6));
    f.add_server(tcp(vip6), server6, 80);
    f.run({{source.data(), from_client().ipv6({.source = source, .destination = vip6}).tcp().build(),
            Reason::martian_source}});
    CHECK(f.flow_count() == 0);
  }
}

// lab/ipvs-oracle/scenarios/tunnel/martian-sources and ipv6/martian-sources
TEST_CASE("unusual sources that the kernel accepts open a flow, but get no answer") {
  for (const std::string_view source : {"10.0.1.255", "10.0.2.255", "10.0.1.0", "0.1.2.3", "240.0.0.1"}) {
    Fixture f;
    f.add(tcp());
    f.add_server(tcp(), server4, 80);
    f.expect({source.data(),
              from_client().ipv4({.source = source}).tcp().build(),
              Reason::scheduled,
              {to_server().ipv4({.source = source, .destination = server4, .ttl = 63}).tcp().build()}});
  }
  for (const std::string_view source : {"2001:db8:1::1", "2001:db8:2::1", "2001:db8:1::100", "::ffff:10.0.1.2"}) {
    INFO(source);
    Fixture f;
    f.add(tcp(vip6));
    f.add_server(tcp(vip6), server6, 80);
    const auto syn = [&](uint16_t port) {
      return from_client().ipv6({.source = source, .destination = vip6}).tcp({.destination_port = port}).build();
    };
    CHECK(f.receive(syn(80)).decision.reason == Reason::scheduled);
    f.run({{"no service", syn(81), Reason::no_service},
           {"echo", from_client().ipv6({.source = source, .destination = vip6}).icmpv6().build(),
            Reason::martian_source}});
    f.remove_server(tcp(vip6), server6, 80);
    f.run({{"no real server", syn(80), Reason::server_removed}});
  }
  director::ServiceSettings proxied;
  proxied.syn_proxy = director::SynProxy::on;
  Fixture f;
  f.add(tcp(vip6), proxied);
  f.add_server(tcp(vip6), server6, 80);
  f.run({{"the SYN proxy would have to answer",
          from_client().ipv6({.source = "2001:db8:1::1", .destination = vip6}).tcp().build(), Reason::martian_source}});
}

TEST_CASE("packets to many hosts, or to other hosts, are not the director's") {
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
      {"another protocol", from_client().ipv4({.destination = "10.0.1.99", .protocol = 89}).payload("ospf").build(),
       Reason::other_protocol},
  });
}

TEST_CASE("the link-layer address of a next hop is asked for once a second") {
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

TEST_CASE("if a sender must get an error and its link-layer address is unknown, the address is asked for") {
  Fixture f;
  f.add(tcp());
  f.add_server(tcp(), server4, 80, {Forwarding::tunnel});
  const auto to_service = [](size_t size) {
    return from_client()
        .ipv4({.source = "10.0.1.77", .dont_fragment = true})
        .tcp({.source_port = 1234, .flags = size == 0 ? SYN : ACK})
        .payload(Buffer(size))
        .build();
  };
  f.receive(to_service(0));
  const Buffer who_has = ethernet({.source = c0_mac, .destination = broadcast_mac})
                             .arp({.sender_mac = c0_mac, .sender = "10.0.1.1", .target = "10.0.1.77"})
                             .build();
  f.run({{"too long for the tunnel", to_service(1460), Reason::too_big, {who_has}}});
  Network known = f.network;
  known.neighbours.push_back({address("10.0.1.77"), mac(client_mac), c0});
  f.use(known);
  const Outcome told = f.receive(to_service(1460));
  REQUIRE(told.out.size() == 1);
  CHECK(wire::describe(told.out[0].frame).find("need to frag (mtu 1480)") != std::string::npos);
}

TEST_CASE("addresses that are introduced are asked for and announced, where they are virtual ones") {
  Fixture f;
  f.add(tcp(vip4));
  f.add(tcp(vip6));
  director::TransmitQueue out;
  f.director.introduce(std::array{address(vip4), address("10.0.1.77")}, out);
  std::vector<std::string> sent;
  for (const auto& entry : out.entries()) {
    if (entry.frame.port == c0) sent.push_back(wire::describe({entry.frame.data, entry.frame.length}));
  }
  REQUIRE(sent.size() == 2);
  CHECK(sent[0].find("who-has 10.0.1.100 tell 10.0.1.1") != std::string::npos);
  CHECK(sent[1].find("10.0.1.100") != std::string::npos);
}

TEST_CASE("the owners of virtual addresses are asked for, and a host that answers is noted as a conflict") {
  Fixture f;
  f.add(tcp(vip4));
  f.add(tcp(vip6));
  f.add(tcp("192.0.2.1"));  // in no network of this host
  director::TransmitQueue out;
  f.director.introduce(std::array{address(vip4), address(vip6), address("192.0.2.1")}, out);
  std::vector<std::string> asked;
  for (const auto& entry : out.entries()) {
    const std::string text = wire::describe({entry.frame.data, entry.frame.length});
    if (text.find("tell 10.0.1.1,") == std::string::npos && text.find("who has") == std::string::npos) continue;
    CHECK(entry.frame.port == c0);
    asked.push_back(text);
  }
  std::sort(asked.begin(), asked.end());
  REQUIRE(asked.size() == 2);
  CHECK(asked[0].find("who-has 10.0.1.100 tell 10.0.1.1") != std::string::npos);
  CHECK(asked[1].find("who has 2001:db8:1::100") != std::string::npos);
  CHECK(f.director.conflicts().empty());

  const Buffer answer = ethernet({.source = "02:00:00:00:00:66", .destination = c0_mac})
                            .arp({.operation = 2, .sender_mac = "02:00:00:00:00:66", .sender = vip4})
                            .build();
  f.receive(answer);
  f.wait(second);
  f.receive(answer);
  REQUIRE(f.director.conflicts().size() == 1);
  const director::AddressConflict& conflict = f.director.conflicts()[0];
  CHECK(conflict.address == address(vip4));
  CHECK(conflict.mac == mac("02:00:00:00:00:66"));
  CHECK(conflict.last == f.now);
}

TEST_CASE("a packet whose next hop is being resolved stays unchanged, in both directions") {
  Fixture f;
  f.add(tcp());
  f.add_server(tcp(), server4, 8080);
  const Buffer syn = from_client().ipv4({.source = "10.0.1.77"}).tcp({.source_port = 1234}).build();
  REQUIRE(f.receive(syn).decision.reason == Reason::scheduled);
  const Buffer reply = from_server()
                           .ipv4({.source = server4, .destination = "10.0.1.77"})
                           .tcp({.source_port = 8080, .destination_port = 1234, .flags = SYN | ACK})
                           .build();
  f.add(udp());
  f.add_server(udp(), "10.0.2.77", 53);
  const Buffer request = from_client().ipv4().udp({.destination_port = 53}).build();
  for (const auto& [bytes, port] : {std::pair{reply, s0}, {request, c0}}) {
    Buffer room = Buffer(director::required_headroom) + bytes;
    director::Frame frame;
    frame.data = room.data() + director::required_headroom;
    frame.length = static_cast<uint32_t>(bytes.size());
    frame.port = port;
    director::TransmitQueue out;
    CHECK(f.director.receive(frame, f.now, out).reason == Reason::no_neighbour);
    CHECK(Buffer(frame.data, frame.data + frame.length) == bytes);
  }
}
