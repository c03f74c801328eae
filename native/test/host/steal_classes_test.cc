// SPDX-License-Identifier: Apache-2.0
// What the BPF programs decide about single frames. The kernel runs the programs (BPF_PROG_TEST_RUN).
#include <doctest/doctest.h>

#include "host/steal.h"
#include "namespace.h"
#include "packet_builder.h"
#include "plain_traffic.h"

using namespace sluice;
using test::address;
using test::ethernet;

namespace {

// Test runs come from the loopback device, whose address is zero.
constexpr test::EthernetLayer to_host = {.destination = "00:00:00:00:00:00"};
constexpr test::EthernetLayer to_all = {.destination = "ff:ff:ff:ff:ff:ff"};

enum class Owner { host, both, director };

// 10.0.1.100 and ::100 are addresses that the host does not have; the host has 10.0.1.1 and ::1.
test::PlainTraffic owned_traffic() {
  test::PlainTraffic all;
  const uint8_t tcp = wire::protocol::tcp, udp = wire::protocol::udp;
  all.services = {{address("10.0.1.100"), 80, tcp},    {address("10.0.1.100"), 53, udp},
                  {address("10.0.1.101"), 0, tcp},     {address("10.0.1.102"), 0, 0},
                  {address("10.0.1.1"), 8080, tcp},    {address("10.0.1.1"), 5353, udp},
                  {address("2001:db8::100"), 80, tcp}, {address("2001:db8::100"), 53, udp},
                  {address("2001:db8::1"), 8080, tcp}, {address("10.0.1.103"), 99, 0}};
  all.nat_servers = {
      {address("10.0.2.11"), 8000, tcp}, {address("10.0.2.12"), 0, udp}, {address("2001:db8:2::11"), 8000, tcp}};
  all.pools = {{address("10.0.3.1"), 1024, 65535}, {address("10.0.1.1"), 40000, 49999}};
  all.tunnel_servers = {address("10.0.2.20")};
  all.egress_sources = {{address("10.7.0.0"), 16}, {address("2001:db8:7::"), 48}};
  all.inside = {{address("10.8.0.0"), 16}};
  all.host_addresses = {address("10.0.1.1"), address("10.0.2.1"), address("2001:db8::1"), address("10.0.1.105")};
  return all;
}

struct Programs {
  std::unique_ptr<host::Steal> steal;
  explicit Programs(const test::PlainTraffic& of = owned_traffic()) {
    host::Failure failure;
    steal = host::Steal::attach({}, host::StealWay::tcx, failure);
    INFO(failure.message);
    REQUIRE(steal != nullptr);
    REQUIRE(steal->update(of, failure));
  }
  Owner owner(const test::Buffer& frame) const {
    const auto ingress = host::run_program(steal->ingress(), frame);
    const auto socket = host::run_program(steal->socket_filter(), frame);
    REQUIRE(ingress);
    REQUIRE(socket);
    constexpr uint32_t dropped = 2, next = UINT32_MAX;  // TC_ACT_SHOT, TC_ACT_UNSPEC
    REQUIRE((ingress->result == dropped || ingress->result == next));
    if (socket->result == 0) {
      CHECK(ingress->result == next);
      return Owner::host;
    }
    return ingress->result == dropped ? Owner::director : Owner::both;
  }
  uint32_t worker(const test::Buffer& frame) const {
    host::Failure failure;
    REQUIRE(steal->load_fanout(failure));
    const auto run = host::run_program(steal->fanout(), frame);
    REQUIRE(run);
    return run->result;
  }
};

struct Row {
  std::string description;
  test::PacketBuilder packet;
  Owner owner;
};

void check(const std::vector<Row>& rows, const Programs& programs) {
  for (const Row& row : rows) {
    CAPTURE(row.description);
    CHECK(programs.owner(row.packet.build()) == row.owner);
  }
}

test::PacketBuilder from_client(const char* to) {
  return ethernet(to_host).ipv4({.source = "192.0.2.7", .destination = to});
}
test::PacketBuilder from_client6(const char* to) {
  return ethernet(to_host).ipv6({.source = "2001:db8:99::7", .destination = to});
}
test::PacketBuilder reply(const char* from, const char* to = "192.0.2.7") {
  return ethernet(to_host).ipv4({.source = from, .destination = to});
}

// An ICMP error that quotes the packet.
test::Buffer quoting(const test::PacketBuilder& outer, test::PacketBuilder quoted, uint8_t type = 3, uint8_t code = 3) {
  test::Buffer whole = quoted.build();
  whole.erase(whole.begin(), whole.begin() + 14);
  test::PacketBuilder packet = outer;
  return packet.icmp({.type = type, .code = code, .rest = 0}).payload(whole).build();
}
test::Buffer quoting6(const test::PacketBuilder& outer, test::PacketBuilder quoted) {
  test::Buffer whole = quoted.build();
  whole.erase(whole.begin(), whole.begin() + 14);
  test::PacketBuilder packet = outer;
  return packet.icmpv6({.type = 1, .code = 4, .rest = 0}).payload(whole).build();
}

}  // namespace

