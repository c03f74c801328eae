// SPDX-License-Identifier: Apache-2.0
#include "host/owned_traffic.h"

#include <algorithm>
#include <array>
#include <bit>
#include <set>

#include "director/network/route_table.h"
#include "host/steering.h"
#include "wire/protocol.h"

namespace sluice::host {

namespace {

constexpr uint32_t ipv4_part = 96;  // bits of a steal_address in front of an IPv4 address

void add_tuples(StealTables& tables, const wire::Address& address, uint16_t port, uint8_t protocol,
                bpf::steal_role role) {
  for (const uint8_t one : protocols_with_ports) {
    if (protocol != 0 && protocol != one) continue;
    tables.tuples[{key_of(address), port, one, static_cast<uint8_t>(role)}] = {};
  }
}

void add_pool(StealTables& tables, const OwnedTraffic::Pool& pool) {
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
    keys[{before + network.prefix_length, key_of(director::masked(network.address, network.prefix_length))}] = 1;
  }
  return keys;
}

bpf::steal_mark_key mark_key(bpf::steal_mark_kind kind, const bpf::steal_address& value, uint32_t bits) {
  constexpr uint32_t before = 32;  // bits of edition and kind
  return {before + bits, 0, static_cast<uint16_t>(kind), value};
}

bpf::steal_mark_key mark_key(bpf::steal_mark_kind kind, uint32_t number, uint32_t bits = 32) {
  return mark_key(kind, {{__builtin_bswap32(number), 0, 0, 0}}, bits);
}

// Notes which prefixes hold which rules' networks, for one end of packets.
void add_mark_networks(StealTables::Marks& marks, const std::vector<OwnedTraffic::Mark>& rules,
                       bpf::steal_mark_kind kind, std::optional<Network> OwnedTraffic::Mark::*end) {
  const auto bits_of = [](const Network& network) {
    return (network.address.family == wire::Family::ipv4 ? ipv4_part : 0) + network.prefix_length;
  };
  const auto holds = [&](const Network& outer, const Network& inner) {
    return outer.address.family == inner.address.family && outer.prefix_length <= inner.prefix_length &&
           director::masked(inner.address, outer.prefix_length) == director::masked(outer.address, outer.prefix_length);
  };
  bpf::u64 of_any = 0;
  for (size_t i = 0; i < rules.size(); i++) of_any |= bpf::u64{!(rules[i].*end)} << i;
  marks[mark_key(kind, bpf::steal_address{}, 0)] = of_any;
  for (const OwnedTraffic::Mark& rule : rules) {
    const std::optional<Network>& network = rule.*end;
    if (!network) continue;
    bpf::u64 fitting = of_any;
    for (size_t i = 0; i < rules.size(); i++) {
      if (rules[i].*end && holds(*(rules[i].*end), *network)) fitting |= bpf::u64{1} << i;
    }
    marks[mark_key(kind, key_of(director::masked(network->address, network->prefix_length)), bits_of(*network))] =
        fitting;
  }
}

// number(rule) is what the rule asks for; 0: any.
template <class Number>
void add_mark_numbers(StealTables::Marks& marks, const std::vector<OwnedTraffic::Mark>& rules,
                      bpf::steal_mark_kind kind, Number number) {
  bpf::u64 of_any = 0;
  for (size_t i = 0; i < rules.size(); i++) of_any |= bpf::u64{number(rules[i]) == 0} << i;
  marks[mark_key(kind, 0, 0)] = of_any;
  for (size_t i = 0; i < rules.size(); i++) {
    if (number(rules[i]) == 0) continue;
    bpf::u64& fitting = marks[mark_key(kind, number(rules[i]))];
    fitting |= of_any | bpf::u64{1} << i;
  }
}

// Between two neighbouring limits of port ranges, all ports match the same rules. Each such stretch becomes a few
// prefixes.
void add_mark_ports(StealTables::Marks& marks, const std::vector<OwnedTraffic::Mark>& rules) {
  constexpr uint32_t port_bits = 16, end = 1 << port_bits;
  std::set<uint32_t> limits = {0, end};
  for (const OwnedTraffic::Mark& rule : rules) {
    if (rule.ports) limits.insert({rule.ports->first, rule.ports->last + 1u});
  }
  for (auto limit = limits.begin(); *limit != end;) {
    uint32_t port = *limit;
    const uint32_t next = *++limit;
    bpf::u64 fitting = 0;
    for (size_t i = 0; i < rules.size(); i++) {
      const auto& ports = rules[i].ports;
      fitting |= bpf::u64{!ports || (port >= ports->first && port <= ports->last)} << i;
    }
    while (port < next) {
      const auto aligned = static_cast<uint32_t>(port == 0 ? port_bits : std::countr_zero(port));
      uint32_t size = std::min(aligned, port_bits);
      while (port + (1u << size) > next) size--;
      marks[mark_key(bpf::STEAL_MARK_PORT, port << port_bits, port_bits - size)] = fitting;
      port += 1u << size;
    }
  }
}

void add_marks(StealTables& tables, const std::vector<OwnedTraffic::Mark>& rules) {
  if (rules.empty()) return;
  add_mark_networks(tables.marks, rules, bpf::STEAL_MARK_SOURCE, &OwnedTraffic::Mark::source);
  add_mark_networks(tables.marks, rules, bpf::STEAL_MARK_DESTINATION, &OwnedTraffic::Mark::destination);
  add_mark_numbers(tables.marks, rules, bpf::STEAL_MARK_PROTOCOL, [](const auto& rule) { return rule.protocol; });
  add_mark_numbers(tables.marks, rules, bpf::STEAL_MARK_INTERFACE, [](const auto& rule) { return rule.interface; });
  add_mark_ports(tables.marks, rules);
  for (size_t i = 0; i < rules.size(); i++) {
    tables.settings.mark_services[0] |= bpf::u64{rules[i].has_ipv4_service} << i;
    tables.settings.mark_services[1] |= bpf::u64{rules[i].has_ipv6_service} << i;
  }
}

}  // namespace

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

