// SPDX-License-Identifier: Apache-2.0
// A director between a network of clients and one of real servers, for tests that are tables of packets.
//
//   client 10.0.1.2, 2001:db8:1::2 ───────┐                       ┌─── real servers 10.0.2.11-19
//                                         ├─── c0  director  s0 ──┘    and 2001:db8:2::11-19
//   router 10.0.1.254, 2001:db8:1::fe ────┘
//   (the default route)       c0 has 10.0.1.1, 2001:db8:1::1; s0 has 10.0.2.1, 2001:db8:2::1
//
// After every frame and every edit the fixture checks what must always hold: the counts of real servers equal those of
// a walk over the flows, nothing points to a removed object, and all transmitted frames have right checksums.
#pragma once

#include <doctest/doctest.h>

#include <initializer_list>
#include <map>
#include <memory>
#include <random>
#include <string>

#include "director/stages/director.h"
#include "memory/mapped_memory.h"
#include "packet_builder.h"
#include "wire/describe.h"
#include "wire/packet.h"

namespace sluice::test {

using director::Encapsulation;
using director::Forwarding;
using director::PortId;
using director::Reason;
using director::Segmentation;
using director::TransportChecksum;

inline constexpr PortId c0 = 0, s0 = 1;
inline constexpr std::string_view c0_mac = "02:00:00:00:c0:00", s0_mac = "02:00:00:00:50:00";
inline constexpr std::string_view client_mac = "02:00:00:00:c0:02", server_mac = "02:00:00:00:50:11";
inline constexpr std::string_view router_mac = "02:00:00:00:c0:fe";
inline constexpr std::string_view client4 = "10.0.1.2", vip4 = "10.0.1.100", server4 = "10.0.2.11";
inline constexpr std::string_view client6 = "2001:db8:1::2", vip6 = "2001:db8:1::100", server6 = "2001:db8:2::11";

// The link header of a frame from a neighbour, or to a neighbour.
inline PacketBuilder from_client() {
  return ethernet({.source = client_mac, .destination = c0_mac});
}
inline PacketBuilder to_client() {
  return ethernet({.source = c0_mac, .destination = client_mac});
}
inline PacketBuilder from_router() {
  return ethernet({.source = router_mac, .destination = c0_mac});
}
inline PacketBuilder to_router() {
  return ethernet({.source = c0_mac, .destination = router_mac});
}
inline PacketBuilder from_server() {
  return ethernet({.source = server_mac, .destination = s0_mac});
}
inline PacketBuilder to_server() {
  return ethernet({.source = s0_mac, .destination = server_mac});
}

// The properties of a frame beside its bytes. By default the port is the one whose MAC address the frame names.
struct Arrival {
  std::optional<PortId> port = {};
  TransportChecksum checksum = TransportChecksum::complete;
  Segmentation segmentation = Segmentation::none;
  uint16_t segment_size = 0;
  uint32_t mark = 0;
};

struct Sent {
  PortId port = 0;
  Buffer frame;
  TransportChecksum checksum = TransportChecksum::complete;
  Segmentation segmentation = Segmentation::none;
  uint8_t tunnel_length = 0;
};

struct Outcome {
  director::Decision decision;
  std::vector<Sent> out;
};

// One line of a table of packets.
struct Step {
  const char* what;
  Buffer in;
  Reason reason;
  std::vector<Buffer> out = {};
  Arrival arrival = {};
};

struct ServerOptions {
  Forwarding forwarding = Forwarding::nat;
  int32_t weight = 1;
  director::Tunnel tunnel = {};
  uint32_t upper = 0, lower = 0;
};

// Whether the transport checksum is right for the receiver: the sum is all ones; for a partial checksum, the field
// holds the pseudo-header's sum.
inline bool is_transport_checksum_right(wire::Bytes bytes, const wire::Packet& packet, TransportChecksum kind) {
  if (packet.fragment != wire::Fragment::none) return true;
  const wire::Bytes transport = bytes.subspan(packet.l4, packet.l4_length());
  const bool is_v4 = packet.ip_version == 4;
  const uint8_t* l3 = bytes.data() + packet.l3;
  const auto length = static_cast<uint32_t>(transport.size());
  const wire::Sum pseudo = is_v4 ? wire::pseudo_header_sum(wire::Ipv4Address::load(l3 + 12),
                                                           wire::Ipv4Address::load(l3 + 16), packet.protocol, length)
                                 : wire::pseudo_header_sum(wire::Ipv6Address::load(l3 + 8),
                                                           wire::Ipv6Address::load(l3 + 24), packet.protocol, length);
  const bool partial = kind == TransportChecksum::partial;
  const auto ported = [&](size_t field) {
    if (partial) return wire::load_raw16(transport.data() + field) == wire::fold(pseudo);
    return wire::fold(wire::sum_bytes(transport, pseudo)) == 0xffff;
  };
  switch (packet.protocol) {
    case wire::protocol::tcp:
      return ported(wire::TcpView::checksum_offset);
    case wire::protocol::udp:
      // Over IPv6 only a tunnel may omit the checksum (RFC 6935).
      if (wire::load_raw16(transport.data() + wire::UdpView::checksum_offset) == wire::no_udp_checksum) {
        return is_v4 || packet.destination_port == wire::GueView::port;
      }
      return ported(wire::UdpView::checksum_offset);
    case wire::protocol::sctp: {
      if (partial) return true;
      Buffer copy(transport.begin(), transport.end());
      wire::MutableSctpView(wire::MutableBytes(copy)).fill_checksum();
      return std::equal(copy.begin(), copy.end(), transport.begin());
    }
    case wire::protocol::icmp:
      return wire::fold(wire::sum_bytes(transport, 0)) == 0xffff;
    case wire::protocol::icmpv6:
      return wire::fold(wire::sum_bytes(transport, pseudo)) == 0xffff;
    case wire::protocol::ipip:
    case wire::protocol::ipv6: {
      wire::Packet inner;
      if (wire::dissect_ip(transport, inner) != wire::Malformed::ok) return false;
      return is_transport_checksum_right(transport, inner, kind);
    }
    default:
      return true;
  }
}

inline bool is_right(const Sent& sent) {
  wire::Packet packet;
  if (wire::dissect(sent.frame, packet) != wire::Malformed::ok) return false;
  if (packet.ip_version == 0) return packet.ethertype == wire::ethertype::arp;
  if (packet.ip_version == 4 && !wire::ipv4_header_checksum_ok(sent.frame, packet)) return false;
  if (packet.end() != sent.frame.size() && sent.segmentation == Segmentation::none) return false;
  return is_transport_checksum_right(sent.frame, packet, sent.checksum);
}

inline director::RandomSource seeded(uint32_t seed) {
  return [engine = std::mt19937(seed)]() mutable { return static_cast<uint32_t>(engine()); };
}

inline director::DirectorOptions small_options() {
  director::DirectorOptions options;
  options.flow_limit = 1 << 16;
  options.seed = {1, 2, 3, 4};
  options.random = seeded(1);
  options.start = 1000 * second;
  options.huge_pages = false;
  options.memory.own = &memory::process_memory();
  options.fragment_limit = 64;
  options.fragment_chunks = 64;
  return options;
}

// The ports of the picture above. A test may change them before it builds the director's route table from them.
struct Network {
  std::vector<director::Port> ports;
  std::vector<director::Route> routes;
  std::vector<director::Neighbour> neighbours;