TEST_CASE("packets to services, and all packets to addresses that the host does not have, are the director's") {
  if (!test::is_root()) return;
  check(
      {
          {"a service", from_client("10.0.1.100").tcp({.destination_port = 80}), Owner::director},
          {"its other port", from_client("10.0.1.100").tcp({.destination_port = 81}), Owner::director},
          {"its port, another protocol", from_client("10.0.1.100").udp({.destination_port = 80}), Owner::director},
          {"a protocol without ports", ethernet(to_host).ipv4({.destination = "10.0.1.100", .protocol = 89}),
           Owner::director},
          {"a UDP service", from_client("10.0.1.100").udp({.destination_port = 53}), Owner::director},
          {"a service of every port", from_client("10.0.1.101").tcp({.destination_port = 4711}), Owner::director},
          {"another protocol to it", from_client("10.0.1.101").udp({.destination_port = 4711}), Owner::director},
          {"a service of everything", from_client("10.0.1.102").sctp({.destination_port = 9}), Owner::director},
          {"a service of every protocol", from_client("10.0.1.103").sctp({.destination_port = 99}), Owner::director},
          {"a service on the host's address", from_client("10.0.1.1").tcp({.destination_port = 8080}), Owner::director},
          {"its other protocol", from_client("10.0.1.1").udp({.destination_port = 8080}), Owner::host},
          {"SSH to the host", from_client("10.0.1.1").tcp({.destination_port = 22}), Owner::host},
          {"a stranger's packet", from_client("198.51.100.1").tcp({.destination_port = 80}), Owner::host},
          {"another host's frame", ethernet().ipv4({.destination = "10.0.1.100"}).tcp({.destination_port = 80}),
           Owner::host},
          {"IP options",
           ethernet(to_host)
               .ipv4({.destination = "10.0.1.100", .options = test::hex("01010101")})
               .tcp({.destination_port = 80}),
           Owner::director},
          {"a VLAN tag", ethernet(to_host).vlan(5).ipv4({.destination = "10.0.1.100"}).tcp({.destination_port = 80}),
           Owner::director},
          {"two VLAN tags",
           ethernet(to_host)
               .vlan(5, {.tpid = 0x88a8})
               .vlan(6)
               .ipv4({.destination = "10.0.1.100"})
               .tcp({.destination_port = 80}),
           Owner::director},
          {"IPv6", from_client6("2001:db8::100").tcp({.destination_port = 80}), Owner::director},
          {"IPv6 to its other port", from_client6("2001:db8::100").tcp({.destination_port = 22}), Owner::director},
          {"IPv6 to the host's other port", from_client6("2001:db8::1").tcp({.destination_port = 22}), Owner::host},
          {"IPv6 with extension headers",
           from_client6("2001:db8::100").hop_by_hop().destination_options().ah().tcp({.destination_port = 80}),
           Owner::director},
          {"SSH to the host by IPv6", from_client6("2001:db8::1").tcp({.destination_port = 22}), Owner::host},
      },
      Programs());
}

