// SPDX-License-Identifier: Apache-2.0
// Damaged records of a process that has crashed. A director runs the usual frames; the input says which bytes of its
// memory are overwritten. Another director restores from the result: it must refuse what it cannot use, and the flows
// that it takes must live and end as any flow does.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "director/stages/director.h"
#include "director_frames.h"
#include "memory/mapped_memory.h"

using namespace sluice;
using namespace sluice::test;
using director::Director;

namespace {

#define REQUIRE_THAT(condition)                                            \
  do {                                                                     \
    if (!(condition)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                        \
    }                                                                      \
  } while (false)

constexpr Time start = 1000 * second;
constexpr uint32_t pool = 1;

std::shared_ptr<const director::RouteTable> network() {
  std::vector<director::Port> ports = {
      {"c0", mac(c0_mac), 1500, 0, {{address("10.0.1.1"), 24}, {address("2001:db8:1::1"), 64}}},
      {"s0", mac(s0_mac), 1500, 0, {{address("10.0.2.1"), 24}, {address("2001:db8:2::1"), 64}}}};
  std::vector<director::Route> routes = {{address("0.0.0.0"), 0, address("10.0.1.254"), 0},
                                         {address("::"), 0, address("2001:db8:1::fe"), 0}};
  std::vector<director::Neighbour> neighbours;
  for (const std::string_view host : {client4, client6, std::string_view("10.0.1.254")})
    neighbours.push_back({address(host), mac(host_mac), 0});
  for (const std::string_view host : {server4, server6}) neighbours.push_back({address(host), mac(host_mac), 1});
  return std::make_shared<director::RouteTable>(ports, routes, neighbours);
}

// Adds a service of every kind that leaves records in memory.
void configure(Director& director) {
  using enum director::Forwarding;
  director.set_route_table(network());
  director.set_pool(pool, {{address(local4), address(local6), address(public4)}, 40000, 40003});
  struct Row {
    uint8_t protocol;
    std::string_view address;
    uint16_t port;
    director::Forwarding mode;
    bool is_persistent = false, is_proxied = false, is_announced = false;
  };
  const Row rows[] = {{6, vip4, 80, nat, true},
                      {6, vip4, 81, fullnat, false, false, true},
                      {6, vip4, 82, dr},
                      {6, vip4, 83, tunnel},
                      {6, vip4, 84, fullnat, false, true, true},
                      {6, vip6, 80, nat, false, true},
                      {6, vip6, 81, fullnat, true, false, true},
                      {17, vip4, 53, nat},
                      {17, vip6, 53, nat, true},
                      {132, vip4, 5001, nat}};
  for (const Row& row : rows) {
    director::ServiceKey key;
    key.protocol = row.protocol;
    key.address = address(row.address);
    key.port = row.port;
    const bool is_ipv4 = row.address == vip4;
    director::ServiceSettings settings;
    settings.pool = pool;
    settings.persistence = row.is_persistent ? 20 : 0;
    settings.persistence_mask = address(is_ipv4 ? "255.255.255.0" : "ffff:ffff::");
    settings.syn_proxy = row.is_proxied ? director::SynProxy::on : director::SynProxy::off;
    settings.proxy_protocol = row.is_announced;
    director::DestinationSettings server;
    server.address = address(is_ipv4 ? server4 : server6);
    server.port = row.port;
    server.forwarding = row.mode;
    REQUIRE_THAT(director.services().add_service(key, settings) == director::EditResult::done);
    REQUIRE_THAT(director.services().add_destination(key, server) == director::EditResult::done);
  }
  director.set_egress({{address("10.0.2.0"), 24, pool}});
}

director::DirectorOptions options() {
  director::DirectorOptions options;
  options.flow_limit = 64;
  options.seed = {1, 2, 3, 4};
  options.random = [engine = std::mt19937(1)]() mutable { return static_cast<uint32_t>(engine()); };
  options.start = start;
  options.memory.own = &memory::process_memory();
  options.huge_pages = false;
  options.fragment_limit = 4;
  options.fragment_chunks = 8;
  return options;
}

void run_frames(Director& director, Time now) {
  for (const Buffer& bytes : templates()) {
    Buffer room(director::required_headroom);
    room.insert(room.end(), bytes.begin(), bytes.end());
    director::Frame frame;
    frame.data = room.data() + director::required_headroom;
    frame.length = static_cast<uint32_t>(bytes.size());
    const wire::MacAddress s0 = mac(s0_mac);
    frame.port = std::equal(s0.bytes.begin(), s0.bytes.end(), bytes.begin()) ? 1 : 0;
    director::TransmitQueue out;
    director.receive(frame, now, out);
  }
}

template <class A>
void count_flows(Director& director, std::map<uint32_t, uint32_t>& of_servers, uint64_t& in_pools) {
  auto& table = director.flows<A>().table();
  table.walk(0, table.span(), [&](const director::Flow<A>& flow) {
    if (flow.destination != director::no_destination) of_servers[flow.destination]++;
    in_pools += (flow.flags & director::flow_flag::has_local) != 0;
  });
}

void check_counts(Director& director) {
  std::map<uint32_t, uint32_t> of_servers;
  uint64_t in_pools = 0;
  count_flows<wire::Ipv4Address>(director, of_servers, in_pools);
  count_flows<wire::Ipv6Address>(director, of_servers, in_pools);
  director.services().for_each_destination([&](const director::Destination& destination) {
    REQUIRE_THAT(destination.flows == of_servers[destination.id]);
    REQUIRE_THAT(destination.flows == destination.active + destination.inactive + destination.persistent);
    of_servers.erase(destination.id);
  });
  for (const auto& [id, count] : of_servers) REQUIRE_THAT(count == 0);
  REQUIRE_THAT(director.pools().flows<wire::Ipv4Address>(pool) + director.pools().flows<wire::Ipv6Address>(pool) ==
               in_pools);
}

// The memory of a crashed process.
struct Memory {
  std::vector<director::Flow<wire::Ipv4Address>> flows4;
  std::vector<director::Flow<wire::Ipv6Address>> flows6;
  std::vector<director::SplicedFlow> spliced;
  std::vector<director::DestinationIdentity> destinations;
};

template <class A>
std::vector<director::Flow<A>> records_of(Director& director) {
  auto& table = director.flows<A>().table();
  return {&table.at(0), &table.at(0) + table.span()};
}

const Memory& undamaged() {
  static const Memory memory = [] {
    Director before(options());
    configure(before);
    run_frames(before, start);
    Memory left{records_of<wire::Ipv4Address>(before), records_of<wire::Ipv6Address>(before), {}, {}};
    const auto* const spliced = &before.spliced_flows()[0];
    left.spliced.assign(spliced, spliced + before.spliced_flows().size());
    left.spliced.resize(left.spliced.size() + 2);
    before.services().for_each_destination([&](const director::Destination& destination) {
      if (destination.id >= left.destinations.size()) left.destinations.resize(destination.id + 1);
      left.destinations[destination.id] = {destination.home, destination.address, destination.port};
    });
    return left;
  }();
  return memory;
}

}  // namespace