  Network() {
    ports = {{"c0", mac(c0_mac), 1500, 0, {{address("10.0.1.1"), 24}, {address("2001:db8:1::1"), 64}}},
             {"s0", mac(s0_mac), 1500, 0, {{address("10.0.2.1"), 24}, {address("2001:db8:2::1"), 64}}}};
    routes = {{address("0.0.0.0"), 0, address("10.0.1.254"), c0}, {address("::"), 0, address("2001:db8:1::fe"), c0}};
    for (const auto& [host, link] : {std::pair{client4, client_mac}, {client6, client_mac}, {"10.0.1.3", client_mac}}) {
      neighbours.push_back({address(host), mac(link), c0});
    }
    neighbours.push_back({address("10.0.1.254"), mac(router_mac), c0});
    neighbours.push_back({address("2001:db8:1::fe"), mac(router_mac), c0});
    for (int i = 11; i <= 19; i++) {
      neighbours.push_back({address("10.0.2." + std::to_string(i)), mac(server_mac), s0});
      neighbours.push_back({address("2001:db8:2::" + std::to_string(i)), mac(server_mac), s0});
    }
  }
  std::shared_ptr<const director::RouteTable> route_table() const {
    return std::make_shared<director::RouteTable>(ports, routes, neighbours);
  }
};

inline director::ServiceKey service_key(uint8_t protocol, std::string_view virtual_address, uint16_t port) {
  director::ServiceKey key;
  key.protocol = protocol;
  key.address = address(virtual_address);
  key.port = port;
  return key;
}
inline director::ServiceKey tcp(std::string_view virtual_address = vip4, uint16_t port = 80) {
  return service_key(wire::protocol::tcp, virtual_address, port);
}
inline director::ServiceKey udp(std::string_view virtual_address = vip4, uint16_t port = 53) {
  return service_key(wire::protocol::udp, virtual_address, port);
}
inline director::ServiceKey sctp(std::string_view virtual_address = vip4, uint16_t port = 5001) {
  return service_key(wire::protocol::sctp, virtual_address, port);
}
inline director::ServiceKey mark(uint32_t number) {
  director::ServiceKey key;
  key.mark = number;
  return key;
}

class Fixture {
 public:
  explicit Fixture(const director::DirectorOptions& options = small_options()) : director(options), now(options.start) {
    use(network);
  }