TEST_CASE("replies of NAT real servers are the director's unless they answer the host") {
  if (!test::is_root()) return;
  check(
      {
          {"a reply", reply("10.0.2.11").tcp({.source_port = 8000, .destination_port = 5000}), Owner::director},
          {"from another port", reply("10.0.2.11").tcp({.source_port = 22, .destination_port = 5000}), Owner::host},
          {"to a health check", reply("10.0.2.11", "10.0.2.1").tcp({.source_port = 8000}), Owner::host},
          {"a server of every port", reply("10.0.2.12").udp({.source_port = 777}), Owner::director},
          {"its other protocol", reply("10.0.2.12").tcp({.source_port = 777}), Owner::host},
          {"to a group", reply("10.0.2.12", "224.0.0.251").udp({.source_port = 777}), Owner::host},
          {"IPv6",
           ethernet(to_host)
               .ipv6({.source = "2001:db8:2::11", .destination = "2001:db8:99::7"})
               .tcp({.source_port = 8000}),
           Owner::director},
      },
      Programs());
}

TEST_CASE("packets to a pool's address are the director's; only those to its ports if the host has the address") {
  if (!test::is_root()) return;
  check(
      {
          {"an address of the director's own", from_client("10.0.3.1").tcp({.destination_port = 40000}),
           Owner::director},
          {"any port of it", from_client("10.0.3.1").tcp({.destination_port = 22}), Owner::director},
          {"an echo reply to it", from_client("10.0.3.1").icmp({.type = 0}), Owner::director},
          {"the host's, a port of the pool", from_client("10.0.1.1").tcp({.destination_port = 40000}), Owner::director},
          {"the host's, the last port", from_client("10.0.1.1").udp({.destination_port = 49999}), Owner::director},
          {"the host's, below", from_client("10.0.1.1").tcp({.destination_port = 39999}), Owner::host},
          {"the host's, above", from_client("10.0.1.1").tcp({.destination_port = 50000}), Owner::host},
          {"the host's, an echo reply of the pool", from_client("10.0.1.1").icmp({.type = 0, .rest = 0x9c400001}),
           Owner::both},
          {"the host's, another echo reply", from_client("10.0.1.1").icmp({.type = 0, .rest = 0x00010001}),
           Owner::host},
      },
      Programs());
}

TEST_CASE("packets of networks behind the egress gateway are the director's if they leave") {
  if (!test::is_root()) return;
  check(
      {
          {"outwards", reply("10.7.3.4", "198.51.100.1").udp(), Owner::director},
          {"an echo outwards", reply("10.7.3.4", "198.51.100.1").icmp(), Owner::director},
          {"to the host", reply("10.7.3.4", "10.0.2.1").udp(), Owner::host},
          {"to a network inside", reply("10.7.3.4", "10.8.0.1").udp(), Owner::host},
          {"to a group", reply("10.7.3.4", "224.0.0.1").udp(), Owner::host},
          {"to the link", reply("10.7.3.4", "169.254.0.1").udp(), Owner::host},
          {"from elsewhere", reply("10.6.3.4", "198.51.100.1").udp(), Owner::host},
          {"IPv6 outwards", ethernet(to_host).ipv6({.source = "2001:db8:7::4", .destination = "2001:db8:99::7"}).udp(),
           Owner::director},
          {"IPv6 to the link", ethernet(to_host).ipv6({.source = "2001:db8:7::4", .destination = "fe80::7"}).udp(),
           Owner::host},
      },
      Programs());
}

TEST_CASE("echo requests to a virtual address are the director's if the host does not have the address") {
  if (!test::is_root()) return;
  check({{"not the host's", from_client("10.0.1.100").icmp(), Owner::director},
         {"the host's", from_client("10.0.1.1").icmp(), Owner::host},
         {"IPv6, not the host's", from_client6("2001:db8::100").icmpv6(), Owner::director},
         {"IPv6, the host's", from_client6("2001:db8::1").icmpv6(), Owner::host}},
        Programs());
}

