// SPDX-License-Identifier: Apache-2.0
// Fragments follow the first fragment of their datagram in any order, and cannot bypass checks.
#include "test/director/fixture.h"

using namespace sluice;
using namespace sluice::test;

namespace {

// Pieces of one UDP datagram of 64 + 64 + 40 bytes, as received and as transmitted.
constexpr uint16_t first_length = 64, second_length = 64, last_length = 40;
const Buffer whole_in = ipv4()
                            .udp({.source_port = 1234, .destination_port = 53})
                            .payload(Buffer(first_length + second_length + last_length - 8, 6))
                            .build();
const Buffer whole_out = ipv4({.source = client4, .destination = server4})
                             .udp({.source_port = 1234, .destination_port = 5353})
                             .payload(Buffer(first_length + second_length + last_length - 8, 6))
                             .build();

Buffer slice(const Buffer& whole, uint16_t offset, uint16_t length) {
  return Buffer(whole.begin() + 20 + offset, whole.begin() + 20 + offset + length);
}
Buffer piece(uint16_t offset, uint16_t length, bool more, uint16_t id = 1) {
  return from_client()
      .ipv4({.id = id, .offset = offset, .more = more, .protocol = 17})
      .payload(slice(whole_in, offset, length))
      .build();
}
Buffer piece_out(uint16_t offset, uint16_t length, bool more, uint16_t id = 1) {
  return to_server()
      .ipv4({.source = client4,
             .destination = server4,
             .ttl = 63,
             .id = id,
             .offset = offset,
             .more = more,
             .protocol = 17})
      .payload(slice(whole_out, offset, length))
      .build();
}
const auto first = [](uint16_t id = 1) { return piece(0, 64, true, id); };
const auto second_piece = [](uint16_t id = 1) { return piece(64, 64, true, id); };
const auto last = [](uint16_t id = 1) { return piece(128, 40, false, id); };
const auto first_out = [](uint16_t id = 1) { return piece_out(0, 64, true, id); };
const auto second_out = [](uint16_t id = 1) { return piece_out(64, 64, true, id); };
const auto last_out = [](uint16_t id = 1) { return piece_out(128, 40, false, id); };

struct FragmentFixture : Fixture {
  FragmentFixture() {
    add(udp());
    add_server(udp(), server4, 5353);
  }
};

}  // namespace

TEST_CASE("fragments in order each follow their first") {
  FragmentFixture f;
  f.run({
      {"first", first(), Reason::scheduled, {first_out()}},
      {"second", second_piece(), Reason::fragment, {second_out()}},
      {"last", last(), Reason::fragment, {last_out()}},
  });
  CHECK(f.director.datagrams_in_pieces() == 0);
  CHECK(f.server_of(udp(), server4).counters.packets_in == 3);
}

TEST_CASE("fragments that come before their first are held, and leave after it in the order of arrival") {
  FragmentFixture f;
  f.run({
      {"last", last(), Reason::fragment_held},
      {"second", second_piece(), Reason::fragment_held},
      {"first", first(), Reason::scheduled, {first_out(), last_out(), second_out()}},
  });
  CHECK(f.director.datagrams_in_pieces() == 0);
  CHECK(f.server_of(udp(), server4).counters.packets_in == 3);
}

TEST_CASE("while the next hop of a first fragment is being resolved, the fragments after it are held") {
  FragmentFixture f;
  Network without_server;
  without_server.neighbours.clear();
  f.director.set_route_table(without_server.route_table());
  CHECK(f.receive(first()).decision.reason == Reason::no_neighbour);
  f.run({{"last", last(), Reason::fragment_held}});
  f.director.set_route_table(Network().route_table());
  f.run({
      {"the first again", first(), Reason::established, {first_out(), last_out()}},
      {"second", second_piece(), Reason::fragment, {second_out()}},
  });
  CHECK(f.director.datagrams_in_pieces() == 0);
}

