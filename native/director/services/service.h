// SPDX-License-Identifier: Apache-2.0
// A virtual service and its real servers (called destinations within a service), as the director runs them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/time.h"
#include "director/network/outer_headers.h"
#include "director/network/route_table.h"
#include "director/services/counters.h"
#include "director/services/rates.h"
#include "director/services/source_limit.h"
#include "wire/address.h"

namespace sluice::director {

enum class Forwarding : uint8_t { nat, fullnat, dr, tunnel, local };
inline constexpr size_t forwarding_count = 5;

enum class Encapsulation : uint8_t { ipip, gue, gre };

// How packets are encapsulated for a real server in tunnel mode.
struct Tunnel {
  Encapsulation encapsulation = Encapsulation::ipip;
  uint16_t port = 0;             // GUE: UDP port at the real server
  bool checksum = false;         // GUE and GRE: checksum in the outer header
  bool remote_checksum = false;  // GUE: remote checksum offload
  bool operator==(const Tunnel&) const = default;
};

// Identifies a virtual service: protocol, address and port, or a firewall mark and a family.
struct ServiceKey {
  wire::Address address;  // for firewall marks, only its family counts
  uint32_t mark = 0;      // not 0: a service by firewall mark; address, port and protocol are zero then
  uint16_t port = 0;      // 0: every port (persistent services)
  uint8_t protocol = 0;
  bool operator==(const ServiceKey&) const = default;
};

// A real server of one virtual service. Flows point at it, so it lives until the last of them has ended. When it is
// removed from its service, `available` becomes false, and schedulers no longer see it.
//
// Its first cache line holds all that a packet of a known flow needs: the counters and the next hop. The second holds
// what schedulers compare.
struct Service;

struct alignas(64) Destination {
  Counters counters;
  uint32_t hop_generation = 0;  // of the route table; 0: the next hop must be looked up
  bool available = true;        // listed in a service
  NextHop hop;                  // how packets reach it, as of hop_generation

  bool overloaded = false;  // at its upper threshold; schedulers skip it
  uint32_t active = 0, inactive = 0;
  int32_t weight = 1;
  uint32_t upper_threshold = 0;  // 0: none
  uint32_t lower_threshold = 0;  // 0: three quarters of the upper one

  Service* service = nullptr;  // nullptr once its service is gone
  ServiceKey home;             // key of the service that it belongs or belonged to
  wire::Address address;
  uint16_t port = 0;  // host byte order, as all ports in director/
  Forwarding forwarding = Forwarding::nat;
  Tunnel tunnel;
  uint32_t persistent = 0;
  uint32_t half_open = 0;  // active flows whose clients have not yet proved that they exist
  uint32_t flows = 0;      // flows that point here; an unavailable server is freed at zero
  // Flows by their own mode, which stays when the server's changes; without templates.
  std::array<uint32_t, forwarding_count> flows_by_mode{};
  uint32_t id = UINT32_MAX;        // index in the director's table of destinations
  uint32_t path_mtu = UINT32_MAX;  // that a router on the path has reported
  Time path_mtu_until = 0;
  OuterHeaders outer;       // of a tunnel, as of hop_generation
  uint32_t place = 0;       // in its service's list, as its scheduler last saw it
  int32_t last_weight = 0;  // before it was drained: with it, mh keeps the places of a server of weight 0
  mutable Rates rates;      // sampled by whoever shows the counts

  uint32_t total() const { return active + inactive; }
  bool is_usable() const { return weight > 0 && !overloaded; }
  void set_weight(int32_t new_weight) {
    weight = new_weight;
    if (weight != 0) last_weight = weight;
  }
};

enum SchedulerFlag : uint8_t {
  flag_1 = 1,  // sh-fallback, mh-fallback
  flag_2 = 2,  // sh-port, mh-port
  flag_3 = 4,
};

// A service's real servers in the order in which schedulers walk the list. As in the kernel, an added server goes to
// the head.
using Destinations = std::vector<Destination*>;

inline constexpr uint32_t no_pool = UINT32_MAX;

enum class SynProxy : uint8_t { off, on, automatic };

// Limits the new flows of one source. A rate of 0 means no limit.
struct SourceLimitSettings {
  uint32_t rate = 0;    // per second
  uint32_t burst = 0;   // at once
  uint8_t prefix = 32;  // bits of the address that identify a source
  bool operator==(const SourceLimitSettings&) const = default;
};

struct ServiceSettings {
  std::string scheduler = "wlc";
  uint8_t scheduler_flags = 0;
  uint32_t persistence = 0;        // seconds; 0: not persistent
  wire::Address persistence_mask;  // clients whose masked addresses are equal share a template
  bool one_packet = false;
  SynProxy syn_proxy = SynProxy::off;
  bool toa = false;             // FULLNAT: tell the real server the client's address in a TCP option
  bool proxy_protocol = false;  // NAT and FULLNAT, TCP: tell it in a PROXY protocol header, version 2
  uint32_t pool = no_pool;      // FULLNAT: the pool of local addresses
  SourceLimitSettings source_limit;
  bool operator==(const ServiceSettings&) const = default;
};

// State of a service that the SYN proxy needs.
struct ProxyState {
  uint32_t half_open = 0;  // sum over its real servers
  Time cookies_until = 0;  // until then a cookie that was sent may still be good
  Time no_timestamps_until =
      0;               // until then clients are not promised timestamps, because a real server has declined them
  uint32_t mtu = 0;    // the smallest on the paths to its real servers …
  Time mtu_until = 0;  // … and when to compute it again
};

class Scheduler;

// The source limit of a service, for the service's family.
struct SourceLimits {
  std::unique_ptr<SourceLimit<wire::Ipv4Address>> v4;
  std::unique_ptr<SourceLimit<wire::Ipv6Address>> v6;
  template <class A>
  SourceLimit<A>* of() const;
};
template <>
inline SourceLimit<wire::Ipv4Address>* SourceLimits::of() const {
  return v4.get();
}
template <>
inline SourceLimit<wire::Ipv6Address>* SourceLimits::of() const {
  return v6.get();
}

struct Service {
  ServiceKey key;
  ServiceSettings settings;
  Destinations destinations;
  std::unique_ptr<Scheduler> scheduler;
  SourceLimits source_limit;
  // What the service has counted beyond its present servers' counts. Packets are counted only at their server.
  Counters counted_apart;
  mutable Rates rates;  // sampled by whoever shows the counts
  ProxyState proxy;

  Service();
  ~Service();
  bool is_persistent() const { return settings.persistence > 0; }
  Counters counters() const;
};

static_assert(offsetof(Destination, hop) + offsetof(NextHop, state) == 64 && offsetof(Destination, weight) < 128);

}  // namespace sluice::director