TEST_CASE("the owner of an ICMP error is the owner of the quoted packet") {
  if (!test::is_root()) return;
  const Programs programs;
  const auto owner = [&](const test::Buffer& frame) { return programs.owner(frame); };
  const auto to_service = reply("192.0.2.7", "10.0.1.1").tcp({.source_port = 5000, .destination_port = 8080});
  const auto from_service = reply("10.0.1.1").tcp({.source_port = 8080, .destination_port = 5000});
  CHECK(owner(quoting(from_client("10.0.1.1"), from_service)) == Owner::director);
  CHECK(owner(quoting(reply("10.0.2.9"), to_service)) == Owner::director);
  const auto of_ssh = reply("10.0.1.1").tcp({.source_port = 22, .destination_port = 5000});
  CHECK(owner(quoting(from_client("10.0.1.1"), of_ssh)) == Owner::host);
  const auto to_server = reply("192.0.2.7", "10.0.2.11").tcp({.source_port = 5000, .destination_port = 8000});
  CHECK(owner(quoting(reply("10.0.2.11"), to_server)) == Owner::director);
  const auto of_health_check = reply("10.0.2.1", "10.0.2.11").tcp({.source_port = 5000, .destination_port = 8000});
  CHECK(owner(quoting(reply("10.0.2.11", "10.0.2.1"), of_health_check)) == Owner::host);
  const auto of_pool = reply("10.0.1.1", "10.0.2.13").tcp({.source_port = 40001, .destination_port = 8000});
  CHECK(owner(quoting(reply("10.0.2.13", "10.0.1.1"), of_pool)) == Owner::director);
  const auto in_tunnel =
      reply("10.0.2.1", "10.0.2.20").ipv4({.source = "192.0.2.7", .destination = "10.0.1.100"}).tcp();
  CHECK(owner(quoting(reply("10.0.2.254", "10.0.2.1"), in_tunnel, 3, 4)) == Owner::both);
  const auto from_service6 =
      ethernet(to_host).ipv6({.source = "2001:db8::1", .destination = "2001:db8:99::7"}).tcp({.source_port = 8080});
  CHECK(owner(quoting6(from_client6("2001:db8::1"), from_service6)) == Owner::director);
  const auto of_ssh6 =
      ethernet(to_host).ipv6({.source = "2001:db8::1", .destination = "2001:db8:99::7"}).tcp({.source_port = 22});
  CHECK(owner(quoting6(from_client6("2001:db8::1"), of_ssh6)) == Owner::host);
}

TEST_CASE("later fragments have the same owner as their first fragment") {
  if (!test::is_root()) return;
  const Programs programs;
  const auto fragment = [](const char* to, uint16_t id, uint16_t offset, bool more) {
    return ethernet(to_host).ipv4(
        {.source = "192.0.2.7", .destination = to, .id = id, .offset = offset, .more = more, .protocol = 17});
  };
  const test::Buffer body(64, 'x');
  const auto first = [&](const char* to, uint16_t id, uint16_t port) {
    return fragment(to, id, 0, true).udp({.destination_port = port}).payload(body).build();
  };
  const auto later = [&](const char* to, uint16_t id) { return fragment(to, id, 72, false).payload(body).build(); };
  CHECK(programs.owner(first("10.0.1.1", 1, 5353)) == Owner::director);
  CHECK(programs.owner(later("10.0.1.1", 1)) == Owner::director);
  CHECK(programs.owner(first("10.0.1.1", 2, 514)) == Owner::host);
  CHECK(programs.owner(later("10.0.1.1", 2)) == Owner::both);
  // The client's identifications have come round: the datagram is another one.
  CHECK(programs.owner(first("10.0.1.1", 1, 514)) == Owner::host);
  CHECK(programs.owner(later("10.0.1.1", 1)) == Owner::both);
  CHECK(programs.owner(later("10.0.1.1", 3)) == Owner::both);
  CHECK(programs.owner(later("10.0.1.105", 3)) == Owner::host);
  CHECK(programs.owner(later("10.0.1.100", 4)) == Owner::director);
  CHECK(programs.owner(first("10.0.1.100", 5, 9999)) == Owner::director);

  const auto fragment6 = [](bool is_first) {
    return from_client6("2001:db8::100")
        .fragment({.offset = static_cast<uint16_t>(is_first ? 0 : 72), .more = is_first, .id = 7, .next_header = 17});
  };
  CHECK(programs.owner(fragment6(true).udp({.destination_port = 53}).payload(body).build()) == Owner::director);
  CHECK(programs.owner(fragment6(false).payload(body).build()) == Owner::director);

  const auto server = [&](uint16_t offset, bool more) {
    return ethernet(to_host).ipv4(
        {.source = "10.0.2.12", .destination = "192.0.2.7", .id = 9, .offset = offset, .more = more, .protocol = 17});
  };
  CHECK(programs.owner(server(72, false).payload(body).build()) == Owner::both);
  CHECK(programs.owner(server(0, true).udp({.source_port = 53}).payload(body).build()) == Owner::director);
}

