// SPDX-License-Identifier: Apache-2.0
// FULLNAT changes both addresses, so that replies come back from anywhere. TOA tells the real server the client's
// address.
#include "test/director/fixture.h"

using namespace sluice;
using namespace sluice::test;

namespace {

constexpr uint16_t local_port = 40000;
constexpr std::string_view local4 = "10.0.2.200", local6 = "2001:db8:2::200";

director::ServiceSettings with_pool(bool toa = false) {
  director::ServiceSettings settings;
  settings.pool = 1;
  settings.toa = toa;
  return settings;
}

// A FULLNAT service of each family with one real server and a pool of one place.
struct FullnatFixture : Fixture {
  explicit FullnatFixture(bool toa = false, uint16_t last_port = local_port) {
    set_pool(1, {local4, local6}, local_port, last_port);
    for (const auto& [key, host] : {std::pair{tcp(vip4), server4},
                                    {udp(vip4), server4},
                                    {sctp(vip4), server4},
                                    {tcp(vip6), server6},
                                    {udp(vip6), server6}}) {
      add(key, with_pool(toa));
      add_server(key, host, 8080, {Forwarding::fullnat});
    }
  }
};

PacketBuilder request4(TcpLayer layer, uint8_t ttl = 64) {
  layer.source_port = 1234;
  return from_client().ipv4({.source = client4, .destination = vip4, .ttl = ttl}).tcp(layer);
}
PacketBuilder request4_out(TcpLayer layer, uint16_t port = local_port) {
  layer.source_port = port;
  layer.destination_port = 8080;
  return to_server().ipv4({.source = local4, .destination = server4, .ttl = 63}).tcp(layer);
}
PacketBuilder reply4(TcpLayer layer) {
  layer.source_port = 8080;
  layer.destination_port = local_port;
  return from_server().ipv4({.source = server4, .destination = local4}).tcp(layer);
}
PacketBuilder reply4_out(TcpLayer layer) {
  layer.source_port = 80;
  layer.destination_port = 1234;
  return to_client().ipv4({.source = vip4, .destination = client4, .ttl = 63}).tcp(layer);
}
// Kind 254, port 1234, 10.0.1.2.
const Buffer toa4 = hex("fe 08 04d2 0a000102");
const Buffer toa6 = hex("fe 14 04d2 20010db8000100000000000000000002");

}  // namespace

TEST_CASE("FULLNAT changes both ends of an IPv4 TCP connection, in both directions") {
  FullnatFixture f;
  f.run({
      {"SYN", request4({}).build(), Reason::scheduled, {request4_out({}).build()}},
      {"SYN-ACK",
       reply4({.sequence = 9, .acknowledgement = 2, .flags = SYN | ACK}).build(),
       Reason::reply,
       {reply4_out({.sequence = 9, .acknowledgement = 2, .flags = SYN | ACK}).build()}},
      {"data with options",
       request4({.sequence = 2, .flags = ACK | PSH, .options = hex("01010101")}).payload("hello").build(),
       Reason::established,
       {request4_out({.sequence = 2, .flags = ACK | PSH, .options = hex("01010101")}).payload("hello").build()}},
      {"data of odd length back",
       reply4({.flags = ACK}).payload("odd").build(),
       Reason::reply,
       {reply4_out({.flags = ACK}).payload("odd").build()}},
  });
  CHECK(f.server_of(tcp(), server4).active == 1);
}