  void use(const Network& changed) {
    network = changed;
    director.set_route_table(network.route_table());
  }
  void add(const director::ServiceKey& key, director::ServiceSettings settings = {}) {
    if (settings.persistence > 0 && settings.persistence_mask.is_unspecified()) {
      settings.persistence_mask = address(
          key.address.family == wire::Family::ipv4 ? "255.255.255.255" : "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    }
    settings.scheduler = settings.scheduler == "wlc" ? "rr" : settings.scheduler;
    REQUIRE(director.services().add_service(key, settings) == director::EditResult::done);
  }
  static director::DestinationSettings server(std::string_view host, uint16_t port, const ServerOptions& options = {}) {
    director::DestinationSettings settings;
    settings.address = address(host);
    settings.port = port;
    settings.forwarding = options.forwarding;
    settings.tunnel = options.tunnel;
    settings.weight = options.weight;
    settings.upper_threshold = options.upper;
    settings.lower_threshold = options.lower;
    return settings;
  }
  void add_server(const director::ServiceKey& key, std::string_view host, uint16_t port,
                  const ServerOptions& options = {}) {
    REQUIRE(director.services().add_destination(key, server(host, port, options)) == director::EditResult::done);
    check_invariants();
  }
  void edit_server(const director::ServiceKey& key, std::string_view host, uint16_t port,
                   const ServerOptions& options) {
    REQUIRE(director.services().edit_destination(key, server(host, port, options)) == director::EditResult::done);
    check_invariants();
  }
  void remove_server(const director::ServiceKey& key, std::string_view host, uint16_t port) {
    REQUIRE(director.remove_destination(key, address(host), port) == director::EditResult::done);
    check_invariants();
  }
  const director::Destination& server_of(const director::ServiceKey& key, std::string_view host) {
    const director::Service* service = director.services().find(key);
    REQUIRE(service != nullptr);
    for (const director::Destination* destination : service->destinations) {
      if (destination->address == address(host)) return *destination;
    }
    FAIL("no such server");
    return *service->destinations.front();
  }
  void set_pool(uint32_t id, std::initializer_list<std::string_view> addresses, uint16_t first, uint16_t last) {
    director::PoolSettings pool;
    for (const std::string_view text : addresses) pool.addresses.push_back(address(text));
    pool.first_port = first;
    pool.last_port = last;
    director.set_pool(id, pool);
  }

  void wait(Time duration) {
    now += duration;
    for (bool done = false; !done;) {
      director::TransmitQueue out;
      done = director.advance(now, 1000, out);
      for (const auto& entry : out.entries()) timer_sent.push_back(sent_of(entry));
    }
    check_invariants();
  }

  Outcome receive(const Buffer& bytes, const Arrival& arrival = {}) {
    buffer_.assign(director::required_headroom + bytes.size(), 0xaa);
    std::copy(bytes.begin(), bytes.end(), buffer_.begin() + director::required_headroom);
    director::Frame frame;
    frame.data = buffer_.data() + director::required_headroom;
    frame.length = static_cast<uint32_t>(bytes.size());
    frame.port = arrival.port.value_or(default_port(bytes));
    frame.checksum = arrival.checksum;
    frame.segmentation = arrival.segmentation;
    frame.segment_size = arrival.segment_size;
    frame.mark = arrival.mark;
    director::TransmitQueue out;
    trace.clear();
    Outcome outcome;
    outcome.decision = director.receive(frame, now, out, &trace);
    frames_++;
    for (const auto& entry : out.entries()) outcome.out.push_back(sent_of(entry));
    check_invariants();
    return outcome;
  }

  std::vector<director::Decision> receive_batch(const std::vector<Buffer>& all) {
    std::vector<Buffer> rooms;
    std::vector<director::Frame> frames;
    for (const Buffer& bytes : all) {
      rooms.push_back(Buffer(director::required_headroom) + bytes);
      director::Frame& frame = frames.emplace_back();
      frame.data = rooms.back().data() + director::required_headroom;
      frame.length = static_cast<uint32_t>(bytes.size());
      frame.port = default_port(bytes);
    }
    std::vector<director::Decision> decisions(all.size());
    director::TransmitQueue out;
    director.receive_batch(frames, decisions, now, out);
    frames_ += all.size();
    check_invariants();
    return decisions;
  }

  // The frame must get this decision, and exactly these frames must leave.
  Outcome expect(const Step& step) {
    INFO("step: ", step.what);
    INFO("in: ", wire::describe(step.in));
    const Outcome outcome = receive(step.in, step.arrival);
    std::string explained;
    for (const std::string& line : trace.steps()) explained += "\n  " + line;
    INFO("explained: ", explained);
    CHECK(director::reason_name(outcome.decision.reason) == director::reason_name(step.reason));
    CHECK(outcome.out.size() == step.out.size());
    for (size_t i = 0; i < outcome.out.size(); i++) {
      const Sent& sent = outcome.out[i];
      const std::string what = wire::describe(sent.frame);
      CHECK_MESSAGE(is_right(sent), "a checksum or length is wrong in: " << what);
      if (i >= step.out.size()) {
        FAIL_CHECK("also sent: " << what);
        continue;
      }
      CHECK(what == wire::describe(step.out[i]));
      CHECK_MESSAGE(sent.frame == step.out[i],
                    "differs in bytes: " << hex_of(sent.frame) << "\nexpected: " << hex_of(step.out[i]));
    }
    return outcome;
  }
  void run(std::initializer_list<Step> steps) {
    for (const Step& step : steps) expect(step);
  }

  // Compares the counts with a walk over the flows, and checks that nothing points to a removed object.
  void check_invariants() {
    std::map<uint32_t, Tally> tallies;
    walk_flows<wire::Ipv4Address>(tallies);
    walk_flows<wire::Ipv6Address>(tallies);
    std::map<uint32_t, const director::Destination*> known;
    director.services().for_each_destination([&](const director::Destination& destination) {
      known[destination.id] = &destination;
      const Tally& tally = tallies[destination.id];
      CHECK(destination.active == tally.active);
      CHECK(destination.inactive == tally.inactive);
      CHECK(destination.persistent == tally.persistent);
      CHECK(destination.flows == tally.active + tally.inactive + tally.persistent);
      CHECK((destination.available || destination.flows > 0));
    });
    for (const auto& [id, tally] : tallies) CHECK_MESSAGE(known.contains(id), "a flow points to a freed real server");
    uint64_t counted = 0;
    for (size_t i = 0; i < director::reason_count; i++) counted += director.count(static_cast<Reason>(i));
    CHECK(counted == frames_);
    CHECK(director.datagrams_in_pieces() <= 2 * small_options().fragment_limit);
  }

  size_t flow_count() {
    return director.flows<wire::Ipv4Address>().table().size() + director.flows<wire::Ipv6Address>().table().size();
  }
  template <class A = wire::Ipv4Address>
  uint64_t pool_flows(uint32_t id) {
    return director.pools().flows<A>(id);
  }

  Network network;
  director::Director director;
  Time now;
  director::Trace trace;
  std::vector<Sent> timer_sent;  // while the test waited

 private:
  static Sent sent_of(const director::TransmitQueue::Entry& entry) {
    const director::Frame& sent = entry.frame;
    return {sent.port, Buffer(sent.data, sent.data + sent.length), sent.checksum, sent.segmentation,
            sent.tunnel_length};
  }
  struct Tally {
    uint32_t active = 0, inactive = 0, persistent = 0;
  };

  template <class A>
  void walk_flows(std::map<uint32_t, Tally>& tallies) {
    auto& table = director.flows<A>().table();
    std::map<uint32_t, uint32_t> held;
    uint64_t local = 0;
    table.walk(0, table.span(), [&](director::Flow<A>& flow) {
      if (flow.flags & director::flow_flag::has_local) local++;
      if (!flow.is_template() && flow.control != director::no_flow) {
        held[flow.control]++;
        CHECK(table.is_live(flow.control));
        CHECK(table.at(flow.control).is_template());
      }
      if (flow.destination == director::no_destination) return;
      Tally& tally = tallies[flow.destination];
      if (flow.is_template()) {
        tally.persistent++;
      } else {
        (flow.flags & director::flow_flag::inactive ? tally.inactive : tally.active)++;
      }
    });
    table.walk(0, table.span(), [&](director::Flow<A>& flow) {
      if (flow.is_template()) CHECK(flow.control == held[table.index_of(flow)]);
    });
    uint64_t in_pools = 0;
    for (uint32_t id = 0; id < 4; id++) in_pools += pool_flows<A>(id);
    CHECK(in_pools == local);
  }

  PortId default_port(const Buffer& bytes) const {
    const wire::MacAddress s0_address = mac(s0_mac);
    return bytes.size() >= 6 && std::equal(bytes.begin(), bytes.begin() + 6, s0_address.bytes.begin()) ? s0 : c0;
  }
  static std::string hex_of(const Buffer& bytes) {
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (const uint8_t byte : bytes) {
      text += digits[byte >> 4];
      text += digits[byte & 15];
    }
    return text;
  }

  Buffer buffer_;
  uint64_t frames_ = 0;
};

}  // namespace sluice::test