TEST_CASE(
    "ARP and neighbour solicitations for the director's addresses are the director's if the host does not have them") {
  if (!test::is_root()) return;
  const auto solicitation = [](const char* target) {
    return ethernet({.destination = "33:33:ff:00:01:00"})
        .ipv6({.source = "2001:db8::2", .destination = "ff02::1:ff00:100", .hop_limit = 255})
        .neighbour({.target = target});
  };
  check(
      {
          {"for a virtual address", ethernet(to_all).arp({.target = "10.0.1.100"}), Owner::director},
          {"for a local address of a pool", ethernet(to_all).arp({.target = "10.0.3.1"}), Owner::director},
          {"for the host's", ethernet(to_all).arp({.target = "10.0.1.1"}), Owner::host},
          {"for another's", ethernet(to_all).arp({.target = "10.0.1.77"}), Owner::host},
          {"a second owner's announcement", ethernet(to_all).arp({.sender = "10.0.1.1", .target = "10.0.1.1"}),
           Owner::both},
          {"an answer that a virtual address is elsewhere",
           ethernet(to_host).arp({.operation = 2, .sender = "10.0.1.100", .target = "10.0.1.1"}), Owner::both},
          {"an answer to the host", ethernet(to_host).arp({.operation = 2, .sender = "10.0.1.9", .target = "10.0.1.1"}),
           Owner::host},
          {"a solicitation", solicitation("2001:db8::100"), Owner::director},
          {"a solicitation of the host", solicitation("2001:db8::1"), Owner::host},
          {"a solicitation of another", solicitation("2001:db8::77"), Owner::host},
          {"an advertisement of a virtual address",
           ethernet(to_host)
               .ipv6({.source = "2001:db8::100", .destination = "2001:db8::1", .hop_limit = 255})
               .neighbour({.type = 136, .target = "2001:db8::100"}),
           Owner::both},
      },
      Programs());
}

TEST_CASE("frames to an address of the host that are cut short are the host's") {
  if (!test::is_root()) return;
  const Programs programs;
  for (const test::Buffer& whole : {from_client("10.0.1.1").tcp({.destination_port = 8080}).build(),
                                    from_client6("2001:db8::1").hop_by_hop().tcp({.destination_port = 8080}).build()}) {
    const size_t ports_end = whole.size() - 20 + 4;
    // The kernel runs a program only on a frame that holds a whole IP header.
    const size_t shortest = whole[12] == 0x08 ? 34 : 54;
    for (size_t length = shortest; length < ports_end; length++) {
      CAPTURE(length);
      CHECK(programs.owner(test::Buffer(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length))) == Owner::host);
    }
    CHECK(programs.owner(test::Buffer(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(ports_end))) ==
          Owner::director);
  }
}