TEST_CASE("FULLNAT changes both ends of IPv6 connections, and of UDP and SCTP flows") {
  FullnatFixture f;
  const auto in6 = [] { return from_client().ipv6({.source = client6, .destination = vip6}); };
  const auto out6 = [] { return to_server().ipv6({.source = local6, .destination = server6, .hop_limit = 63}); };
  const auto back6 = [] { return from_server().ipv6({.source = server6, .destination = local6}); };
  const auto home6 = [] { return to_client().ipv6({.source = vip6, .destination = client6, .hop_limit = 63}); };
  const auto in4 = [] { return from_client().ipv4({.source = client4, .destination = vip4}); };
  const auto out4 = [] { return to_server().ipv4({.source = local4, .destination = server4, .ttl = 63}); };
  const auto back4 = [] { return from_server().ipv4({.source = server4, .destination = local4}); };
  const auto home4 = [] { return to_client().ipv4({.source = vip4, .destination = client4, .ttl = 63}); };
  const ChunkLayer init = {.type = wire::sctp_chunk::init, .value = Buffer(16)};
  f.run({
      {"TCP over IPv6",
       in6().tcp({.source_port = 1234}).build(),
       Reason::scheduled,
       {out6().tcp({.source_port = local_port, .destination_port = 8080}).build()}},
      {"its answer",
       back6().tcp({.source_port = 8080, .destination_port = local_port, .flags = SYN | ACK}).build(),
       Reason::reply,
       {home6().tcp({.source_port = 80, .destination_port = 1234, .flags = SYN | ACK}).build()}},
      {"UDP over IPv6",
       in6().udp({.source_port = 1234, .destination_port = 53}).payload("q").build(),
       Reason::scheduled,
       {out6().udp({.source_port = local_port, .destination_port = 8080}).payload("q").build()}},
      {"its answer",
       back6().udp({.source_port = 8080, .destination_port = local_port}).payload("a").build(),
       Reason::reply,
       {home6().udp({.source_port = 53, .destination_port = 1234}).payload("a").build()}},
      {"UDP over IPv4",
       in4().udp({.source_port = 1234, .destination_port = 53}).payload("q").build(),
       Reason::scheduled,
       {out4().udp({.source_port = local_port, .destination_port = 8080}).payload("q").build()}},
      {"SCTP: its CRC is computed anew",
       in4().sctp({.source_port = 1234}).chunk(init).build(),
       Reason::scheduled,
       {out4().sctp({.source_port = local_port, .destination_port = 8080}).chunk(init).build()}},
      {"its answer",
       back4().sctp({.source_port = 8080, .destination_port = local_port}).chunk({.value = hex("00")}).build(),
       Reason::reply,
       {home4().sctp({.source_port = 5001, .destination_port = 1234}).chunk({.value = hex("00")}).build()}},
  });
}

TEST_CASE("FULLNAT without a free place refuses a flow, and the place of an ended flow is free again") {
  FullnatFixture f;
  const Buffer second_client = from_client().ipv4({.source = "10.0.1.3"}).tcp({.source_port = 99}).build();
  const Buffer second_out = to_server()
                                .ipv4({.source = local4, .destination = server4, .ttl = 63})
                                .tcp({.source_port = local_port, .destination_port = 8080})
                                .build();
  f.run({
      {"the first takes the only place", request4({}).build(), Reason::scheduled, {request4_out({}).build()}},
      {"the second finds none", second_client, Reason::pool_exhausted},
  });
  CHECK(f.pool_flows(1) == 1);
  CHECK(f.server_of(tcp(), server4).counters.connections == 1);
  f.expect({"the server resets", reply4({.flags = RST}).build(), Reason::reply, {reply4_out({.flags = RST}).build()}});
  f.wait(11 * second);
  CHECK(f.flow_count() == 0);
  CHECK(f.pool_flows(1) == 0);
  f.expect({"now there is room", second_client, Reason::scheduled, {second_out}});
}

TEST_CASE("one place can be used towards different real servers") {
  FullnatFixture f;
  f.add_server(tcp(), "10.0.2.12", 8080, {Forwarding::fullnat});
  CHECK(f.receive(from_client().ipv4().tcp({.source_port = 1}).build()).decision.reason == Reason::scheduled);
  CHECK(f.receive(from_client().ipv4().tcp({.source_port = 2}).build()).decision.reason == Reason::scheduled);
  CHECK(f.receive(from_client().ipv4().tcp({.source_port = 3}).build()).decision.reason == Reason::pool_exhausted);
  CHECK(f.pool_flows(1) == 2);
}

TEST_CASE("after a pool was removed, its flows go on and no new one is opened") {
  FullnatFixture f;
  f.expect({"with the pool", request4({}).build(), Reason::scheduled, {request4_out({}).build()}});
  f.set_pool(1, {}, local_port, local_port);
  f.run({
      {"its flow lives on",
       request4({.flags = ACK}).build(),
       Reason::established,
       {request4_out({.flags = ACK}).build()}},
      {"its replies too", reply4({.flags = ACK}).build(), Reason::reply, {reply4_out({.flags = ACK}).build()}},
      {"no new flow", from_client().ipv4().tcp({.source_port = 2}).build(), Reason::pool_missing},
  });
  CHECK(f.pool_flows(1) == 1);
  f.run({{"the client resets",
          request4({.flags = RST}).build(),
          Reason::established,
          {request4_out({.flags = RST}).build()}}});
  f.wait(11 * second);
  CHECK(f.pool_flows(1) == 0);
}