StealTables tables_of(const OwnedTraffic& owned_traffic) {
  StealTables tables;
  for (const OwnedTraffic::Service& service : owned_traffic.services) {
    const bool is_whole = service.protocol == 0 && service.port == 0;
    bpf::steal_place& place = tables.places[key_of(service.address)];
    place.flags |= bpf::STEAL_SERVICE;
    if (is_whole) place.flags |= bpf::STEAL_WHOLE;
    add_tuples(tables, service.address, service.port, service.protocol, bpf::STEAL_TO_SERVICE);
  }
  for (const OwnedTraffic::NatServer& server : owned_traffic.nat_servers) {
    if (server.marked && server.port == 0) {
      tables.places[key_of(server.address)].flags |= bpf::STEAL_MARKED;
      continue;
    }
    tables.places[key_of(server.address)].flags |= bpf::STEAL_SERVER;
    add_tuples(tables, server.address, server.port, server.protocol, bpf::STEAL_FROM_SERVER);
  }
  for (const OwnedTraffic::Pool& pool : owned_traffic.pools) add_pool(tables, pool);
  for (const wire::Address& server : owned_traffic.tunnel_servers) {
    tables.places[key_of(server)].flags |= bpf::STEAL_TUNNEL;
  }
  for (const wire::Address& address : owned_traffic.host_addresses) {
    tables.places[key_of(address)].flags |= bpf::STEAL_HOST;
  }
  tables.egress = networks_of(owned_traffic.egress_sources);
  tables.inside = networks_of(owned_traffic.inside);
  tables.settings = {};
  tables.settings.has_egress = !tables.egress.empty();
  tables.settings.workers = owned_traffic.workers;
  tables.settings.stray_lifetime = owned_traffic.longest_silence;
  steer(tables, owned_traffic);
  add_marks(tables, owned_traffic.marks);
  return tables;
}

}  // namespace sluice::host
