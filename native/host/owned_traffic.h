// SPDX-License-Identifier: Apache-2.0
// What belongs to the director, in plain values, and the tables that the BPF programs look it up in.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <vector>

#include "bpf/steal.h"
#include "wire/address.h"
#include "wire/protocol.h"

namespace sluice::host {

struct Network {
  wire::Address address;
  uint8_t prefix_length = 0;
};

// Everything is of the director as configured, but `host_addresses`, which are the host's as observed.
struct OwnedTraffic {
  // How the packets of a service's clients are divided among workers (bpf/steering.h). Packets of clients that are
  // equal in the prefix, and unless `by_port` is off in the port, meet one worker.
  struct Steering {
    bool by_port = true;
    uint8_t ipv4_prefix = 32, ipv6_prefix = 128;
  };
  // A virtual service that has an address.
  struct Service {
    wire::Address address;
    uint16_t port = 0;     // 0: every port
    uint8_t protocol = 0;  // 0: every protocol; with port 0, whatever is sent to the address
    Steering steering = {};
  };
  static constexpr uint32_t no_service = UINT32_MAX;
  // A real server whose replies have to be translated.
  struct NatServer {
    wire::Address address;
    uint16_t port = 0;  // 0: every port, or where it is `marked` those that the rules of marks ask for
    uint8_t protocol = 0;
    bool marked = false;            // of a service by firewall mark
    uint32_t service = no_service;  // of which service, by its place in `services`
  };
  // A rule of firewall marks; the first that fits a packet counts.
  struct Mark {
    uint32_t interface = 0;  // by which the packet comes; 0: any
    std::optional<Network> source, destination;
    uint8_t protocol = 0;  // 0: TCP, UDP and SCTP
    struct Ports {
      uint16_t first = 0, last = 0;
    };
    std::optional<Ports> ports;
    bool has_ipv4_service = false, has_ipv6_service = false;
  };
  // A local address of a pool. Of several ranges of one address, everything from the first port to the last counts.
  struct Pool {
    wire::Address address;
    uint16_t first_port = 1024, last_port = 65535;
  };
  std::vector<Service> services;
  std::vector<NatServer> nat_servers;
  std::vector<Mark> marks;  // at most STEAL_MOST_MARKS
  std::vector<Pool> pools;
  std::vector<wire::Address> tunnel_servers;
  std::vector<Network> egress_sources;
  std::vector<Network> inside;  // where packets of egress sources are left to the host's own routing
  std::vector<wire::Address> host_addresses;
  uint16_t workers = 1;
  Steering ipv4_marks, ipv6_marks;  // of all services by firewall mark of a family
  uint32_t longest_silence = 900;   // seconds that a flow may live without a packet
};

struct LessBytes {
  template <class T>
  bool operator()(const T& a, const T& b) const {
    return std::memcmp(&a, &b, sizeof a) < 0;
  }
};

// The content of the maps.
struct StealTables {
  using Places = std::map<bpf::steal_address, bpf::steal_place, LessBytes>;
  using Tuples = std::map<bpf::steal_tuple, bpf::steal_steerings, LessBytes>;  // both editions are equal
  using Networks = std::map<bpf::steal_network, bpf::u32, LessBytes>;
  using Marks = std::map<bpf::steal_mark_key, bpf::u64, LessBytes>;
  Places places;
  Tuples tuples;
  Networks egress, inside;
  Marks marks;  // without their edition, which is its business who writes the maps
  bpf::steal_settings settings{};
  std::map<bpf::steal_tuple, uint32_t, LessBytes> groups;  // that are steered in one way, by their numbers
  std::array<uint32_t, 2> mark_groups{};                   // of services by firewall mark: IPv4, IPv6
};

inline constexpr std::array<uint8_t, 3> protocols_with_ports = {wire::protocol::tcp, wire::protocol::udp,
                                                                wire::protocol::sctp};
StealTables tables_of(const OwnedTraffic& owned_traffic);
bpf::steal_address key_of(const wire::Address& address);

}  // namespace sluice::host