// The input: area, offset (two bytes), count, and so many bytes; repeated.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Memory memory = undamaged();
  const auto bytes_of = [](auto& records) {
    return std::span(reinterpret_cast<uint8_t*>(records.data()), records.size() * sizeof records[0]);
  };
  const std::array areas = {bytes_of(memory.flows4), bytes_of(memory.flows6), bytes_of(memory.spliced),
                            bytes_of(memory.destinations)};
  constexpr size_t header = 4;
  for (const uint8_t* const end = data + size; end - data > static_cast<ptrdiff_t>(header);) {
    const std::span<uint8_t> area = areas[data[0] % areas.size()];
    const size_t offset = static_cast<size_t>(data[1] << 8 | data[2]);
    const size_t count = std::min<size_t>(data[3], static_cast<size_t>(end - data) - header);
    data += header;
    for (size_t i = 0; i < count && !area.empty(); i++) area[(offset + i) % area.size()] = data[i];
    data += count;
  }
  Director after(options());
  configure(after);
  const Time now = start + second;
  after.restore({memory.flows4, memory.flows6, memory.spliced, memory.destinations}, now);
  check_counts(after);
  run_frames(after, now);
  check_counts(after);
  // Longer than any deadline of a timer.
  for (Time later = now; later < now + 3 * 3600 * second; later += 60 * second) {
    director::TransmitQueue out;
    after.advance(later, 1000, out);
  }
  check_counts(after);
  return 0;
}
