// SPDX-License-Identifier: Apache-2.0
#include "host/belongings.h"

#include <algorithm>
#include <array>

#include "lvs/surroundings.h"
#include "wire/protocol.h"

namespace sluice::host {

namespace {

constexpr std::array<uint8_t, 3> protocols_with_ports = {wire::protocol::tcp, wire::protocol::udp,
                                                         wire::protocol::sctp};
constexpr uint32_t ipv4_part = 96;  // bits of a steal_address before an IPv4 address

bpf::steal_address key_of(const wire::Address& address) {
  bpf::steal_address key{};
  if (address.family == wire::Family::ipv6) {
    std::memcpy(key.words, address.bytes.data(), sizeof key.words);
  } else {
    key.words[2] = __builtin_bswap32(0xffff);
    std::memcpy(&key.words[3], address.bytes.data(), sizeof key.words[3]);
  }
  return key;
}

void add_tuples(StealTables& tables, const wire::Address& address, uint16_t port, uint8_t protocol,
                bpf::steal_role role) {
  for (const uint8_t one : protocols_with_ports) {
    if (protocol != 0 && protocol != one) continue;
    tables.tuples[{key_of(address), port, one, static_cast<uint8_t>(role)}] = 1;
  }
}

void add_pool(StealTables& tables, const Belongings::Pool& pool) {
  bpf::steal_place& place = tables.places[key_of(pool.address)];
  const bool is_new = (place.flags & bpf::STEAL_POOL) == 0;
  place.flags |= bpf::STEAL_POOL;
  place.first_port = is_new ? pool.first_port : std::min(place.first_port, pool.first_port);
  place.last_port = is_new ? pool.last_port : std::max(place.last_port, pool.last_port);
}

StealTables::Networks networks_of(const std::vector<Network>& networks) {
  StealTables::Networks keys;
  for (const Network& network : networks) {
    const uint32_t before = network.address.family == wire::Family::ipv4 ? ipv4_part : 0;
    keys[{before + network.prefix_length, key_of(lvs::masked(network.address, network.prefix_length))}] = 1;
  }
  return keys;
}

}  // namespace

StealTables tables_of(const Belongings& belongings) {
  StealTables tables;
  for (const Belongings::Service& service : belongings.services) {
    const bool is_whole = service.protocol == 0 && service.port == 0;
    bpf::steal_place& place = tables.places[key_of(service.address)];
    place.flags |= bpf::STEAL_SERVICE;
    if (is_whole) place.flags |= bpf::STEAL_WHOLE;
    add_tuples(tables, service.address, service.port, service.protocol, bpf::STEAL_TO_SERVICE);
  }
  for (const Belongings::NatServer& server : belongings.nat_servers) {
    tables.places[key_of(server.address)].flags |= bpf::STEAL_SERVER;
    add_tuples(tables, server.address, server.port, server.protocol, bpf::STEAL_FROM_SERVER);
  }
  for (const Belongings::Pool& pool : belongings.pools) add_pool(tables, pool);
  for (const wire::Address& server : belongings.tunnel_servers) {
    tables.places[key_of(server)].flags |= bpf::STEAL_TUNNEL;
  }
  for (const wire::Address& address : belongings.host_addresses) {
    tables.places[key_of(address)].flags |= bpf::STEAL_HOST;
  }
  tables.egress = networks_of(belongings.egress_sources);
  tables.inside = networks_of(belongings.inside);
  const Belongings::Steering& steering = belongings.steering;
  tables.settings = {.has_egress = !tables.egress.empty(),
                     .workers = steering.workers,
                     .steer_by_port = steering.by_port,
                     .client_prefix = {ipv4_part + steering.ipv4_prefix, steering.ipv6_prefix}};
  return tables;
}

}  // namespace sluice::host
