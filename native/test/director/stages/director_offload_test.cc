// SPDX-License-Identifier: Apache-2.0
// Frames as virtual NICs give them: partial checksums and segments that are not cut; and link headers: tags and
// padding.
#include "test/director/fixture.h"

using namespace sluice;
using namespace sluice::test;

namespace {

constexpr std::string_view local4 = "10.0.2.200";
constexpr Arrival partial{.checksum = TransportChecksum::partial};

director::Tunnel gue(bool remote_checksum = false) {
  return {.encapsulation = Encapsulation::gue, .port = 6080, .remote_checksum = remote_checksum};
}

// Does what a device does with a partial checksum: stores the sum from the transport header to the end in the field.
Buffer completed(const Sent& sent) {
  Buffer frame = sent.frame;
  wire::Packet packet;
  REQUIRE(wire::dissect(frame, packet) == wire::Malformed::ok);
  const bool is_udp = packet.protocol == wire::protocol::udp;
  const wire::MutableBytes transport(frame.data() + packet.l4, packet.l4_length());
  const uint16_t sum = wire::internet_checksum(transport);
  wire::store_raw16(transport.data() + (is_udp ? wire::UdpView::checksum_offset : wire::TcpView::checksum_offset),
                    is_udp ? wire::udp_checksum_on_wire(sum) : sum);
  return frame;
}

PacketBuilder syn_from(std::string_view client, std::string_view virtual_address, Sum sum) {
  PacketBuilder builder = from_client();
  if (client == client4) {
    builder.ipv4({.source = client, .destination = virtual_address});
  } else {
    builder.ipv6({.source = client, .destination = virtual_address});
  }
  return builder.tcp({.source_port = 1234, .sum = sum}).payload("some data, odd");
}

// A segment of a client's connection with DF set.
Buffer segment_of(bool is_v4, TcpLayer layer, size_t size) {
  PacketBuilder builder = from_client();
  layer.source_port = 1234;
  if (is_v4) {
    builder.ipv4({.dont_fragment = true});
  } else {
    builder.ipv6({.source = client6, .destination = vip6});
  }
  return builder.tcp(layer).payload(Buffer(size, 9)).build();
}

struct Mode {
  const char* what;
  Forwarding forwarding;
  director::Tunnel tunnel = {};
};
const Mode modes[] = {
    {"NAT", Forwarding::nat},
    {"FULLNAT", Forwarding::fullnat},
    {"DR", Forwarding::dr},
    {"IP in IP", Forwarding::tunnel, {}},
    {"GUE", Forwarding::tunnel, {.encapsulation = Encapsulation::gue, .port = 6080}},
    {"GUE with a checksum", Forwarding::tunnel, {.encapsulation = Encapsulation::gue, .port = 6080, .checksum = true}},
    {"GRE", Forwarding::tunnel, {.encapsulation = Encapsulation::gre}},
    {"GRE with a checksum", Forwarding::tunnel, {.encapsulation = Encapsulation::gre, .checksum = true}},
};

void add_mode(Fixture& f, const Mode& mode, const director::ServiceKey& key, std::string_view host) {
  f.set_pool(1, {local4, "2001:db8:2::200"}, 40000, 40010);
  director::ServiceSettings settings;
  settings.pool = 1;
  f.add(key, settings);
  f.add_server(key, host, 8080, {.forwarding = mode.forwarding, .tunnel = mode.tunnel});
}

}  // namespace

