// SPDX-License-Identifier: Apache-2.0
#include "host/steering.h"

#include <algorithm>
#include <numeric>

#include "director/network/route_table.h"

namespace sluice::host {

namespace {

constexpr uint32_t ipv4_part = 96;  // bits of a steal_address in front of an IPv4 address

// What clients are divided by: bits of the 128 of a steal_address, and the port.
struct Division {
  uint32_t bits = 128;
  bool by_port = true;
};

Division division_in(wire::Family family, const OwnedTraffic::Steering& steering) {
  const uint32_t bits = family == wire::Family::ipv4 ? ipv4_part + steering.ipv4_prefix : steering.ipv6_prefix;
  return {bits, steering.by_port};
}

bpf::steal_steerings steerings_for(const Division& division) {
  constexpr uint32_t bits_of_word = 32;
  bpf::steal_steering steering{};
  uint32_t left = division.bits;
  for (uint8_t& bits : steering.bits) {
    bits = static_cast<uint8_t>(std::min(left, bits_of_word));
    left -= bits;
  }
  steering.flags = division.by_port ? bpf::STEAL_BY_PORT : 0;
  return {{steering, steering}};
}

size_t index_of(wire::Family family) {
  return family == wire::Family::ipv4 ? 0 : 1;
}

// Sets that are joined (union-find).
class Groups {
 public:
  explicit Groups(size_t members) : parents_(members) { std::iota(parents_.begin(), parents_.end(), 0); }
  uint32_t of(uint32_t member) {
    while (parents_[member] != member) member = parents_[member] = parents_[parents_[member]];
    return member;
  }
  void join(uint32_t a, uint32_t b) { parents_[of(a)] = of(b); }

 private:
  std::vector<uint32_t> parents_;
};

bool may_carry(const OwnedTraffic::Mark& mark, const OwnedTraffic::Service& service) {
  const bool has_service = service.address.family == wire::Family::ipv4 ? mark.has_ipv4_service : mark.has_ipv6_service;
  if (!has_service) return false;
  if (mark.protocol != 0 && service.protocol != 0 && mark.protocol != service.protocol) return false;
  if (mark.ports && service.port != 0 && (service.port < mark.ports->first || service.port > mark.ports->last))
    return false;
  if (!mark.destination) return true;
  return mark.destination->address.family == service.address.family &&
         director::masked(service.address, mark.destination->prefix_length) ==
             director::masked(mark.destination->address, mark.destination->prefix_length);
}

bpf::steal_tuple without_port(bpf::steal_tuple tuple) {
  tuple.port = 0;
  return tuple;
}

}  // namespace

// The members are the services, then the services by firewall mark of IPv4 and those of IPv6. If a packet could belong
// to two members, the members are joined, because the packet does not tell which of them it belongs to.
void steer(StealTables& tables, const OwnedTraffic& owned_traffic) {
  const auto services = static_cast<uint32_t>(owned_traffic.services.size());
  Groups groups(services + 2);
  std::map<bpf::steal_tuple, uint32_t, LessBytes> members;
  const auto add = [&](const wire::Address& address, uint16_t port, uint8_t protocol, bpf::steal_role role,
                       uint32_t member) {
    for (const uint8_t one : protocols_with_ports) {
      if (protocol != 0 && protocol != one) continue;
      const auto [entry, is_new] =
          members.try_emplace({key_of(address), port, one, static_cast<uint8_t>(role)}, member);
      if (!is_new) groups.join(entry->second, member);
    }
  };
  for (uint32_t i = 0; i < services; i++) {
    const OwnedTraffic::Service& service = owned_traffic.services[i];
    add(service.address, service.port, service.protocol, bpf::STEAL_TO_SERVICE, i);
    const bool is_carried = std::ranges::any_of(
        owned_traffic.marks, [&](const OwnedTraffic::Mark& mark) { return may_carry(mark, service); });
    if (is_carried) groups.join(i, services + static_cast<uint32_t>(index_of(service.address.family)));
  }
  std::map<bpf::steal_address, uint32_t, LessBytes> keeping_ports;  // NAT servers of services by firewall mark
  for (const OwnedTraffic::NatServer& server : owned_traffic.nat_servers) {
    const uint32_t of_marks = services + static_cast<uint32_t>(index_of(server.address.family));
    const uint32_t member = server.marked ? of_marks : server.service;
    if (server.marked && server.port == 0) {
      keeping_ports[key_of(server.address)] = of_marks;
    } else if (member < services + 2) {
      add(server.address, server.port, server.protocol, bpf::STEAL_FROM_SERVER, member);
    }
  }
  for (const auto& [tuple, member] : members) {
    if (tuple.role != bpf::STEAL_FROM_SERVER) continue;
    if (const auto all = members.find(without_port(tuple)); all != members.end()) groups.join(all->second, member);
    if (const auto all = keeping_ports.find(tuple.address); all != keeping_ports.end())
      groups.join(all->second, member);
  }

  std::vector<Division> divisions(services + 2);
  const auto restrict = [&](uint32_t member, const Division& division) {
    Division& of_group = divisions[groups.of(member)];
    of_group = {std::min(of_group.bits, division.bits), of_group.by_port && division.by_port};
  };
  for (uint32_t i = 0; i < services; i++) {
    const OwnedTraffic::Service& service = owned_traffic.services[i];
    restrict(i, division_in(service.address.family, service.steering));
  }
  restrict(services, division_in(wire::Family::ipv4, owned_traffic.ipv4_marks));
  restrict(services + 1, division_in(wire::Family::ipv6, owned_traffic.ipv6_marks));

  const auto steerings_of = [&](uint32_t member) { return steerings_for(divisions[groups.of(member)]); };
  for (auto& [tuple, value] : tables.tuples) {
    const auto member = members.find(tuple);
    const bool has_service = member != members.end();
    value = has_service ? steerings_of(member->second) : steerings_for({});
    tables.groups[tuple] = has_service ? groups.of(member->second) : services + 2;
  }
  for (uint32_t family = 0; family < 2; family++) {
    tables.settings.mark_steering[family] = steerings_of(services + family);
    tables.mark_groups[family] = groups.of(services + family);
  }
}

FlowSteering steering_of(const StealTables& tables, const PlacedFlow& flow) {
  if (flow.is_marked) {
    const size_t family = index_of(flow.client.family);
    return {&tables.settings.mark_steering[family], tables.mark_groups[family]};
  }
  const bpf::steal_tuple tuple = {key_of(flow.service), flow.service_port, flow.protocol, bpf::STEAL_TO_SERVICE};
  const auto found = tables.tuples.find(tuple);
  if (found == tables.tuples.end()) return {};
  return {&found->second, tables.groups.at(tuple)};
}

uint32_t worker_of(const bpf::steal_steering& steering, const PlacedFlow& flow, uint32_t workers) {
  const bpf::steal_address client = key_of(flow.client);
  return bpf::steal_hash(&steering, &client, flow.client_port) % workers;
}

}  // namespace sluice::host