TEST_CASE("both directions of a flow go to the same worker") {
  if (!test::is_root()) return;
  test::PlainTraffic all = owned_traffic();
  all.workers = 4;
  const Programs programs(all);
  std::array<int, 4> used{};
  for (uint16_t port = 5000; port < 5200; port++) {
    CAPTURE(port);
    const auto request = from_client("10.0.1.100").tcp({.source_port = port, .destination_port = 80}).build();
    const uint32_t worker = programs.worker(request);
    REQUIRE(worker < 4);
    used[worker]++;
    CHECK(programs.worker(reply("10.0.2.11").tcp({.source_port = 8000, .destination_port = port}).build()) == worker);
    const auto to_server = reply("192.0.2.7", "10.0.2.11").tcp({.source_port = port, .destination_port = 8000});
    CHECK(programs.worker(quoting(reply("10.0.2.11"), to_server)) == worker);
    const auto from_service = reply("10.0.1.100").tcp({.source_port = 80, .destination_port = port});
    CHECK(programs.worker(quoting(from_client("10.0.1.100"), from_service)) == worker);
    // Local ports are divided among workers by their remainder.
    CHECK(programs.worker(
              reply("10.0.2.13", "10.0.3.1").tcp({.source_port = 8000, .destination_port = port}).build()) == port % 4);
  }
  for (const int count : used) CHECK(count > 25);
}

TEST_CASE("clients that need the same worker go to the same worker, by the prefix of their address") {
  if (!test::is_root()) return;
  test::PlainTraffic all = owned_traffic();
  all.workers = 8;
  all.services[0].steering = {.by_port = false, .ipv4_prefix = 24};
  const Programs programs(all);
  const auto worker = [&](const char* client, uint16_t port) {
    return programs.worker(ethernet(to_host)
                               .ipv4({.source = client, .destination = "10.0.1.100"})
                               .tcp({.source_port = port, .destination_port = 80})
                               .build());
  };
  const uint32_t one = worker("192.0.2.7", 5000);
  CHECK(worker("192.0.2.7", 5001) == one);
  CHECK(worker("192.0.2.200", 6000) == one);
  bool differs = false;
  for (const char* other : {"192.0.3.7", "198.51.100.7", "203.0.113.9", "192.0.4.1"})
    differs |= worker(other, 5000) != one;
  CHECK(differs);
}

TEST_CASE("fragments of one datagram go to the worker of the first fragment") {
  if (!test::is_root()) return;
  test::PlainTraffic all = owned_traffic();
  all.workers = 4;
  const Programs programs(all);
  const test::Buffer body(64, 'x');
  for (uint16_t id = 1; id < 20; id++) {
    const auto part = [&](uint16_t offset, bool more) {
      return ethernet(to_host).ipv4({.source = "192.0.2.7",
                                     .destination = "10.0.1.100",
                                     .id = id,
                                     .offset = offset,
                                     .more = more,
                                     .protocol = 17});
    };
    const uint32_t first =
        programs.worker(part(0, true)
                            .udp({.source_port = static_cast<uint16_t>(4000 + id), .destination_port = 53})
                            .payload(body)
                            .build());
    CHECK(programs.worker(part(72, false).payload(body).build()) == first);
  }
}

TEST_CASE("a change steals what is new, still steals what stays, and gives the host back what was removed") {
  if (!test::is_root()) return;
  const Programs programs;
  const auto old_one = from_client("10.0.1.100").udp({.destination_port = 53}).build();
  const auto kept = from_client("10.0.1.100").tcp({.destination_port = 80}).build();
  const auto new_one = from_client("10.0.1.120").tcp({.destination_port = 80}).build();
  CHECK(programs.owner(new_one) == Owner::host);
  test::PlainTraffic next;
  next.services = {{address("10.0.1.100"), 80, 6}, {address("10.0.1.120"), 80, 6}};
  host::Failure failure;
  REQUIRE(programs.steal->update(next, failure));
  CHECK(programs.owner(old_one) == Owner::director);  // to an address that the host does not have
  CHECK(programs.owner(kept) == Owner::director);
  CHECK(programs.owner(new_one) == Owner::director);
  CHECK(programs.owner(reply("10.7.3.4", "198.51.100.1").udp().build()) == Owner::host);
  REQUIRE(programs.steal->update({}, failure));
  CHECK(programs.owner(kept) == Owner::host);
}