TEST_CASE(
    "in every mode, a partial checksum is completed by the device to the checksum that a complete one would become") {
  for (const Mode& mode : modes) {
    for (const bool is_v4 : {true, false}) {
      INFO(mode.what);
      CAPTURE(is_v4);
      Buffer left[2];
      for (const bool is_partial : {false, true}) {
        Fixture f;
        add_mode(f, mode, tcp(is_v4 ? vip4 : vip6), is_v4 ? server4 : server6);
        const Outcome outcome = f.receive(
            syn_from(is_v4 ? client4 : client6, is_v4 ? vip4 : vip6, is_partial ? Sum::partial : Sum::right).build(),
            is_partial ? partial : Arrival{});
        CHECK(outcome.decision.reason == Reason::scheduled);
        REQUIRE(outcome.out.size() == 1);
        const Sent& sent = outcome.out[0];
        // No device can complete the inner checksum of a tunnelled packet.
        CHECK((sent.checksum == TransportChecksum::partial) == (is_partial && mode.forwarding != Forwarding::tunnel));
        CHECK(is_right(sent));
        left[is_partial] = sent.checksum == TransportChecksum::partial ? completed(sent) : sent.frame;
      }
      CHECK(left[0] == left[1]);
    }
  }
}

TEST_CASE("a partial checksum of a reply, or of a gateway's packet, is completed right") {
  Fixture f;
  f.add(tcp());
  f.add_server(tcp(), server4, 8080);
  f.set_pool(2, {"10.0.1.200"}, 50000, 50000);
  f.director.set_egress({{address("10.0.2.0"), 24, 2}});
  f.receive(from_client().ipv4().tcp({.source_port = 1234}).build());
  auto outcome =
      f.receive(from_server()
                    .ipv4({.source = server4, .destination = client4})
                    .tcp({.source_port = 8080, .destination_port = 1234, .flags = SYN | ACK, .sum = Sum::partial})
                    .build(),
                partial);
  REQUIRE(outcome.out.size() == 1);
  CHECK(completed(outcome.out[0]) == to_client()
                                         .ipv4({.source = vip4, .destination = client4, .ttl = 63})
                                         .tcp({.source_port = 80, .destination_port = 1234, .flags = SYN | ACK})
                                         .build());
  outcome = f.receive(from_server()
                          .ipv4({.source = server4, .destination = "198.51.100.7"})
                          .udp({.source_port = 4000, .destination_port = 53, .sum = Sum::partial})
                          .payload("q")
                          .build(),
                      partial);
  REQUIRE(outcome.out.size() == 1);
  CHECK(completed(outcome.out[0]) == to_router()
                                         .ipv4({.source = "10.0.1.200", .destination = "198.51.100.7", .ttl = 63})
                                         .udp({.source_port = 50000, .destination_port = 53})
                                         .payload("q")
                                         .build());
}

TEST_CASE("with GUE's remote checksum a partial checksum is left to the tunnel's end and takes eight bytes") {
  Fixture f;
  f.add(tcp());
  f.add_server(tcp(), server4, 80, {.forwarding = Forwarding::tunnel, .tunnel = gue(true)});
  auto outcome = f.receive(syn_from(client4, vip4, Sum::partial).build(), partial);
  REQUIRE(outcome.out.size() == 1);
  wire::Packet outer;
  REQUIRE(wire::dissect(outcome.out[0].frame, outer) == wire::Malformed::ok);
  const auto gue_header = wire::GueView::parse(wire::Bytes(outcome.out[0].frame).subspan(outer.payload));
  REQUIRE(gue_header);
  CHECK(gue_header->header_length() == 12);
  outcome = f.receive(syn_from(client4, vip4, Sum::right).build());
  REQUIRE(outcome.out.size() == 1);
  CHECK(outcome.out[0].frame.size() == 14 + 20 + 8 + 4 + 20 + 20 + 14);
}

