// SPDX-License-Identifier: Apache-2.0
// The express lane against the whole decision: two directors of the same configuration see the same packets, one in
// batches, one frame by frame with a trace, which has no express lane. All that can be seen of them must stay the same.
#include <doctest/doctest.h>

#include "test/director/fixture.h"

namespace sluice::test {
namespace {

constexpr size_t most_frames = 40;  // a batch of the director is 32

struct Farm {
  director::Director director{small_options()};

  explicit Farm(const Network& network) {
    director.set_route_table(network.route_table());
    director.set_pool(1, {{address("10.0.2.200"), address("2001:db8:2::200")}, 1024, 65535});
    add(tcp(), {{server4, 8080, {Forwarding::nat}}, {"10.0.2.12", 80, {Forwarding::dr}}});
    add(udp(), {{server4, 5353, {Forwarding::nat}}, {"10.0.2.12", 53, {Forwarding::dr}}});
    add(tcp(vip4, 81), {{"10.0.2.13", 80, {Forwarding::fullnat}}, {"10.0.2.14", 81, {Forwarding::tunnel}}});
    add(tcp(vip4, 82), {{"10.0.2.15", 80, {Forwarding::nat}}}, 60);
    add(udp(vip4, 83), {{"10.0.2.15", 83, {Forwarding::nat}}}, 60);
    add(udp(vip4, 81), {{"10.0.2.13", 80, {Forwarding::fullnat}}, {"10.0.2.14", 81, {Forwarding::tunnel}}});
    add(tcp(vip6), {{server6, 8080, {Forwarding::nat}}, {"2001:db8:2::12", 80, {Forwarding::fullnat}}});
    add(udp(vip6), {{server6, 5353, {Forwarding::nat}}, {"2001:db8:2::12", 53, {Forwarding::dr}}});
    add(tcp(vip6, 81), {{"2001:db8:2::13", 81, {Forwarding::dr}}, {"2001:db8:2::14", 81, {Forwarding::tunnel}}});
    add(udp(vip6, 81), {{"2001:db8:2::13", 80, {Forwarding::fullnat}}, {"2001:db8:2::14", 81, {Forwarding::tunnel}}});
    for (const director::ServiceKey& key : {tcp(vip4, 84), udp(vip4, 84), tcp(vip6, 84), udp(vip6, 84)}) {
      add_tunnels(key);
    }
  }

  // Every kind of tunnel, over either family.
  void add_tunnels(const director::ServiceKey& key) {
    const auto through = [](const director::Tunnel& tunnel) {
      return ServerOptions{.forwarding = Forwarding::tunnel, .tunnel = tunnel};
    };
    add(key, {{"10.0.2.11", 84, through({})},
              {"10.0.2.12", 84, through({Encapsulation::gue, 6080})},
              {"10.0.2.13", 84, through({Encapsulation::gue, 6081, true})},
              {"10.0.2.14", 84, through({Encapsulation::gue, 6080, false, true})},
              {"10.0.2.15", 84, through({Encapsulation::gre})},
              {"10.0.2.16", 84, through({Encapsulation::gre, 0, true})},
              {"2001:db8:2::11", 84, through({})},
              {"2001:db8:2::12", 84, through({Encapsulation::gue, 6080})},
              {"2001:db8:2::13", 84, through({Encapsulation::gue, 6081, true})},
              {"2001:db8:2::14", 84, through({Encapsulation::gre})},
              {"2001:db8:2::15", 84, through({Encapsulation::gre, 0, true})}});
  }

  struct Server {
    std::string_view host;
    uint16_t port;
    ServerOptions options;
  };
  void add(const director::ServiceKey& key, std::initializer_list<Server> servers, uint32_t persistence = 0) {
    director::ServiceSettings settings;
    settings.scheduler = "rr";
    settings.pool = 1;
    settings.persistence = persistence;
    settings.persistence_mask = address("255.255.255.255");
    REQUIRE(director.services().add_service(key, settings) == director::EditResult::done);
    for (const Server& server : servers) {
      REQUIRE(director.services().add_destination(key, Fixture::server(server.host, server.port, server.options)) ==
              director::EditResult::done);
    }
  }
};

struct Arriving {
  Buffer bytes;
  PortId port = c0;
  TransportChecksum checksum = TransportChecksum::complete;
  Segmentation segmentation = Segmentation::none;
  uint16_t segment_size = 0;
};

class Traffic {
 public:
  explicit Traffic(director::Director& director) : director_(director) {}

  Arriving next() {
    Arriving arriving = one_in(2) ? from_client() : from_server();
    damage(arriving.bytes);
    if (one_in(2)) leave_to_device(arriving);
    return arriving;
  }
  bool one_in(uint32_t chances) { return draw(chances) == 0; }

