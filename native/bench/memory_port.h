// SPDX-License-Identifier: Apache-2.0
// A port in memory for benchmarks of the director: a ring of frame buffers, filled with packets of clients or servers
// outside of the measured time; and the director's route table for any number of services and real servers.
//
//   clients 11.0.0.0/8 behind a router on port 0, several flows each; virtual addresses 100.64.0.0/10; real servers
//   10.64.0.0/10, all neighbours on port 1. The same with IPv6: 2001:db8:b::/48, 2001:db8:64::/48, fd00:40::/32.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <vector>

#include "director/stages/director.h"
#include "memory/mapped_memory.h"
#include "wire/ethernet.h"
#include "wire/tcp.h"
#include "wire/udp.h"

namespace sluice::bench {

using namespace sluice::director;

inline constexpr wire::MacAddress client_port_mac{{2, 0, 0, 0, 0, 1}}, server_port_mac{{2, 0, 0, 0, 0, 2}};
inline constexpr wire::MacAddress router_mac{{2, 0, 0, 0, 0, 3}}, server_mac{{2, 0, 0, 0, 0, 4}};
inline constexpr PortId client_port = 0, server_port = 1;
inline constexpr uint16_t virtual_port = 80, real_port = 8080;
inline constexpr uint32_t flows_a_client = 4;  // as a browser opens

// CPU time of this thread only, so that other work on the core does not count.
inline double thread_nanoseconds() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

// The address with this number in a network.
template <class A>
A address_in(wire::Address network, uint32_t number) {
  const size_t last = A::family == wire::Family::ipv4 ? 4 : 16;
  uint8_t* const low = network.bytes.data() + last - 4;
  wire::store_be32(low, wire::load_be32(low) + number);
  return A::load(network.bytes.data());
}

template <class A>
struct Networks {
  static constexpr bool is_v4 = A::family == wire::Family::ipv4;
  static wire::Address parse(const char* v4, const char* v6) { return *wire::parse_address(is_v4 ? v4 : v6); }
  static A client(uint32_t n) { return address_in<A>(parse("11.0.0.1", "2001:db8:b::1"), n); }
  static A service(uint32_t n) { return address_in<A>(parse("100.64.0.1", "2001:db8:64::1"), n); }
  static A server(uint32_t n) { return address_in<A>(parse("10.64.0.1", "fd00:40::1"), n); }
  static A local(uint32_t n) { return address_in<A>(parse("10.0.2.10", "fd00:2::10"), n); }
};

struct FarmOptions {
  Forwarding forwarding = Forwarding::nat;
  uint8_t protocol = wire::protocol::tcp;
  uint32_t services = 1;
  uint32_t servers = 10;  // per service
  uint32_t flow_limit = 1 << 24;
  const char* scheduler = "rr";
};

template <class A>
ServiceKey service_key(const FarmOptions& options, uint32_t number) {
  ServiceKey key;
  key.address = Networks<A>::service(number);
  key.port = virtual_port;
  key.protocol = options.protocol;
  return key;
}

template <class A>
DestinationSettings server_settings(const FarmOptions& options, uint32_t number, int32_t weight = 1) {
  DestinationSettings settings;
  settings.address = Networks<A>::server(number);
  const bool keeps_port = options.forwarding == Forwarding::dr || options.forwarding == Forwarding::tunnel;
  settings.port = keeps_port ? virtual_port : real_port;
  settings.forwarding = options.forwarding;
  settings.weight = weight;
  return settings;
}

template <class A>
std::shared_ptr<const RouteTable> route_table_of(const FarmOptions& options) {
  const bool v4 = Networks<A>::is_v4;
  std::vector<Port> ports(2);
  ports[client_port] = {"c0", client_port_mac, 1500, 0, {}};
  ports[client_port].addresses.push_back({Networks<A>::parse("10.0.1.1", "fd00:1::1"), uint8_t(v4 ? 24 : 64)});
  ports[server_port] = {"s0", server_port_mac, 1500, 0, {}};
  ports[server_port].addresses.push_back(
      {Networks<A>::parse("10.127.255.254", "fd00:40::ffff:1"), uint8_t(v4 ? 10 : 64)});
  const wire::Address router = Networks<A>::parse("10.0.1.254", "fd00:1::fe");
  std::vector<Route> routes{{Networks<A>::parse("0.0.0.0", "::"), 0, router, client_port}};
  std::vector<Neighbour> neighbours{{router, router_mac, client_port}};
  for (uint32_t i = 0; i < options.services * options.servers; ++i) {
    neighbours.push_back({Networks<A>::server(i), server_mac, server_port});
  }
  return std::make_shared<RouteTable>(std::move(ports), std::move(routes), std::move(neighbours));
}

template <class A>
std::unique_ptr<Director> make_farm(const FarmOptions& options) {
  constexpr uint32_t pool = 1, pool_addresses = 64;
  DirectorOptions settings;
  settings.flow_limit = options.flow_limit;
  settings.seed = {1, 2, 3, 4};
  settings.random = [engine = std::mt19937(1)]() mutable { return static_cast<uint32_t>(engine()); };
  settings.start = second;
  settings.huge_pages = false;
  settings.memory.own = &memory::process_memory();
  auto director = std::make_unique<Director>(settings);
  director->set_route_table(route_table_of<A>(options));
  PoolSettings locals;
  for (uint32_t i = 0; i < pool_addresses; ++i) locals.addresses.push_back(Networks<A>::local(i));
  director->set_pool(pool, locals);
  ServiceSettings service;
  service.scheduler = options.scheduler;
  service.pool = pool;
  for (uint32_t s = 0; s < options.services; ++s) {
    const ServiceKey key = service_key<A>(options, s);
    if (director->services().add_service(key, service) != EditResult::done) std::abort();
    for (uint32_t d = 0; d < options.servers; ++d) {
      const auto added =
          director->services().add_destination(key, server_settings<A>(options, s * options.servers + d));
      if (added != EditResult::done) std::abort();
    }
  }
  return director;
}

template <class A>
Endpoints<A> client_endpoints(const FarmOptions& options, uint32_t flow) {
  return {Networks<A>::client(flow / flows_a_client), Networks<A>::service(flow % options.services),
          static_cast<uint16_t>(1024 + flow * 7919u % 60'000), virtual_port};
}

// Frames of 60 bytes (IPv6: 74) with right checksums, from clients or from real servers.
template <class A>
class MemoryPort {
 public:
  static constexpr bool is_v4 = Networks<A>::is_v4;
  static constexpr uint32_t l3 = 14, l4 = l3 + (is_v4 ? 20 : 40);
  static constexpr uint32_t batch_size = 32;

  MemoryPort(uint8_t protocol, uint32_t frames) : protocol_(protocol), memory_(frames * stride), frames_(frames) {
    decisions_.resize(frames);
    for (uint32_t i = 0; i < frames; ++i) initialize(i);
  }

  // Makes frame `i` a packet between these endpoints.
  void fill(uint32_t i, const Endpoints<A>& endpoints, bool from_client, uint8_t tcp_flags) {
    Frame& frame = frames_[i];
    frame.data = memory_.data() + i * stride + required_headroom;
    frame.length = length;
    frame.port = from_client ? client_port : server_port;
    uint8_t* at = frame.data;
    write_link_header(at, from_client);
    write_ip_header(at + l3, endpoints);
    std::memset(at + l4, 0, length - l4);
    wire::store_be16(at + l4, endpoints.source_port);
    wire::store_be16(at + l4 + 2, endpoints.destination_port);
    const uint32_t header = protocol_ == wire::protocol::tcp ? 20 : 8;
    const auto pseudo = wire::pseudo_header_sum(endpoints.source, endpoints.destination, protocol_, header);
    if (protocol_ == wire::protocol::tcp) {
      at[l4 + 12] = 5 << 4;
      at[l4 + 13] = tcp_flags;
    } else {
      wire::store_be16(at + l4 + 4, static_cast<uint16_t>(header));
    }
    const uint32_t field = protocol_ == wire::protocol::tcp ? 16 : 6;
    wire::store_raw16(at + l4 + field, wire::finish_checksum(wire::sum_bytes({at + l4, header}, pseudo)));
  }

  // Passes the first `count` frames through the director in batches, as an engine would. The transmit queue is only
  // cleared.
  [[gnu::noinline]] void pass(Director& director, uint32_t count, Time now) {
    for (uint32_t at = 0; at < count; at += batch_size) {
      const uint32_t batch = std::min(batch_size, count - at);
      queue_.clear();
      director.receive_batch({frames_.data() + at, batch}, {decisions_.data() + at, batch}, now, queue_);
    }
  }
  // Passes one frame.
  Decision pass_one(Director& director, uint32_t i, Time now) {
    queue_.clear();
    return director.receive(frames_[i], now, queue_);
  }

  // Exits unless all of the first `count` frames were forwarded: otherwise the figures would measure something else.
  void check(uint32_t count) const {
    for (uint32_t i = 0; i < count; ++i) {
      if (decisions_[i].verdict() == Verdict::forward) continue;
      std::fprintf(stderr, "a packet was not forwarded: %s\n", std::string(reason_name(decisions_[i].reason)).c_str());
      std::exit(1);
    }
  }
  // Frame `i` as a port gives it.
  const Frame& received(uint32_t i) const { return frames_[i]; }
  uint32_t frames() const { return static_cast<uint32_t>(frames_.size()); }
  const Frame& sent(uint32_t i) { return queue_.entries()[i].frame; }

 private:
  static constexpr uint32_t length = is_v4 ? 60 : 74;
  static constexpr uint32_t stride = 256;

  void initialize(uint32_t i) { std::memset(memory_.data() + i * stride, 0, stride); }

  void write_link_header(uint8_t* at, bool from_client) {
    std::memcpy(at, (from_client ? client_port_mac : server_port_mac).bytes.data(), 6);
    std::memcpy(at + 6, (from_client ? router_mac : server_mac).bytes.data(), 6);
    wire::store_be16(at + 12, is_v4 ? wire::ethertype::ipv4 : wire::ethertype::ipv6);
  }

  void write_ip_header(uint8_t* ip, const Endpoints<A>& endpoints) {
    const uint16_t transport = protocol_ == wire::protocol::tcp ? 20 : 8;
    std::memset(ip, 0, l4 - l3);
    if constexpr (is_v4) {
      ip[0] = 0x45;
      wire::store_be16(ip + 2, static_cast<uint16_t>(20 + transport));
      ip[8] = 64;
      ip[9] = protocol_;
      endpoints.source.store(ip + 12);
      endpoints.destination.store(ip + 16);
      wire::store_raw16(ip + 10, wire::internet_checksum({ip, 20}));
    } else {
      ip[0] = 0x60;
      wire::store_be16(ip + 4, transport);
      ip[6] = protocol_;
      ip[7] = 64;
      endpoints.source.store(ip + 8);
      endpoints.destination.store(ip + 24);
    }
  }

  const uint8_t protocol_;
  std::vector<uint8_t> memory_;
  std::vector<Frame> frames_;
  std::vector<Decision> decisions_;
  TransmitQueue queue_;
};

}  // namespace sluice::bench