TEST_CASE("a partial checksum is completed before its packet is cut into fragments") {
  Fixture f;
  Network narrow = f.network;
  narrow.ports[s0].mtu = 600;
  f.use(narrow);
  f.add(udp());
  f.add_server(udp(), server4, 5353);
  const Buffer data(800, 7);
  const auto outcome = f.receive(from_client()
                                     .ipv4()
                                     .udp({.source_port = 1234, .destination_port = 53, .sum = Sum::partial})
                                     .payload(data)
                                     .build(),
                                 partial);
  CHECK(outcome.decision.reason == Reason::scheduled);
  REQUIRE(outcome.out.size() == 2);
  Buffer datagram;
  for (const Sent& sent : outcome.out) {
    CHECK(sent.checksum == TransportChecksum::complete);
    CHECK(sent.frame.size() <= 14 + 600);
    datagram = datagram + Buffer(sent.frame.begin() + 34, sent.frame.end());
  }
  const Buffer whole = to_server()
                           .ipv4({.source = client4, .destination = server4})
                           .udp({.source_port = 1234, .destination_port = 5353})
                           .payload(data)
                           .build();
  CHECK(datagram == Buffer(whole.begin() + 34, whole.end()));
}

TEST_CASE("if fragments or segments find no memory, the packet is dropped and no part of it leaves") {
  Fixture f;
  Network narrow = f.network;
  narrow.ports[s0].mtu = 100;
  f.use(narrow);
  f.add(udp());
  f.add_server(udp(), server4, 53);
  // Some 800 fragments of 256 bytes each per datagram: the four megabytes of a batch suffice for 20 datagrams.
  const Buffer large =
      from_client().ipv4().udp({.source_port = 1234, .destination_port = 53}).payload(Buffer(60000, 7)).build();
  const auto decisions = f.receive_batch(std::vector<Buffer>(32, large));
  CHECK(decisions.front().reason == Reason::scheduled);
  CHECK(decisions.back().reason == Reason::out_of_buffers);
  CHECK(decisions.back().verdict() == director::Verdict::drop);
  f.expect({"the next batch has memory again",
            from_client().ipv4().udp({.source_port = 1234, .destination_port = 53}).payload("q").build(),
            Reason::established,
            {to_server()
                 .ipv4({.source = client4, .destination = server4, .ttl = 63})
                 .udp({.source_port = 1234, .destination_port = 53})
                 .payload("q")
                 .build()}});
}

TEST_CASE("the sender of a packet too long for any outer packet gets the MTU of the tunnel") {
  for (const bool discovers : {true, false}) {
    CAPTURE(discovers);
    Fixture f;
    director::Switches switches;
    switches.pmtu_disc = discovers;
    f.director.set_switches(switches);
    f.add(udp());
    f.add_server(udp(), server4, 53, {.forwarding = Forwarding::tunnel});
    const auto datagram = [](uint8_t ttl) {
      return ipv4({.ttl = ttl}).udp({.source_port = 1234, .destination_port = 53}).payload(Buffer(65500, 7)).build();
    };
    Buffer quoted = datagram(63);
    quoted.resize(548);
    f.expect({"65528 bytes and 20 more, to be fragmented or not",
              ethernet({.source = client_mac, .destination = c0_mac, .type = wire::ethertype::ipv4})
                  .payload(datagram(64))
                  .build(),
              Reason::too_big,
              {to_client()
                   .ipv4({.source = vip4, .destination = client4, .tos = 0xc0, .id = 2})
                   .icmp({.type = 3, .code = 4, .rest = 1480})
                   .payload(quoted)
                   .build()}});
  }
}

TEST_CASE("frames larger than the MTU pass NAT, FULLNAT and DR whole") {
  constexpr Arrival gso{
      .checksum = TransportChecksum::partial, .segmentation = Segmentation::tcp4, .segment_size = 1448};
  for (const Mode& mode : {modes[0], modes[1], modes[2]}) {
    INFO(mode.what);
    Fixture f;
    add_mode(f, mode, tcp(), server4);
    f.receive(from_client().ipv4().tcp({.source_port = 1234}).build());
    const auto outcome =
        f.receive(from_client()
                      .ipv4({.dont_fragment = true})
                      .tcp({.source_port = 1234, .flags = ACK, .options = Buffer(12, 1), .sum = Sum::partial})
                      .payload(Buffer(60000, 5))
                      .build(),
                  gso);
    CHECK(outcome.decision.reason == Reason::established);
    REQUIRE(outcome.out.size() == 1);
    CHECK(outcome.out[0].frame.size() == 14 + 20 + 32 + 60000);
    CHECK(outcome.out[0].segmentation == Segmentation::tcp4);
    CHECK(is_right(outcome.out[0]));
  }
}