 private:
  uint32_t draw(uint32_t limit) { return static_cast<uint32_t>(random_()) % limit; }

  uint8_t flags() {
    constexpr uint8_t kinds[] = {SYN, ACK, ACK, ACK, ACK, ACK, ACK | PSH, FIN | ACK, RST, SYN | ACK, 0, URG};
    return kinds[draw(std::size(kinds))];
  }

  // With every ECN codepoint.
  uint8_t traffic_class() { return one_in(2) ? 0 : static_cast<uint8_t>(draw(256)); }

  Arriving from_client() {
    constexpr uint16_t tcp_ports[] = {80, 81, 84, 82}, udp_ports[] = {53, 81, 84, 83};
    const bool is_v4 = one_in(2), is_tcp = !one_in(3);
    const auto port = static_cast<uint16_t>(1024 + draw(24));
    const uint32_t services = is_v4 ? 4 : 3;
    const uint16_t to = is_tcp ? tcp_ports[draw(services)] : udp_ports[draw(services)];
    const wire::Address source = address(is_v4 ? client4 : client6), destination = address(is_v4 ? vip4 : vip6);
    return {build(test::from_client(), source, destination, port, to, is_tcp), c0};
  }

  // What answers some flow; something else while there is none.
  Arriving from_server() {
    const bool is_v4 = one_in(2);
    return is_v4 ? reply<wire::Ipv4Address>() : reply<wire::Ipv6Address>();
  }
  template <class A>
  Arriving reply() {
    auto& table = director_.flows<A>().table();
    std::vector<director::Flow<A>*> answerable;
    table.walk(0, table.span(), [&](director::Flow<A>& flow) {
      if ((flow.flags & director::flow_has_reverse) != 0) answerable.push_back(&flow);
    });
    if (answerable.empty()) return from_client();
    const auto& flow = *answerable[draw(static_cast<uint32_t>(answerable.size()))];
    const auto& reverse = flow.reverse;
    return {build(test::from_server(), reverse.source, reverse.destination, reverse.source_port,
                  reverse.destination_port, flow.protocol == wire::protocol::tcp),
            s0};
  }

  void leave_to_device(Arriving& arriving) {
    arriving.checksum = one_in(12) ? TransportChecksum::complete : TransportChecksum::partial;
    if (!one_in(3)) return;
    constexpr Segmentation kinds[] = {Segmentation::tcp4, Segmentation::tcp6, Segmentation::udp};
    arriving.segmentation = kinds[draw(std::size(kinds))];
    arriving.segment_size = static_cast<uint16_t>(one_in(4) ? 1400 + draw(100) : 1 + draw(1400));
  }

  Buffer build(PacketBuilder builder, const wire::Address& source, const wire::Address& destination,
               uint16_t source_port, uint16_t destination_port, bool is_tcp) {
    const auto hop_limit = static_cast<uint8_t>(one_in(20) ? draw(3) : 64);
    const std::string from = wire::to_string(source), to = wire::to_string(destination);
    if (one_in(20)) builder.vlan(5);
    if (source.family == wire::Family::ipv4) {
      builder.ipv4({.source = from,
                    .destination = to,
                    .ttl = hop_limit,
                    .tos = traffic_class(),
                    .id = static_cast<uint16_t>(draw(UINT16_MAX)),
                    .dont_fragment = one_in(2)});
    } else {
      builder.ipv6({.source = from, .destination = to, .hop_limit = hop_limit, .traffic_class = traffic_class()});
    }
    if (is_tcp) {
      builder.tcp({.source_port = source_port, .destination_port = destination_port, .flags = flags()});
    } else {
      builder.udp({.source_port = source_port, .destination_port = destination_port});
    }
    const uint32_t length = one_in(8) ? 1380 + draw(120) : one_in(10) ? draw(5000) : draw(30);
    return builder.payload(Buffer(length)).build();
  }

  void damage(Buffer& bytes) {
    if (one_in(15)) bytes[draw(static_cast<uint32_t>(std::min<size_t>(bytes.size(), 60)))] ^= 1 << draw(8);
    if (one_in(30)) bytes.resize(draw(static_cast<uint32_t>(bytes.size())));
    if (one_in(15)) bytes.resize(bytes.size() + draw(20));  // padding
  }

