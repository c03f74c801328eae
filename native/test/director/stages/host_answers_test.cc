// SPDX-License-Identifier: Apache-2.0
// Answers of the director in the place of a host's stack. The answers of the kernel's stack are recorded in
// lab/ipvs-oracle/scenarios/host and compared byte for byte; this file has the cases that are not recorded.
#include "director/stages/host_answers.h"

#include "test/director/fixture.h"

namespace sluice::test {
namespace {

PacketBuilder reset4(std::string_view to = client4) {
  return to_client().ipv4({.source = vip4, .destination = to, .dont_fragment = true});
}

Buffer ack(uint16_t port = 80, std::string_view destination = vip4, std::string_view source = client4) {
  return from_client()
      .ipv4({.source = source, .destination = destination})
      .tcp({.source_port = 1234, .destination_port = port, .acknowledgement = 7, .flags = ACK})
      .build();
}

Buffer reset_of_ack(uint16_t port = 80, std::string_view destination = vip4) {
  return to_client()
      .ipv4({.source = destination, .destination = client4, .dont_fragment = true})
      .tcp({.source_port = port, .destination_port = 1234, .sequence = 7, .flags = RST, .window = 0})
      .build();
}

Buffer datagram(uint16_t port = 54, std::string_view destination = vip4) {
  return from_client().ipv4({.destination = destination}).udp({.source_port = 1234, .destination_port = port}).build();
}

director::Switches silent() {
  director::Switches switches;
  switches.host_answers = false;
  return switches;
}

// What a director has asked for.
struct AskedReplies final : director::HostReplies {
  bool expect(const director::HostReply& reply) override {
    expected.push_back(reply);
    return can_bring;
  }
  void forget(const director::HostReply& reply) override { forgotten.push_back(reply); }
  bool can_bring = true;
  std::vector<director::HostReply> expected, forgotten;
};

director::DirectorOptions options_with(AskedReplies& replies) {
  director::DirectorOptions options = small_options();
  options.host_replies = &replies;
  return options;
}

director::HostReply reply_to(std::string_view client, uint16_t port) {
  return {address("10.0.2.1"), address(client), 8080, port, wire::protocol::tcp};
}

Buffer answer_of_host(std::string_view to = client4, uint16_t port = 1) {
  return from_server()
      .ipv4({.source = "10.0.2.1", .destination = to})
      .tcp({.source_port = 8080, .destination_port = port, .flags = SYN | ACK})
      .build();
}

}  // namespace

TEST_CASE("a packet of an unknown connection is reset at its own acknowledgement") {
  Fixture f;
  f.add(tcp());
  f.add_server(tcp(), server4, 8080);
  const auto segment = [](const TcpLayer& layer, size_t length = 0) {
    return from_client().ipv4().tcp(layer).payload(Buffer(length)).build();
  };
  const auto reset = [](const TcpLayer& layer) { return reset4().tcp(layer).build(); };
  const auto at = [](uint32_t sequence) {
    return TcpLayer{.source_port = 80, .destination_port = 1, .sequence = sequence, .flags = RST, .window = 0};
  };
  const auto of = [](uint32_t acknowledgement) {
    return TcpLayer{.source_port = 80,
                    .destination_port = 1,
                    .sequence = 0,
                    .acknowledgement = acknowledgement,
                    .flags = RST | ACK,
                    .window = 0};
  };
  f.run({
      {"data",
       segment({.source_port = 1, .acknowledgement = 9, .flags = ACK | PSH}, 10),
       Reason::connection_reset,
       {reset(at(9))}},
      {"FIN without ACK, around the end of the numbers",
       segment({.source_port = 1, .sequence = UINT32_MAX, .flags = FIN}, 5),
       Reason::connection_reset,
       {reset(of(5))}},
      {"no flag at all",
       segment({.source_port = 1, .sequence = 3, .flags = 0}, 2),
       Reason::connection_reset,
       {reset(of(5))}},
      {"a reset is never answered", segment({.source_port = 1, .flags = RST}), Reason::not_opening},
      {"nor one that acknowledges", segment({.source_port = 1, .flags = RST | ACK}), Reason::not_opening},
      {"nor a wrong checksum", segment({.source_port = 1, .flags = ACK, .checksum = 1}), Reason::not_opening},
  });
  CHECK(f.flow_count() == 0);
}

TEST_CASE("frames with a partial checksum are answered") {
  Fixture f;
  f.add(tcp());
  f.run({
      {"a partial checksum",
       from_client().ipv4().tcp({.source_port = 1234, .acknowledgement = 7, .flags = ACK, .sum = Sum::partial}).build(),
       Reason::connection_reset,
       {reset_of_ack()},
       {.checksum = TransportChecksum::partial}},
      {"several segments in one frame",
       from_client()
           .ipv4()
           .tcp({.source_port = 1234, .acknowledgement = 7, .flags = ACK, .sum = Sum::partial})
           .payload(Buffer(5000))
           .build(),
       Reason::connection_reset,
       {reset_of_ack()},
       {.checksum = TransportChecksum::partial, .segmentation = Segmentation::tcp4, .segment_size = 1460}},
      {"a datagram is quoted as the wire would have had it",
       from_client()
           .ipv4()
           .udp({.source_port = 1234, .destination_port = 54, .sum = Sum::partial})
           .payload("x")
           .build(),
       Reason::port_unreachable,
       {to_client()
            .ipv4({.source = vip4, .destination = client4, .tos = 0xc0, .id = 1})
            .icmp({.type = 3, .code = 3, .rest = 0})
            .ipv4()
            .udp({.source_port = 1234, .destination_port = 54})
            .payload("x")
            .build()},
       {.checksum = TransportChecksum::partial}},
  });
}

TEST_CASE("a source that cannot be a sender gets no answer") {
  Fixture f;
  f.add(tcp());
  f.set_pool(1, {"10.0.2.200"}, 1024, 1024);
  for (const std::string_view source :
       {"0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "10.0.1.255", "10.0.1.1", "10.0.1.100", "10.0.2.200"}) {
    INFO(source);
    const Outcome outcome = f.receive(ack(81, vip4, source));
    CHECK(outcome.decision.reason == Reason::no_service);
    CHECK(outcome.out.empty());
  }
}

TEST_CASE("fragments are not answered") {
  Fixture f;
  f.add(tcp());
  const Buffer first =
      from_client().ipv4({.more = true}).udp({.source_port = 1, .destination_port = 54}).payload(Buffer(56)).build();
  f.run({{"the first", first, Reason::no_service}});
}

TEST_CASE("if the host also has the address, packets to ports of services are answered, others pass to the host") {
  Fixture f;
  Network network = f.network;
  network.ports[c0].addresses.push_back({address(vip4), 32});
  f.use(network);
  f.add(tcp());
  f.set_pool(1, {"10.0.1.1"}, 5000, 5010);
  f.run({
      {"the service's port", ack(), Reason::connection_reset, {reset_of_ack()}},
      {"another port", ack(81), Reason::no_service},
      {"UDP on the service's port", datagram(80), Reason::no_service},
      {"another protocol", from_client().ipv4({.protocol = 89}).build(), Reason::other_protocol},
      {"a port of a pool", ack(5001, "10.0.1.1"), Reason::connection_reset, {reset_of_ack(5001, "10.0.1.1")}},
      {"the port behind the pool's last", ack(5011, "10.0.1.1"), Reason::no_service},
      {"an address that is nobody's", ack(80, "10.0.1.99"), Reason::no_service},
  });
  f.add(tcp(vip4, 21));
  f.run({{"beside an FTP service", ack(20), Reason::not_opening}});
}

TEST_CASE("a packet that was taken because of its firewall mark is answered, whatever its destination") {
  Fixture f;
  f.add(mark(7));
  const auto in = [](const Buffer& frame) { return frame; };
  f.run({{"marked",
          in(ack(80, "198.51.100.7")),
          Reason::connection_reset,
          {reset_of_ack(80, "198.51.100.7")},
          {.mark = 7}},
         {"not marked", ack(80, "198.51.100.7"), Reason::no_service},
         {"to a group", ack(80, "224.0.0.5"), Reason::not_opening, {}, {.mark = 7}}});
}

TEST_CASE("an ACK without a good cookie is reset, and keeps its own reason") {
  Fixture f;
  director::ServiceSettings settings;
  settings.syn_proxy = director::SynProxy::on;
  f.add(tcp(), settings);
  f.add_server(tcp(), server4, 80);
  f.run({{"answered", ack(), Reason::syn_cookie_invalid, {reset_of_ack()}}});
  f.director.set_switches(silent());
  f.run({{"silent", ack(), Reason::syn_cookie_invalid}});
}

TEST_CASE("an unknown neighbour is asked for, and the packet waits unchanged") {
  Fixture f;
  f.add(tcp());
  const Buffer frame = ack(80, vip4, "10.0.1.77");
  const Outcome outcome = f.receive(frame);
  CHECK(outcome.decision.reason == Reason::no_neighbour);
  REQUIRE(outcome.out.size() == 1);
  CHECK(wire::describe(outcome.out[0].frame).find("who-has 10.0.1.77") != std::string::npos);
}

TEST_CASE("errors are limited per receiver and for all together, resets are not") {
  Fixture f;
  f.add(tcp());
  const auto answers = [&](auto frame, size_t count) {
    size_t sent = 0;
    for (size_t i = 0; i < count; i++) sent += f.receive(frame(i)).out.size();
    return sent;
  };
  CHECK(answers([](size_t) { return datagram(); }, 20) == 6);
  CHECK(answers([](size_t) { return ack(); }, 200) == 200);
  f.wait(10 * second);
  // All senders behind the router differ: only the limit for all together applies.
  const auto from_anybody = [](size_t i) {
    const std::string source = "203.0." + std::to_string(113 + i / 200) + "." + std::to_string(1 + i % 200);
    return from_router().ipv4({.source = source}).udp({.destination_port = 54}).build();
  };
  CHECK(answers(from_anybody, 200) == 50);
  f.wait(second / 100);
  CHECK(answers([&](size_t i) { return from_anybody(i + 200); }, 200) == 10);
}

TEST_CASE("the switch can turn answers off") {
  Fixture f;
  f.director.set_switches(silent());
  f.add(tcp());
  f.add(tcp(vip6));
  f.run({
      {"TCP", ack(), Reason::not_opening},
      {"UDP", datagram(), Reason::no_service},
      {"another protocol", from_client().ipv4({.protocol = 89}).build(), Reason::other_protocol},
  });
}

TEST_CASE("an error about an unknown protocol after extension headers points to where the protocol is named") {
  Fixture f;
  f.add(tcp(vip6));
  const Buffer options = hex("59 00 01 04 00000000");  // destination options that name protocol 0x59
  const Buffer frame = from_client()
                           .ipv6({.source = client6, .destination = vip6, .next_header = 60})
                           .payload(options + Buffer(4))
                           .build();
  const Outcome outcome = f.receive(frame);
  CHECK(outcome.decision.reason == Reason::protocol_unreachable);
  REQUIRE(outcome.out.size() == 1);
  const uint8_t* icmp = outcome.out[0].frame.data() + 14 + 40;
  CHECK(icmp[0] == 4);
  CHECK(icmp[1] == 1);
  CHECK(wire::load_be32(icmp + 4) == 40);
}

// --- a real server that is this host (local_node.cc) ---

TEST_CASE("the host's stack gets the packet if the real server is this host") {
  Fixture f;
  Network network = f.network;
  network.ports[c0].addresses.push_back({address(vip4), 32});
  network.ports[c0].addresses.push_back({address(vip6), 128});
  f.use(network);
  const auto host = static_cast<PortId>(network.ports.size());
  const auto syn = [](uint16_t port, uint8_t ttl = 1) {
    return from_client().ipv4({.ttl = ttl}).tcp({.source_port = 1, .destination_port = port}).build();
  };
  const auto delivered = [&](const Buffer& frame) {
    const Outcome outcome = f.receive(frame);
    CHECK(director::reason_name(outcome.decision.reason) == "delivered");
    REQUIRE(outcome.out.size() == 1);
    CHECK(outcome.out[0].port == host);
    CHECK(is_right(outcome.out[0]));
    return outcome.out[0].frame;
  };
  for (const auto& [port, forwarding, server] : {std::tuple{80, Forwarding::dr, "10.0.1.1"},
                                                 {81, Forwarding::tunnel, "10.0.2.1"},
                                                 {82, Forwarding::dr, "127.0.0.1"},
                                                 {83, Forwarding::tunnel, "127.0.0.1"}}) {
    const auto number = static_cast<uint16_t>(port);
    f.add(tcp(vip4, number));
    f.add_server(tcp(vip4, number), server, number, {.forwarding = forwarding});
    CHECK(delivered(syn(number)) == syn(number));
    CHECK(delivered(syn(number)) == syn(number));
  }
  f.add(tcp(vip4, 84));
  f.add_server(tcp(vip4, 84), "10.0.1.1", 8084);
  CHECK(delivered(syn(84)) == from_client()
                                  .ipv4({.destination = "10.0.1.1", .ttl = 1})
                                  .tcp({.source_port = 1, .destination_port = 8084})
                                  .build());
  f.add(tcp(vip4, 85));
  f.add_server(tcp(vip4, 85), "127.0.0.1", 8085);
  f.run({{"NAT to a loopback address", syn(85), Reason::loopback_refused}});
  f.add(tcp(vip6, 86));
  f.add_server(tcp(vip6, 86), "::1", 86, {.forwarding = Forwarding::dr});
  const Buffer syn6 =
      from_client().ipv6({.source = client6, .destination = vip6}).tcp({.destination_port = 86}).build();
  CHECK(delivered(syn6) == syn6);
}

TEST_CASE("a reply is translated when the host's stack got a translated packet") {
  Fixture f;
  f.add(tcp());
  f.add_server(tcp(), "10.0.2.1", 8080);
  CHECK(f.receive(from_client().ipv4().tcp({.source_port = 1}).build()).decision.reason == Reason::delivered);
  f.expect({"the host's answer, as it leaves",
            from_server()
                .ipv4({.source = "10.0.2.1", .destination = client4})
                .tcp({.source_port = 8080, .destination_port = 1, .flags = SYN | ACK})
                .build(),
            Reason::reply,
            {to_client()
                 .ipv4({.source = vip4, .destination = client4, .ttl = 63})
                 .tcp({.source_port = 80, .destination_port = 1, .flags = SYN | ACK})
                 .build()}});
}

TEST_CASE("of what is translated for the host's stack the reply is asked for") {
  AskedReplies replies;
  Fixture f(options_with(replies));
  f.add(tcp());
  f.add_server(tcp(), "10.0.2.1", 8080);
  const Buffer syn = from_client().ipv4().tcp({.source_port = 1}).build();
  CHECK(f.receive(syn).decision.reason == Reason::delivered);
  CHECK(replies.expected == std::vector{reply_to(client4, 1)});
  replies.can_bring = false;
  f.run({{"nobody brings replies back", syn, Reason::local_nat_refused}});
}

TEST_CASE("behind FULLNAT the reply to the local address is asked for") {
  AskedReplies replies;
  Fixture f(options_with(replies));
  f.set_pool(1, {"10.0.2.200"}, 5000, 5000);
  director::ServiceSettings settings;
  settings.pool = 1;
  f.add(tcp(), settings);
  f.add_server(tcp(), "10.0.2.1", 8080, {.forwarding = Forwarding::fullnat});
  CHECK(f.receive(from_client().ipv4().tcp({.source_port = 1}).build()).decision.reason == Reason::delivered);
  CHECK(replies.expected == std::vector{reply_to("10.0.2.200", 5000)});
}

TEST_CASE("nothing is asked for where the stack answers the client itself") {
  AskedReplies replies;
  Fixture f(options_with(replies));
  Network network = f.network;
  network.ports[c0].addresses.push_back({address(vip4), 32});
  f.use(network);
  f.add(tcp());
  f.add_server(tcp(), "10.0.2.1", 80, {.forwarding = Forwarding::dr});
  CHECK(f.receive(from_client().ipv4().tcp({.destination_port = 80}).build()).decision.reason == Reason::delivered);
  CHECK(replies.expected.empty());
}

TEST_CASE("a reply of the host's stack that no flow wants is dropped, and asked for no more") {
  AskedReplies replies;
  Fixture f(options_with(replies));
  f.add(tcp());
  f.add_server(tcp(), "10.0.2.1", 8080);
  f.run({{"a reply to nobody", answer_of_host(), Reason::host_reply_unwanted}});
  CHECK(replies.forgotten == std::vector{reply_to(client4, 1)});
}

TEST_CASE("an error about a reply of the host's stack reaches the stack") {
  Fixture f;
  f.add(tcp());
  f.add_server(tcp(), "10.0.2.1", 8080);
  f.receive(from_client().ipv4().tcp({.source_port = 1}).build());
  const Buffer error =
      from_router()
          .ipv4({.source = "10.0.1.254", .ttl = 1})
          .icmp({.type = wire::icmp_type::unreachable, .code = 4, .rest = 1400})
          .payload(
              ipv4({.source = vip4, .destination = client4}).tcp({.source_port = 80, .destination_port = 1}).build())
          .build();
  const Outcome outcome = f.receive(error);
  CHECK(director::reason_name(outcome.decision.reason) == "delivered");
  REQUIRE(outcome.out.size() == 1);
  CHECK(outcome.out[0].port == f.network.ports.size());
  CHECK(is_right(outcome.out[0]));
  const Buffer& frame = outcome.out[0].frame;
  const wire::Ipv4View outer(wire::Bytes(frame).subspan(14)), quoted(wire::Bytes(frame).subspan(14 + 20 + 8));
  CHECK(wire::Address(outer.destination()) == address("10.0.2.1"));
  CHECK(outer.ttl() == 1);
  CHECK(wire::Address(quoted.source()) == address("10.0.2.1"));
  CHECK(wire::load_be16(&frame[14 + 20 + 8 + 20]) == 8080);
}

TEST_CASE("fragments that waited for their first are delivered with it") {
  Fixture f;
  Network network = f.network;
  network.ports[c0].addresses.push_back({address(vip4), 32});
  f.use(network);
  f.add(udp());
  f.add_server(udp(), "127.0.0.1", 53, {.forwarding = Forwarding::dr});
  const auto piece = [](uint16_t offset, bool more) {
    return Ipv4Layer{.id = 5, .offset = offset, .more = more, .protocol = 17};
  };
  const Buffer first = from_client().ipv4(piece(0, true)).udp({.destination_port = 53}).payload(Buffer(56)).build();
  const Buffer later = from_client().ipv4(piece(64, false)).payload(Buffer(16)).build();
  CHECK(f.receive(later).decision.reason == Reason::fragment_held);
  const Outcome outcome = f.receive(first);
  CHECK(outcome.decision.reason == Reason::delivered);
  REQUIRE(outcome.out.size() == 2);
  CHECK(outcome.out[0].port == network.ports.size());
  CHECK(outcome.out[1].port == network.ports.size());
  CHECK(outcome.out[1].frame == later);
}

}  // namespace sluice::test