TEST_CASE("for a frame that a device will cut, the segments are compared with the MTU") {
  Fixture f;
  add_mode(f, modes[0], tcp(), server4);
  f.receive(from_client().ipv4().tcp({.source_port = 1234}).build());
  const Buffer large = from_client()
                           .ipv4({.dont_fragment = true})
                           .tcp({.source_port = 1234, .flags = ACK, .sum = Sum::partial})
                           .payload(Buffer(5000))
                           .build();
  const auto with = [](uint16_t size) {
    return Arrival{.checksum = TransportChecksum::partial, .segmentation = Segmentation::tcp4, .segment_size = size};
  };
  CHECK(f.receive(large, with(1460)).decision.reason == Reason::established);
  CHECK(f.receive(large, with(1461)).decision.reason == Reason::too_big);
}

TEST_CASE("a tunnel cuts a frame into segments and encapsulates each") {
  for (const bool is_v4 : {true, false}) {
    CAPTURE(is_v4);
    Fixture f;
    add_mode(f, modes[3], tcp(is_v4 ? vip4 : vip6), is_v4 ? server4 : server6);
    const auto packet = [&](const TcpLayer& layer, size_t size) { return segment_of(is_v4, layer, size); };
    f.receive(packet({}, 0));
    const Arrival gso{.checksum = TransportChecksum::partial,
                      .segmentation = is_v4 ? Segmentation::tcp4 : Segmentation::tcp6,
                      .segment_size = 1400};
    auto outcome = f.receive(packet({.sequence = 100, .flags = ACK | PSH, .sum = Sum::partial}, 3000), gso);
    CHECK(outcome.decision.reason == Reason::established);
    REQUIRE(outcome.out.size() == 3);
    const size_t headers = is_v4 ? 14 + 20 + 20 + 20 : 14 + 40 + 40 + 20;
    const size_t sizes[] = {1400, 1400, 200};
    for (size_t i = 0; i < 3; i++) {
      const Sent& sent = outcome.out[i];
      CHECK(is_right(sent));
      CHECK(sent.segmentation == Segmentation::none);
      CHECK(sent.checksum == TransportChecksum::complete);
      REQUIRE(sent.frame.size() == headers + sizes[i]);
      const wire::TcpView segment(wire::Bytes(sent.frame).subspan(headers - 20));
      CHECK(segment.sequence() == 100 + 1400 * i);
      CHECK(segment.flags() == (i == 2 ? ACK | PSH : ACK));
    }
    outcome =
        f.receive(packet({.flags = ACK, .sum = Sum::partial}, 3000),
                  {.checksum = TransportChecksum::partial, .segmentation = gso.segmentation, .segment_size = 1460});
    CHECK(outcome.decision.reason == Reason::too_big);
    outcome = f.receive(packet({.flags = ACK}, 3000), {.segmentation = Segmentation::udp, .segment_size = 1000});
    CHECK(outcome.decision.reason == Reason::unsegmentable);
  }
}