TEST_CASE("after a change of a pool, new flows get the new ports and addresses, and old flows keep theirs") {
  constexpr std::string_view next4 = "10.0.2.201";
  FullnatFixture f;
  f.receive(request4({}).build());
  const auto who_has = [&](std::string_view target) {
    return f
        .receive(ethernet({.source = server_mac, .destination = "ff:ff:ff:ff:ff:ff"})
                     .arp({.sender_mac = server_mac, .sender = server4, .target = target})
                     .build(),
                 {.port = s0})
        .decision.reason;
  };
  const auto syn_from = [](uint16_t port) {
    return from_client().ipv4().tcp({.source_port = port, .destination_port = 80}).build();
  };
  const auto leaves_from = [](std::string_view local, uint16_t client_port, uint16_t port) {
    return Step{"a new flow",
                from_client().ipv4().tcp({.source_port = client_port}).build(),
                Reason::scheduled,
                {to_server()
                     .ipv4({.source = local, .destination = server4, .ttl = 63})
                     .tcp({.source_port = port, .destination_port = 8080})
                     .build()}};
  };
  f.set_pool(1, {local4}, 50000, 50000);
  f.expect(leaves_from(local4, 2, 50000));
  CHECK(f.receive(syn_from(3)).decision.reason == Reason::pool_exhausted);
  f.set_pool(1, {next4}, 60000, 60000);
  f.expect(leaves_from(next4, 4, 60000));
  f.run({{"the first flow goes on",
          request4({.flags = ACK}).build(),
          Reason::established,
          {request4_out({.flags = ACK}).build()}},
         {"both ways", reply4({.flags = ACK}).build(), Reason::reply, {reply4_out({.flags = ACK}).build()}}});
  CHECK(f.pool_flows(1) == 3);
  CHECK(who_has(local4) == Reason::arp_answered);
  CHECK(who_has(next4) == Reason::arp_answered);
  f.wait(1000 * second);
  CHECK(f.pool_flows(1) == 0);
  CHECK(who_has(local4) == Reason::not_ip);
  CHECK(who_has(next4) == Reason::arp_answered);
  f.set_pool(1, {local4}, local_port, local_port);
  f.expect(leaves_from(local4, 1234, local_port));
  CHECK(f.pool_flows(1) == 1);
}

TEST_CASE("a flow is refused with a reason if the pool has no address of its family") {
  Fixture f;
  f.set_pool(1, {local6}, 1, 2);
  f.add(tcp(), with_pool());
  f.add_server(tcp(), server4, 80, {Forwarding::fullnat});
  f.expect({"IPv4 in a pool of IPv6", from_client().ipv4().tcp().build(), Reason::pool_missing});
}

TEST_CASE("packets of the client have TOA until the server has sent more than a SYN-ACK") {
  FullnatFixture f(true);
  const Buffer mss = hex("02 04 05b4");
  f.run({
      {"SYN: before its own options",
       request4({.options = mss}).build(),
       Reason::scheduled,
       {request4_out({.options = toa4 + mss}).build()}},
      {"SYN again",
       request4({.options = mss}).build(),
       Reason::established,
       {request4_out({.options = toa4 + mss}).build()}},
      {"SYN-ACK", reply4({.flags = SYN | ACK}).build(), Reason::reply, {reply4_out({.flags = SYN | ACK}).build()}},
      {"the ACK that completes the handshake",
       request4({.sequence = 2, .flags = ACK}).build(),
       Reason::established,
       {request4_out({.sequence = 2, .flags = ACK, .options = toa4}).build()}},
      {"data while the server is silent: the ACK may be lost",
       request4({.sequence = 2, .flags = ACK}).payload("GET").build(),
       Reason::established,
       {request4_out({.sequence = 2, .flags = ACK, .options = toa4}).payload("GET").build()}},
      {"the server acknowledges", reply4({.flags = ACK}).build(), Reason::reply, {reply4_out({.flags = ACK}).build()}},
      {"from now on without",
       request4({.sequence = 5, .flags = ACK}).payload("more").build(),
       Reason::established,
       {request4_out({.sequence = 5, .flags = ACK}).payload("more").build()}},
  });
}

TEST_CASE("TOA works with IPv6 addresses") {
  FullnatFixture f(true);
  f.expect({"SYN",
            from_client().ipv6({.source = client6, .destination = vip6}).tcp({.source_port = 1234}).build(),
            Reason::scheduled,
            {to_server()
                 .ipv6({.source = local6, .destination = server6, .hop_limit = 63})
                 .tcp({.source_port = local_port, .destination_port = 8080, .options = toa6})
                 .build()}});
}

TEST_CASE("TOA is left out if it does not fit") {
  FullnatFixture f(true);
  const Buffer full_options(36, 1), nearly_full(1460);
  f.run({
      {"SYN with 36 bytes of options",
       request4({.options = full_options}).build(),
       Reason::scheduled,
       {request4_out({.options = full_options}).build()}},
      {"a segment that fills the MTU",
       request4({.flags = ACK}).payload(nearly_full).build(),
       Reason::established,
       {request4_out({.flags = ACK}).payload(nearly_full).build()}},
      {"a segment that leaves eight bytes",
       request4({.flags = ACK}).payload(Buffer(1452)).build(),
       Reason::established,
       {request4_out({.flags = ACK, .options = toa4}).payload(Buffer(1452)).build()}},
  });
}