TEST_CASE("more entries than the maps hold are refused by name, and the next change works") {
  if (!test::is_root()) return;
  const Programs programs;
  test::PlainTraffic many;
  for (uint32_t i = 0; i < 5000; i++)
    many.egress_sources.push_back({wire::Ipv4Address{__builtin_bswap32(0x0b000000 + (i << 8))}, 24});
  host::Failure failure;
  CHECK_FALSE(programs.steal->update(many, failure));
  CHECK(failure.message.find("sluice_egress, which holds 4096 entries") != std::string::npos);
  REQUIRE(programs.steal->update(owned_traffic(), failure));
  CHECK(programs.owner(from_client("10.0.1.100").tcp({.destination_port = 80}).build()) == Owner::director);
  CHECK(programs.owner(reply("11.0.0.1", "198.51.100.1").udp().build()) == Owner::host);
}

namespace {

// Mark 5 has services of both families and real servers in mode NAT; mark 6 has none.
test::PlainTraffic marked_traffic() {
  test::PlainTraffic all = owned_traffic();
  test::PlainTraffic::Mark untaken, range, from_network, ipv6;
  untaken.destination = {address("10.0.1.1"), 32};
  untaken.protocol = wire::protocol::tcp;
  untaken.ports = {7005, 7005};
  range = untaken;
  range.ports = {7000, 7010};
  range.has_ipv4_service = true;
  from_network.source = {address("192.0.2.0"), 29};
  from_network.destination = {address("10.4.0.0"), 16};
  from_network.has_ipv4_service = true;
  ipv6.destination = {address("2001:db8:4::"), 48};
  ipv6.protocol = wire::protocol::udp;
  ipv6.ports = {53, 53};
  ipv6.has_ipv6_service = true;
  all.marks = {untaken, range, from_network, ipv6};
  all.nat_servers.push_back({address("10.0.2.30"), 0, 0, true});
  all.nat_servers.push_back({address("10.0.2.31"), 9000, 0, true});
  return all;
}

}  // namespace

TEST_CASE("packets with a firewall mark are the director's if the mark has a service") {
  if (!test::is_root()) return;
  const Programs programs(marked_traffic());
  check(
      {
          {"the first port of a range", from_client("10.0.1.1").tcp({.destination_port = 7000}), Owner::director},
          {"the last one", from_client("10.0.1.1").tcp({.destination_port = 7010}), Owner::director},
          {"before the range", from_client("10.0.1.1").tcp({.destination_port = 6999}), Owner::host},
          {"behind it", from_client("10.0.1.1").tcp({.destination_port = 7011}), Owner::host},
          {"the first rule that fits has no service", from_client("10.0.1.1").tcp({.destination_port = 7005}),
           Owner::host},
          {"another protocol", from_client("10.0.1.1").udp({.destination_port = 7000}), Owner::host},
          {"the host's SSH", from_client("10.0.1.1").tcp({.destination_port = 22}), Owner::host},
          {"an address of a network", from_client("10.4.7.7").sctp({.destination_port = 1}), Owner::director},
          {"an echo to it", from_client("10.4.7.7").icmp({.type = 8}), Owner::host},
          {"from outside of the source network", reply("192.0.2.8", "10.4.7.7").tcp({.destination_port = 1}),
           Owner::host},
          {"IPv6", from_client6("2001:db8:4::9").udp({.destination_port = 53}), Owner::director},
          {"IPv6, another port", from_client6("2001:db8:4::9").udp({.destination_port = 54}), Owner::host},
          {"a service beside the rules", from_client("10.0.1.100").tcp({.destination_port = 80}), Owner::director},
      },
      programs);
}