TEST_CASE("a port that cuts tunnelled frames gets them whole, unless each segment needs a checksum of the tunnel") {
  for (const Mode& mode : std::span(modes).subspan(3)) {
    for (const bool is_v4 : {true, false}) {
      INFO(mode.what);
      CAPTURE(is_v4);
      Fixture f;
      Network cuts = f.network;
      cuts.ports[s0].cuts_tunnelled = true;
      f.use(cuts);
      add_mode(f, mode, tcp(is_v4 ? vip4 : vip6), is_v4 ? server4 : server6);
      const auto packet = [&](const TcpLayer& layer, size_t size) { return segment_of(is_v4, layer, size); };
      f.receive(packet({}, 0));
      const Arrival gso{.checksum = TransportChecksum::partial,
                        .segmentation = is_v4 ? Segmentation::tcp4 : Segmentation::tcp6,
                        .segment_size = 1360};
      const uint32_t overhead =
          director::tunnel_overhead(mode.tunnel, is_v4 ? wire::Family::ipv4 : wire::Family::ipv6, false);
      const Buffer large = packet({.flags = ACK, .sum = Sum::partial}, 60000);
      auto outcome = f.receive(large, gso);
      CHECK(outcome.decision.reason == Reason::established);
      if (mode.tunnel.checksum) {
        CHECK(outcome.out.size() == 45);
        continue;
      }
      REQUIRE(outcome.out.size() == 1);
      const Sent& whole = outcome.out[0];
      CHECK(whole.segmentation == gso.segmentation);
      CHECK(whole.checksum == TransportChecksum::partial);
      CHECK(whole.tunnel_length == overhead);
      REQUIRE(whole.frame.size() == large.size() + overhead);
      CHECK(Buffer(whole.frame.end() - 60000, whole.frame.end()) == Buffer(60000, 9));
      // 65,535 bytes with the headers of IP and TCP: the length would not fit the outer header.
      outcome = f.receive(packet({.flags = ACK, .sum = Sum::partial}, is_v4 ? 65495 : 65475), gso);
      CHECK(outcome.out.size() == 49);
      Arrival wide = gso;
      wide.segment_size = static_cast<uint16_t>(1500 - overhead - (is_v4 ? 40 : 60) + 1);
      CHECK(f.receive(large, wide).decision.reason == Reason::too_big);
      cuts.ports[s0].vlan = 5;
      f.use(cuts);
      CHECK(f.receive(large, gso).out.size() == 45);
    }
  }
}

TEST_CASE("tunnels carry packets of one family in the other") {
  struct Mix {
    const char* what;
    std::string_view virtual_address, server;
    director::Tunnel tunnel;
    size_t overhead;
  };
  const Mix mixes[] = {
      {"IPv4 in IPv6", vip4, server6, {}, 40},
      {"IPv6 in IPv4", vip6, server4, {}, 20},
      {"IPv4 in GUE over IPv6", vip4, server6, gue(), 52},
      {"IPv6 in GUE over IPv4", vip6, server4, gue(), 32},
      {"IPv4 in GRE over IPv6", vip4, server6, {.encapsulation = Encapsulation::gre}, 44},
      {"IPv6 in GRE over IPv4", vip6, server4, {.encapsulation = Encapsulation::gre, .checksum = true}, 28},
  };
  for (const Mix& mix : mixes) {
    INFO(mix.what);
    Fixture f;
    f.add(tcp(mix.virtual_address));
    f.add_server(tcp(mix.virtual_address), mix.server, 80, {.forwarding = Forwarding::tunnel, .tunnel = mix.tunnel});
    const bool is_v4 = mix.virtual_address == vip4;
    const Buffer in = syn_from(is_v4 ? client4 : client6, mix.virtual_address, Sum::right).build();
    const auto outcome = f.receive(in);
    CHECK(outcome.decision.reason == Reason::scheduled);
    REQUIRE(outcome.out.size() == 1);
    CHECK(outcome.out[0].port == s0);
    CHECK(is_right(outcome.out[0]));
    REQUIRE(outcome.out[0].frame.size() == in.size() + mix.overhead);
    // Inside is the client's packet with a decremented hop limit.
    const Buffer inside(outcome.out[0].frame.begin() + 14 + static_cast<ptrdiff_t>(mix.overhead),
                        outcome.out[0].frame.end());
    const Buffer older = is_v4 ? ipv4({.source = client4, .destination = vip4, .ttl = 63})
                                     .tcp({.source_port = 1234})
                                     .payload("some data, odd")
                                     .build()
                               : ipv6({.source = client6, .destination = vip6, .hop_limit = 63})
                                     .tcp({.source_port = 1234})
                                     .payload("some data, odd")
                                     .build();
    CHECK(inside == older);
  }
}