TEST_CASE("fragments that wait in vain are dropped after 30 seconds") {
  FragmentFixture f;
  f.run({{"last", last(), Reason::fragment_held}});
  f.wait(31 * second);
  f.run({
      {"the first comes too late for it", first(), Reason::scheduled, {first_out()}},
      {"which may come again", last(), Reason::fragment, {last_out()}},
  });
}

TEST_CASE("held fragments are dropped with their first") {
  Fixture f;
  f.add(udp());
  f.run({{"last", last(), Reason::fragment_held}});
  CHECK(f.receive(first()).decision.reason == Reason::no_real_server);
  f.run({{"what comes later", second_piece(), Reason::fragment_of_dropped}});
}

TEST_CASE("fragments of a datagram that opens no flow pass to the host") {
  Fixture f;
  f.run({
      {"first", first(), Reason::no_service},
      {"second", second_piece(), Reason::unhandled_fragment},
  });
}

TEST_CASE("fragments that are only routed pass in any order") {
  FragmentFixture f;
  const auto between = [](std::string_view source, std::string_view destination, uint16_t offset, bool more) {
    Ipv4Layer ip{.source = source, .destination = destination, .id = 9, .offset = offset, .more = more, .protocol = 17};
    Buffer payload(64);
    if (offset == 0) payload[5] = 200;  // UDP's length
    return ethernet({.source = server_mac, .destination = s0_mac}).ipv4(ip).payload(payload).build();
  };
  const std::string_view other = "10.0.2.77", far = "198.51.100.7";
  f.run({
      {"a stranger's, a later one first", between(other, far, 64, true), Reason::unhandled_fragment},
      {"the last", between(other, far, 128, false), Reason::unhandled_fragment},
      {"the first", between(other, far, 0, true), Reason::no_service},
      {"one after it", between(other, far, 192, true), Reason::unhandled_fragment},
  });
  Ipv4Layer passed{
      .source = server4, .destination = far, .ttl = 63, .id = 9, .offset = 64, .more = true, .protocol = 17};
  f.run({
      {"a real server's own might be a reply: it waits", between(server4, far, 64, true), Reason::fragment_held},
      {"its first is none, and goes by the host; the other follows on the host's way",
       between(server4, far, 0, true),
       Reason::no_service,
       {to_router().ipv4(passed).payload(Buffer(64)).build()}},
      {"one after it is the host's again", between(server4, far, 128, false), Reason::unhandled_fragment},
  });
  CHECK(f.director.datagrams_in_pieces() <= 1);
}

TEST_CASE("fragments to the host's own address pass to the host in any order") {
  FragmentFixture f;
  const auto to_host = [](uint16_t offset) {
    return from_client().ipv4({.destination = "10.0.1.1", .offset = offset, .more = offset == 0, .protocol = 17});
  };
  f.run({
      {"a later one first", to_host(64).payload(Buffer(16)).build(), Reason::unhandled_fragment},
      {"the first", to_host(0).payload(slice(whole_in, 0, 64)).build(), Reason::no_service},
  });
  CHECK(f.director.datagrams_in_pieces() == 0);
}

TEST_CASE("overlapping fragments spoil their datagram") {
  FragmentFixture f;
  f.run({
      {"first", first(), Reason::scheduled, {first_out()}},
      {"one that reaches into it", piece(56, 64, true), Reason::fragment_overlap},
      {"and nothing of it passes any more", last(), Reason::fragment_of_dropped},
      {"another datagram of the flow does", first(2), Reason::established, {first_out(2)}},
  });
}

TEST_CASE("a first fragment without its whole transport header is refused") {
  FragmentFixture f;
  const Buffer tiny = from_client().ipv4({.id = 3, .more = true}).tcp({.destination_port = 80}).build();
  Buffer cut(tiny.begin(), tiny.begin() + 14 + 20 + 16);
  wire::store_be16(&cut[14 + 2], 36);
  wire::MutableIpv4View(wire::MutableBytes(cut).subspan(14)).fill_checksum();
  f.run({
      {"sixteen bytes of TCP", cut, Reason::fragment_tiny},
      {"a second one that would write over TCP's flags",
       from_client().ipv4({.id = 4, .offset = 8, .protocol = 6}).payload(Buffer(16)).build(), Reason::fragment_tiny},
      {"beyond 65535 bytes", from_client().ipv4({.id = 5, .offset = 65528, .protocol = 17}).payload(Buffer(64)).build(),
       Reason::fragment_overlap},
      {"a length that is no multiple of eight",
       from_client().ipv4({.id = 6, .offset = 64, .more = true, .protocol = 17}).payload(Buffer(63)).build(),
       Reason::bad_header},
  });
}