  director::Director& director_;
  std::mt19937_64 random_{7};
};

struct Fate {
  Reason reason;
  uint32_t destination;
  bool operator==(const Fate&) const = default;
};
struct Departure {
  uint32_t cause;
  PortId port;
  TransportChecksum checksum;
  Segmentation segmentation;
  uint16_t segment_size;
  uint8_t tunnel_length;
  uint32_t mark;
  Buffer bytes;
  bool operator==(const Departure&) const = default;
};
struct Seen {
  std::vector<Fate> fates;
  std::vector<Departure> departures;
};

struct Buffers {
  std::vector<Buffer> memory;
  std::vector<director::Frame> frames;
  explicit Buffers(const std::vector<Arriving>& arriving) {
    for (const Arriving& one : arriving) {
      Buffer& buffer = memory.emplace_back(director::required_headroom);
      buffer.insert(buffer.end(), one.bytes.begin(), one.bytes.end());
      director::Frame& frame = frames.emplace_back();
      frame.length = static_cast<uint32_t>(one.bytes.size());
      frame.port = one.port;
      frame.checksum = one.checksum;
      frame.segmentation = one.segmentation;
      frame.segment_size = one.segment_size;
      frame.mark = static_cast<uint32_t>(frames.size() % 3);
    }
    for (size_t i = 0; i < frames.size(); i++) frames[i].data = memory[i].data() + director::required_headroom;
  }
};

void add_departures(Seen& seen, director::TransmitQueue& queue, uint32_t cause) {
  for (const auto& entry : queue.entries()) {
    const director::Frame& frame = entry.frame;
    seen.departures.push_back({cause + entry.cause, frame.port, frame.checksum, frame.segmentation, frame.segment_size,
                               frame.tunnel_length, frame.mark, Buffer(frame.data, frame.data + frame.length)});
  }
}

Seen pass_as_batch(director::Director& director, const std::vector<Arriving>& arriving, Time now) {
  Buffers buffers(arriving);
  Seen seen;
  director::TransmitQueue queue(1);  // grows
  std::vector<director::Decision> decisions(arriving.size());
  director.receive_batch(buffers.frames, decisions, now, queue);
  for (const director::Decision& decision : decisions) seen.fates.push_back({decision.reason, decision.destination});
  add_departures(seen, queue, 0);
  return seen;
}

Seen pass_with_trace(director::Director& director, const std::vector<Arriving>& arriving, Time now) {
  Buffers buffers(arriving);
  Seen seen;
  for (uint32_t i = 0; i < arriving.size(); i++) {
    director::TransmitQueue queue;
    director::Trace trace;
    const director::Decision decision = director.receive(buffers.frames[i], now, queue, &trace);
    seen.fates.push_back({decision.reason, decision.destination});
    add_departures(seen, queue, i);
  }
  return seen;
}

template <class A>
void check_same_flows(director::Director& one, director::Director& other) {
  auto& table = one.flows<A>().table();
  auto& others = other.flows<A>().table();
  REQUIRE(table.span() == others.span());
  REQUIRE(table.size() == others.size());
  for (uint32_t i = 0; i < table.span(); i++) {
    REQUIRE(table.is_live(i) == others.is_live(i));
    if (!table.is_live(i)) continue;
    const auto& a = table.at(i);
    const auto& b = others.at(i);
    REQUIRE(a.forward == b.forward);
    REQUIRE(a.reverse == b.reverse);
    REQUIRE(a.state == b.state);
    REQUIRE(a.flags == b.flags);
    REQUIRE(a.packets == b.packets);
    REQUIRE(a.control == b.control);
    REQUIRE(a.deadline == b.deadline);
  }
}

void check_same_counts(director::Director& one, director::Director& other) {
  for (size_t i = 0; i < director::reason_count; i++) {
    REQUIRE(one.count(static_cast<Reason>(i)) == other.count(static_cast<Reason>(i)));
  }
  one.services().for_each_destination([&](const director::Destination& a) {
    const director::Destination& b = other.services().destination(a.id);
    REQUIRE(a.active == b.active);
    REQUIRE(a.inactive == b.inactive);
    REQUIRE(a.counters.connections == b.counters.connections);
    REQUIRE(a.counters.packets_in == b.counters.packets_in);
    REQUIRE(a.counters.bytes_in == b.counters.bytes_in);
    REQUIRE(a.counters.packets_out == b.counters.packets_out);
    REQUIRE(a.counters.bytes_out == b.counters.bytes_out);
  });
}

// Two directors of the same configuration, and what both make of the same packets.
class Twins {
 public:
  explicit Twins(const Network& network = {}) : batched_(network), traced_(network), traffic_(traced_.director) {}