TEST_CASE("a packet is refused if the tunnel's path has no room for the smallest packet") {
  Fixture f;
  Network narrow = f.network;
  narrow.ports[s0].mtu = 87;
  f.use(narrow);
  f.add(tcp());
  f.add_server(tcp(), server4, 80, {.forwarding = Forwarding::tunnel});
  f.run({{"87 bytes less 20", from_client().ipv4().tcp().build(), Reason::tunnel_mtu}});
}

TEST_CASE("tags stay if a frame leaves by the port that received it, and otherwise are those of the other port") {
  Fixture f;
  f.add(tcp());
  f.add_server(tcp(), "10.0.1.3", 80, {.forwarding = Forwarding::dr});
  f.add(tcp(vip4, 81));
  f.add_server(tcp(vip4, 81), server4, 81, {.forwarding = Forwarding::dr});
  const auto syn = [](uint16_t port) { return TcpLayer{.source_port = 1234, .destination_port = port}; };
  const Ipv4Layer in{}, out{.ttl = 63};
  constexpr VlanLayer provider{.tpid = wire::ethertype::provider_vlan}, urgent{.priority = 5};
  constexpr VlanLayer old_provider{.tpid = wire::ethertype::old_provider_vlan};
  f.run({
      {"one tag, back where it came from",
       from_client().vlan(5, urgent).ipv4(in).tcp(syn(80)).build(),
       Reason::scheduled,
       {to_client().vlan(5, urgent).ipv4(out).tcp(syn(80)).build()}},
      {"two tags",
       from_client().vlan(7, provider).vlan(5).ipv4(in).tcp(syn(80)).build(),
       Reason::established,
       {to_client().vlan(7, provider).vlan(5).ipv4(out).tcp(syn(80)).build()}},
      {"two of customers' tags",
       from_client().vlan(7).vlan(5).ipv4(in).tcp(syn(80)).build(),
       Reason::established,
       {to_client().vlan(7).vlan(5).ipv4(out).tcp(syn(80)).build()}},
      {"a single provider's tag",
       from_client().vlan(7, provider).ipv4(in).tcp(syn(80)).build(),
       Reason::established,
       {to_client().vlan(7, provider).ipv4(out).tcp(syn(80)).build()}},
      {"two tags, the outer one of the time before 802.1ad",
       from_client().vlan(7, old_provider).vlan(5).ipv4(in).tcp(syn(80)).build(),
       Reason::established,
       {to_client().vlan(7, old_provider).vlan(5).ipv4(out).tcp(syn(80)).build()}},
      {"to a port without tags",
       from_client().vlan(5).ipv4(in).tcp(syn(81)).build(),
       Reason::scheduled,
       {to_server().ipv4(out).tcp(syn(81)).build()}},
      {"two tags to a port without",
       from_client().vlan(7, provider).vlan(5).ipv4(in).tcp(syn(81)).build(),
       Reason::established,
       {to_server().ipv4(out).tcp(syn(81)).build()}},
  });
  Network tagged = f.network;
  tagged.ports[s0].vlan = 100;
  f.use(tagged);
  f.run({
      {"to a port with a tag",
       from_client().ipv4(in).tcp(syn(81)).build(),
       Reason::established,
       {to_server().vlan(100).ipv4(out).tcp(syn(81)).build()}},
      {"the other port's tag replaces the frame's",
       from_client().vlan(5).ipv4(in).tcp(syn(81)).build(),
       Reason::established,
       {to_server().vlan(100).ipv4(out).tcp(syn(81)).build()}},
  });
}

