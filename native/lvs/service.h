// SPDX-License-Identifier: Apache-2.0
// A virtual service and its real servers ("destinations" once they belong to a service), as the director runs them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lvs/time.h"
#include "wire/address.h"

namespace sluice::lvs {

enum class Forwarding : uint8_t { nat, fullnat, dr, tunnel, local };

enum class Encapsulation : uint8_t { ipip, gue, gre };

// How packets are wrapped for a real server reached through a tunnel.
struct Tunnel {
  Encapsulation encapsulation = Encapsulation::ipip;
  uint16_t port = 0;           // GUE: UDP port at the real server
  bool checksum = false;       // GUE and GRE: checksum in the outer header
  bool remote_checksum = false;  // GUE: remote checksum offload
  bool operator==(const Tunnel&) const = default;
};

// Counts of one direction pair, as `ipvsadm -Ln --stats` shows them.
struct Counters {
  uint64_t connections = 0;
  uint64_t packets_in = 0, bytes_in = 0;
  uint64_t packets_out = 0, bytes_out = 0;
};

// A real server of one virtual service. Flows point at it, so it lives until the last of them has ended: a destination
// that was removed from its service is `available == false` and no scheduler sees it any more.
struct Destination {
  wire::Address address;
  uint16_t port = 0;  // host byte order, as all ports in lvs/
  Forwarding forwarding = Forwarding::nat;
  Tunnel tunnel;
  int32_t weight = 1;
  uint32_t upper_threshold = 0;  // 0: none
  uint32_t lower_threshold = 0;  // 0: three quarters of the upper one

  bool available = true;    // listed in a service
  bool overloaded = false;  // at its upper threshold; schedulers pass it by
  uint32_t active = 0, inactive = 0, persistent = 0;
  uint32_t flows = 0;  // that point here; it may be freed at zero once unavailable
  uint32_t id = 0;     // index in the director's table of destinations
  int32_t last_weight = 0;  // before it was drained: mh keeps the places of a server of weight 0 by it
  Counters counters;

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

// The list of a service's real servers in the order in which schedulers walk it. The kernel prepends a server that is
// added, and schedulers walk from the head: the order here is the kernel's.
using Destinations = std::vector<Destination*>;

}  // namespace sluice::lvs
