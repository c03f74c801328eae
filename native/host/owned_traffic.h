// SPDX-License-Identifier: Apache-2.0
// What belongs to the director, in plain values, and the small tables that the BPF programs look it up in.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "bpf/steal.h"
#include "wire/address.h"
#include "wire/protocol.h"

namespace sluice::host {

struct Network {
  wire::Address address;
  uint8_t prefix_length = 0;
  bool operator==(const Network&) const = default;
};

// Everything is of the director as configured, but `host_addresses`, which are the host's as observed.
struct OwnedTraffic {
  // How the packets of a service's clients are divided among workers (bpf/steering.h). Packets of clients that are
  // equal in the prefix, and unless `by_port` is off in the port, meet one worker.
  struct Steering {
    bool by_port = true;
    uint8_t ipv4_prefix = 32, ipv6_prefix = 128;
    bool operator==(const Steering&) const = default;
  };
  // A real server whose replies have to be translated.
  struct NatServer {
    wire::Address address;
    uint16_t port = 0;  // 0: every port, or of a service by firewall mark those that the rules of marks ask for
  };
  // A virtual service and what it owns. It never changes: a service that was edited is another part. So two lists of
  // parts are compared by their pointers (steal_tables.h).
  struct Part {
    wire::Address address;    // for firewall marks, only its family counts
    uint16_t port = 0;        // 0: every port
    uint8_t protocol = 0;     // 0: every protocol; with port 0, whatever is sent to the address
    bool is_marked = false;   // by firewall mark
    bool is_removed = false;  // the service is gone, and flows may still have its servers
    Steering steering = {};
    std::vector<NatServer> nat_servers;
    std::vector<wire::Address> tunnel_servers;
  };
  // A rule of firewall marks; the first that fits a packet counts.
  struct Mark {
    uint32_t interface = 0;  // by which the packet comes; 0: any
    std::optional<Network> source, destination;
    uint8_t protocol = 0;  // 0: TCP, UDP and SCTP
    struct Ports {
      uint16_t first = 0, last = 0;
      bool operator==(const Ports&) const = default;
    };
    std::optional<Ports> ports;
    bool has_ipv4_service = false, has_ipv6_service = false;
    bool operator==(const Mark&) const = default;
  };
  // A local address of a pool. Of several ranges of one address, everything from the first port to the last counts.
  struct Pool {
    wire::Address address;
    uint16_t first_port = 1024, last_port = 65535;
    bool operator==(const Pool&) const = default;
  };
  std::vector<std::shared_ptr<const Part>> parts;  // one may be there several times
  std::vector<Mark> marks;                         // at most STEAL_MOST_MARKS
  std::vector<Pool> pools;
  std::vector<Network> egress_sources;
  std::vector<Network> inside;  // where packets of egress sources are left to the host's own routing
  std::vector<wire::Address> host_addresses;
  uint16_t workers = 1;
  uint32_t longest_silence = 900;  // seconds that a flow may live without a packet
};

struct LessBytes {
  template <class T>
  bool operator()(const T& a, const T& b) const {
    return std::memcmp(&a, &b, sizeof a) < 0;
  }
};

// The content of the small maps and of the settings, but the steering, which follows from the tuples (steal_tables.h).
struct RuleTables {
  using Networks = std::map<bpf::steal_network, bpf::u32, LessBytes>;
  using Marks = std::map<bpf::steal_mark_key, bpf::u64, LessBytes>;
  Networks egress, inside;
  Marks marks;  // without their edition, which is its business who writes the maps
  bpf::steal_settings settings{};
};

inline constexpr std::array<uint8_t, 3> protocols_with_ports = {wire::protocol::tcp, wire::protocol::udp,
                                                                wire::protocol::sctp};
RuleTables rule_tables_of(const OwnedTraffic& owned_traffic);
bpf::steal_address key_of(const wire::Address& address);

}  // namespace sluice::host