TEST_CASE("held fragments beyond the memory are refused") {
  FragmentFixture f;
  Reason reason = Reason::fragment_held;
  for (uint16_t offset = 64; offset < 64 + 8 * 200 && reason == Reason::fragment_held;
       offset = static_cast<uint16_t>(offset + 8)) {
    reason =
        f.receive(
             from_client().ipv4({.id = 9, .offset = offset, .more = true, .protocol = 17}).payload(Buffer(8)).build())
            .decision.reason;
  }
  CHECK(reason == Reason::fragment_limit);
}

TEST_CASE("an atomic IPv6 fragment is a whole packet; a first fragment leads the later ones") {
  Fixture f;
  f.add(udp(vip6));
  f.add_server(udp(vip6), server6, 53);
  const auto in = [](FragmentLayer layer) {
    return from_client().ipv6({.source = client6, .destination = vip6}).fragment(layer);
  };
  const auto out = [](FragmentLayer layer) {
    return to_server().ipv6({.source = client6, .destination = server6, .hop_limit = 63}).fragment(layer);
  };
  constexpr UdpLayer layer{.source_port = 1234, .destination_port = 53};
  constexpr FragmentLayer later{.offset = 64, .next_header = 17}, atomic{.id = 5};
  auto outcome = f.receive(in(atomic).udp(layer).payload("x").build());
  CHECK(outcome.decision.reason == Reason::scheduled);
  CHECK(outcome.out.size() == 1);
  f.run({{"a later one waits", in(later).payload(Buffer(16)).build(), Reason::fragment_held}});
  outcome = f.receive(in({.more = true}).udp(layer).payload(Buffer(56)).build());
  CHECK(outcome.decision.reason == Reason::established);
  REQUIRE(outcome.out.size() == 2);
  CHECK(outcome.out[1].frame == out(later).payload(Buffer(16)).build());
  CHECK(f.receive(in({.id = 6}).icmpv6({.type = 1}).build()).decision.reason == Reason::fragment_of_icmp_error);
}

TEST_CASE("SCTP fragments keep their ports or are refused") {
  Fixture f;
  f.add(sctp());
  f.add_server(sctp(), server4, 6001);
  const ChunkLayer init{.type = wire::sctp_chunk::init, .value = Buffer(16)};
  CHECK(f.receive(from_client().ipv4({.id = 3, .more = true}).sctp({.source_port = 1}).chunk(init).build())
            .decision.reason == Reason::sctp_fragment);
}

TEST_CASE("a later fragment does not open a flow in place of a removed server's") {
  Fixture f;
  director::Switches switches;
  switches.expire_nodest_conn = true;
  switches.udp_leave_removed = true;
  f.director.set_switches(switches);
  f.add(sctp());
  f.add_server(sctp(), server4, 5001);
  f.add_server(sctp(), "10.0.2.12", 5001);
  const ChunkLayer init{.type = wire::sctp_chunk::init, .value = Buffer(20)};
  const auto outcome = f.receive(
      from_client().ipv4({.id = 3, .more = true}).sctp({.source_port = 1}).chunk(init).payload(Buffer(4)).build());
  REQUIRE(outcome.decision.reason == Reason::scheduled);
  f.remove_server(sctp(), wire::to_string(f.director.services().destination(outcome.decision.destination).address),
                  5001);
  f.run({{"a later piece of eight bytes",
          from_client().ipv4({.id = 3, .offset = 40, .protocol = 132}).payload(Buffer(8)).build(),
          Reason::server_removed}});
}