TEST_CASE("an answer to a tagged frame has its tags") {
  Fixture f;
  f.add(tcp());
  f.run({
      {"no server: port unreachable",
       from_client().vlan(5).ipv4({.tos = 0}).tcp().build(),
       Reason::no_real_server,
       {to_client()
            .vlan(5)
            .ipv4({.source = vip4, .destination = client4, .tos = 0xc0, .id = 1})
            .icmp({.type = 3, .code = 3, .rest = 0})
            .ipv4()
            .tcp()
            .build()}},
      {"ARP",
       ethernet({.source = client_mac, .destination = "ff:ff:ff:ff:ff:ff"})
           .vlan(5)
           .arp({.sender_mac = client_mac, .sender = client4, .target = vip4})
           .build(),
       Reason::arp_answered,
       {to_client()
            .vlan(5)
            .arp({.operation = 2, .sender_mac = c0_mac, .sender = vip4, .target_mac = client_mac, .target = client4})
            .build()}},
  });
}

TEST_CASE("Ethernet's padding is not forwarded") {
  Fixture f;
  f.add(tcp());
  f.add_server(tcp(), server4, 80);
  const Buffer padded = from_client().ipv4().tcp().build_padded();
  CHECK(padded.size() == 60);
  f.expect({"60 bytes in, 54 out",
            padded,
            Reason::scheduled,
            {to_server().ipv4({.source = client4, .destination = server4, .ttl = 63}).tcp().build()}});
}

TEST_CASE("a UDP datagram without a checksum leaves with one, and a checksum of zero is written as ones") {
  Fixture f;
  f.add(udp());
  f.add_server(udp(), server4, 53);
  f.run({
      {"none",
       from_client().ipv4().udp({.source_port = 1234, .destination_port = 53, .checksum = 0}).payload("abc").build(),
       Reason::scheduled,
       {to_server()
            .ipv4({.source = client4, .destination = server4, .ttl = 63})
            .udp({.source_port = 1234, .destination_port = 53})
            .payload("abc")
            .build()}},
  });
  // Two bytes of data that make the sum zero after the rewrite.
  for (uint32_t data = 0; data < 0x10000; data++) {
    const Buffer two = {static_cast<uint8_t>(data >> 8), static_cast<uint8_t>(data)};
    const Buffer out = to_server()
                           .ipv4({.source = client4, .destination = server4, .ttl = 63})
                           .udp({.source_port = 1234, .destination_port = 53})
                           .payload(two)
                           .build();
    if (wire::load_be16(&out[14 + 20 + 6]) != 0xffff) continue;
    f.expect({"sum zero",
              from_client().ipv4().udp({.source_port = 1234, .destination_port = 53}).payload(two).build(),
              Reason::established,
              {out}});
    return;
  }
  FAIL("no such data");
}

TEST_CASE("SCTP's CRC stays unless a port changes, and is right if one does") {
  Fixture f;
  f.add(sctp());
  f.add_server(sctp(), server4, 5001);
  f.add(sctp(vip4, 5002));
  f.add_server(sctp(vip4, 5002), server4, 6002);
  const ChunkLayer init{.type = wire::sctp_chunk::init, .value = Buffer(16)};
  auto outcome = f.receive(from_client().ipv4().sctp({.source_port = 1, .checksum = 0xdeadbeef}).chunk(init).build());
  CHECK(outcome.decision.reason == Reason::scheduled);
  REQUIRE(outcome.out.size() == 1);
  CHECK(wire::load_be32(&outcome.out[0].frame[14 + 20 + 8]) == 0xdeadbeef);
  f.expect({"a port changes",
            from_client().ipv4().sctp({.source_port = 1, .destination_port = 5002}).chunk(init).build(),
            Reason::scheduled,
            {to_server()
                 .ipv4({.source = client4, .destination = server4, .ttl = 63})
                 .sctp({.source_port = 1, .destination_port = 6002})
                 .chunk(init)
                 .build()}});
}