TEST_CASE("TOA keeps a partial checksum partial") {
  FullnatFixture f(true);
  f.expect({"SYN",
            request4({.sum = Sum::partial}).build(),
            Reason::scheduled,
            {request4_out({.options = toa4, .sum = Sum::partial}).build()},
            {.checksum = TransportChecksum::partial}});
}

TEST_CASE("a service without TOA, and UDP, carry no option") {
  FullnatFixture f(true);
  f.expect({"UDP",
            from_client().ipv4().udp({.source_port = 1234, .destination_port = 53}).payload("q").build(),
            Reason::scheduled,
            {to_server()
                 .ipv4({.source = local4, .destination = server4, .ttl = 63})
                 .udp({.source_port = local_port, .destination_port = 8080})
                 .payload("q")
                 .build()}});
}

TEST_CASE("ICMP errors find FULLNAT flows from both sides") {
  FullnatFixture f;
  f.expect({"SYN", request4({}).build(), Reason::scheduled, {request4_out({}).build()}});
  const auto unreachable = IcmpLayer{.type = 3, .code = 1, .rest = 0};
  // The quoted checksum belongs to the sender's packet: it is quoted unchanged.
  f.run({
      {"about the request, from a router among the servers: the client hears of it from the virtual address",
       from_server()
           .ipv4({.source = "10.0.2.19", .destination = local4})
           .icmp(unreachable)
           .ipv4({.source = local4, .destination = server4, .ttl = 62})
           .tcp({.source_port = local_port, .destination_port = 8080, .checksum = 0x1234})
           .build(),
       Reason::related_error,
       {to_client()
            .ipv4({.source = vip4, .destination = client4, .ttl = 63})
            .icmp(unreachable)
            .ipv4({.source = client4, .destination = vip4, .ttl = 62})
            .tcp({.source_port = 1234, .destination_port = 80, .checksum = 0x1234})
            .build()}},
      {"about the reply, from the client's router: the server hears of it from the local address",
       from_router()
           .ipv4({.source = "192.0.2.7", .destination = vip4})
           .icmp(unreachable)
           .ipv4({.source = vip4, .destination = client4})
           .tcp({.source_port = 80, .destination_port = 1234, .checksum = 0x1234})
           .build(),
       Reason::related_error,
       {to_server()
            .ipv4({.source = local4, .destination = server4, .ttl = 63})
            .icmp(unreachable)
            .ipv4({.source = server4, .destination = local4})
            .tcp({.source_port = 8080, .destination_port = local_port, .checksum = 0x1234})
            .build()}},
      {"with a wrong checksum",
       from_router()
           .ipv4({.source = "192.0.2.7", .destination = vip4})
           .icmp({.type = 3, .checksum = 1})
           .ipv4({.source = vip4, .destination = client4})
           .tcp({.source_port = 80, .destination_port = 1234})
           .build(),
       Reason::bad_icmp_checksum},
  });
}

TEST_CASE("ICMPv6 errors find FULLNAT flows from both sides") {
  FullnatFixture f;
  f.expect({"UDP",
            from_client()
                .ipv6({.source = client6, .destination = vip6})
                .udp({.source_port = 1234, .destination_port = 53})
                .build(),
            Reason::scheduled,
            {to_server()
                 .ipv6({.source = local6, .destination = server6, .hop_limit = 63})
                 .udp({.source_port = local_port, .destination_port = 8080})
                 .build()}});
  const auto too_big = IcmpLayer{.type = wire::icmpv6_type::packet_too_big, .code = 0, .rest = 1400};
  f.run({
      {"about the request",
       from_server()
           .ipv6({.source = "2001:db8:2::19", .destination = local6})
           .icmpv6(too_big)
           .ipv6({.source = local6, .destination = server6, .hop_limit = 62})
           .udp({.source_port = local_port, .destination_port = 8080, .checksum = 0x1234})
           .build(),
       Reason::related_error,
       {to_client()
            .ipv6({.source = vip6, .destination = client6, .hop_limit = 63})
            .icmpv6(too_big)
            .ipv6({.source = client6, .destination = vip6, .hop_limit = 62})
            .udp({.source_port = 1234, .destination_port = 53, .checksum = 0x1234})
            .build()}},
      {"about the reply",
       from_router()
           .ipv6({.source = "2001:db8:9::7", .destination = vip6})
           .icmpv6(too_big)
           .ipv6({.source = vip6, .destination = client6})
           .udp({.source_port = 53, .destination_port = 1234, .checksum = 0x1234})
           .build(),
       Reason::related_error,
       {to_server()
            .ipv6({.source = local6, .destination = server6, .hop_limit = 63})
            .icmpv6(too_big)
            .ipv6({.source = server6, .destination = local6})
            .udp({.source_port = 8080, .destination_port = local_port, .checksum = 0x1234})
            .build()}},
  });
}
