// SPDX-License-Identifier: Apache-2.0
#include "host/owned_traffic.h"

#include <algorithm>
#include <array>
#include <bit>
#include <set>

#include "director/network/route_table.h"

namespace sluice::host {

namespace {

constexpr uint32_t ipv4_part = 96;  // bits of a steal_address in front of an IPv4 address

RuleTables::Networks networks_of(const std::vector<Network>& networks) {
  RuleTables::Networks keys;
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
void add_mark_networks(RuleTables::Marks& marks, const std::vector<OwnedTraffic::Mark>& rules,
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
void add_mark_numbers(RuleTables::Marks& marks, const std::vector<OwnedTraffic::Mark>& rules, bpf::steal_mark_kind kind,
                      Number number) {
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
void add_mark_ports(RuleTables::Marks& marks, const std::vector<OwnedTraffic::Mark>& rules) {
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

void add_marks(RuleTables& tables, const std::vector<OwnedTraffic::Mark>& rules) {
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

RuleTables rule_tables_of(const OwnedTraffic& owned_traffic) {
  RuleTables tables;
  tables.egress = networks_of(owned_traffic.egress_sources);
  tables.inside = networks_of(owned_traffic.inside);
  tables.settings.has_egress = !tables.egress.empty();
  tables.settings.workers = owned_traffic.workers;
  tables.settings.stray_lifetime = owned_traffic.longest_silence;
  add_marks(tables, owned_traffic.marks);
  return tables;
}

}  // namespace sluice::host