TEST_CASE("replies of a marked service's servers are the director's on the ports that the rules name") {
  if (!test::is_root()) return;
  test::PlainTraffic all = marked_traffic();
  all.marks.erase(all.marks.begin() + 2);  // the rule without ports
  check(
      {
          {"a reply", reply("10.0.2.30").tcp({.source_port = 7001}), Owner::director},
          {"from a port without service", reply("10.0.2.30").tcp({.source_port = 7005}), Owner::host},
          {"what the server itself begins", reply("10.0.2.30").tcp({.source_port = 40000}), Owner::host},
          {"a reply for the host", reply("10.0.2.30", "10.0.2.1").tcp({.source_port = 7001}), Owner::host},
          {"a server with a port of its own", reply("10.0.2.31").tcp({.source_port = 9000}), Owner::director},
          {"its other port", reply("10.0.2.31").tcp({.source_port = 7001}), Owner::host},
      },
      Programs(all));
}

TEST_CASE("ICMP errors about packets with a firewall mark are the director's") {
  if (!test::is_root()) return;
  test::PlainTraffic all = marked_traffic();
  all.marks.erase(all.marks.begin() + 2);  // the rule without ports
  const Programs programs(all);
  const auto request = [](const char* to, uint16_t port) {
    return ethernet().ipv4({.source = "192.0.2.7", .destination = to}).tcp({.destination_port = port});
  };
  const auto answer = [](const char* from, uint16_t port) {
    return ethernet().ipv4({.source = from, .destination = "192.0.2.7"}).tcp({.source_port = port});
  };
  CHECK(programs.owner(quoting(from_client("10.0.1.1"), answer("10.0.1.1", 7001))) == Owner::director);
  CHECK(programs.owner(quoting(from_client("10.0.1.1"), answer("10.0.1.1", 7005))) == Owner::host);
  CHECK(programs.owner(quoting(reply("10.0.2.30"), request("10.0.2.30", 7001))) == Owner::director);
  CHECK(programs.owner(quoting(reply("10.0.2.30"), request("10.0.2.30", 40000))) == Owner::host);
  CHECK(programs.owner(quoting(reply("10.0.1.254"), request("10.0.1.1", 7001))) == Owner::director);
}

TEST_CASE("both see a later fragment that might have a mark, until its first fragment has come") {
  if (!test::is_root()) return;
  const Programs programs(marked_traffic());
  const auto piece = [](const char* to, uint16_t id, uint16_t offset) {
    return ethernet(to_host).ipv4({.source = "192.0.2.7",
                                   .destination = to,
                                   .id = id,
                                   .offset = offset,
                                   .more = offset == 0,
                                   .protocol = wire::protocol::tcp});
  };
  CHECK(programs.owner(piece("10.0.1.1", 1, 64).payload(test::Buffer(8)).build()) == Owner::both);
  const test::Buffer start = {4, 0, 7000 >> 8, 7000 & 0xff};
  CHECK(programs.owner(piece("10.0.1.1", 1, 0).payload(start).build()) == Owner::director);
  CHECK(programs.owner(piece("10.0.1.1", 1, 64).payload(test::Buffer(8)).build()) == Owner::director);
}

TEST_CASE("both directions of a flow of a service by firewall mark go to one worker") {
  if (!test::is_root()) return;
  test::PlainTraffic all = marked_traffic();
  all.workers = 8;
  const Programs programs(all);
  for (uint16_t port = 1024; port < 1064; port++) {
    CAPTURE(port);
    const uint32_t worker =
        programs.worker(from_client("10.0.1.1").tcp({.source_port = port, .destination_port = 7001}).build());
    CHECK(programs.worker(reply("10.0.2.30").tcp({.source_port = 7001, .destination_port = port}).build()) == worker);
    const auto at_server = ethernet()
                               .ipv4({.source = "192.0.2.7", .destination = "10.0.2.30"})
                               .tcp({.source_port = port, .destination_port = 7001});
    CHECK(programs.worker(quoting(reply("10.0.2.30"), at_server)) == worker);
  }
}