  // Of either director the same.
  template <class Change>
  void change(Change change) {
    change(batched_.director);
    change(traced_.director);
  }
  void pass(uint32_t batches) {
    for (uint32_t i = 0; i < batches; i++) {
      std::vector<Arriving> arriving;
      for (size_t frame = 0; frame < most_frames; frame++) arriving.push_back(traffic_.next());
      const Seen some = pass_as_batch(batched_.director, arriving, now_);
      const Seen all = pass_with_trace(traced_.director, arriving, now_);
      REQUIRE(some.fates == all.fates);
      REQUIRE(some.departures == all.departures);
    }
  }
  void check_same() {
    check_same_flows<wire::Ipv4Address>(batched_.director, traced_.director);
    check_same_flows<wire::Ipv6Address>(batched_.director, traced_.director);
    check_same_counts(batched_.director, traced_.director);
  }
  void wait(Time duration) { now_ += duration; }
  void run_timers() {
    change([&](director::Director& director) {
      director::TransmitQueue out;
      while (!director.advance(now_, 1000, out)) {
      }
    });
  }
  bool one_in(uint32_t chances) { return traffic_.one_in(chances); }
  uint64_t count(Reason reason) { return batched_.director.count(reason); }

 private:
  Farm batched_, traced_;
  Traffic traffic_;
  Time now_ = small_options().start;
};

TEST_CASE("a packet on the express lane has the fate that the whole decision gives it") {
  Twins twins;
  for (uint32_t round = 0; round < 1500; round++) {
    twins.pass(1);
    if (twins.one_in(10)) twins.check_same();
    twins.wait(twins.one_in(10) ? 90 * second : second / 100);
    if (!twins.one_in(3)) twins.run_timers();  // else some flows are found after their time
  }
  twins.check_same();
  CHECK(twins.count(Reason::established) > 1000);
  CHECK(twins.count(Reason::reply) > 1000);
}

TEST_CASE("a frame leaves the express lane with the tag of its port, or not at all where it is too long") {
  Network network;
  network.ports[s0].vlan = 7;
  network.ports[c0].mtu = 600;
  Twins twins(network);
  twins.pass(200);
  twins.check_same();
}

TEST_CASE("a tunnel has the same room on the express lane, whatever the MTU") {
  for (const uint32_t mtu : {80, 90, 130, 600, 1280, 1310, 1330, 1420, 1460, 1480, 9000, 65535}) {
    CAPTURE(mtu);
    Network network;
    network.ports[s0].mtu = mtu;
    Twins twins(network);
    twins.pass(100);
    twins.check_same();
  }
}

TEST_CASE("a tunnel's outer header copies DF on the express lane if the whole decision copies it") {
  Twins twins;
  director::Switches switches;
  switches.pmtu_disc = false;
  twins.change([&](director::Director& director) { director.set_switches(switches); });
  twins.pass(200);
  twins.change([&](director::Director& director) { director.set_switches({}); });
  twins.pass(200);
  twins.check_same();
}

TEST_CASE("tunnelled frames whose segments are cut behind the port are the same on the express lane") {
  Network network;
  network.ports[s0].cuts_tunnelled = true;
  Twins twins(network);
  twins.pass(400);
  twins.check_same();
}

TEST_CASE("the express lane follows edits of real servers and routes") {
  Network network;
  Twins twins(network);
  const auto edit = [&](const director::ServiceKey& key, std::string_view host, uint16_t port, ServerOptions options) {
    twins.change([&](director::Director& director) {
      REQUIRE(director.services().edit_destination(key, Fixture::server(host, port, options)) ==
              director::EditResult::done);
    });
    twins.pass(40);
  };
  twins.pass(40);
  edit(tcp(vip4, 84), "10.0.2.11", 84, {Forwarding::tunnel, 1, {Encapsulation::gre}});
  edit(tcp(vip4, 84), "10.0.2.12", 84, {Forwarding::tunnel, 1, {Encapsulation::gue, 7000}});
  edit(udp(vip6, 84), "10.0.2.11", 84, {Forwarding::tunnel, 1, {Encapsulation::gue, 7000, true}});
  edit(tcp(vip4, 84), "10.0.2.11", 84, {Forwarding::dr});
  edit(tcp(vip4), "10.0.2.12", 80, {Forwarding::tunnel});
  network.ports[s0].addresses = {{address("10.0.2.9"), 24}, {address("2001:db8:2::9"), 64}};
  twins.change([&](director::Director& director) { director.set_route_table(network.route_table()); });
  twins.pass(40);
  network.ports[s0].addresses = {{address("10.0.2.9"), 24}};  // nothing to send IPv6 from
  twins.change([&](director::Director& director) { director.set_route_table(network.route_table()); });
  twins.pass(40);
  twins.change([&](director::Director& director) {
    director.remove_destination(tcp(vip4, 84), address("10.0.2.15"), 84);
    director.remove_destination(tcp(vip4), address(server4), 8080);
  });
  twins.pass(40);
  twins.check_same();
}

}  // namespace
}  // namespace sluice::test
