// SPDX-License-Identifier: Apache-2.0
// A flow: what the director remembers of one connection (or of one persistence template). One structure holds both
// directions.
//
// A flow has two halves. `forward` is the tuple of the client's packets as they arrive: client -> virtual address.
// `reverse` is the tuple of the real server's packets as they arrive: real server -> local address. The local address
// is the source that the real server sees: the client itself for NAT, an address of a pool for FULLNAT and egress SNAT.
// So rewriting is the same in all modes: a packet that matches one half leaves with the other half mirrored.
//
//   NAT          forward client -> virtual    reverse real -> client
//   FULLNAT      forward client -> virtual    reverse real -> local
//   egress SNAT  forward client -> remote     reverse remote -> local
//   DR, tunnel   forward client -> virtual    reverse not listed (no flow_has_reverse); may say real -> client
//   template     forward client's network, port 0 -> virtual address or fwmark; never matches a packet
//
// A flow's halves, protocol, flow_is_template and flow_has_reverse are its identity: they never change after the flow
// was inserted. The director may change everything else, `deadline` through FlowTable::touch().
#pragma once

#include <cstdint>
#include <cstring>

#include "core/time.h"
#include "wire/address.h"

namespace sluice::director {

inline constexpr uint32_t no_destination = ~uint32_t{0};
inline constexpr uint32_t no_flow = ~uint32_t{0};

// The bits of Flow::flags that the table reads. The other fourteen (0x0001 to 0x2000) belong to the director.
inline constexpr uint16_t flow_is_template = 0x8000;
inline constexpr uint16_t flow_has_reverse = 0x4000;

// Addresses of a packet as it arrives. Ports are in host byte order. For ICMP queries the identifier is used as a port.
template <class Address>
struct Endpoints {
  Address source, destination;
  uint16_t source_port = 0, destination_port = 0;
  bool operator==(const Endpoints& other) const {
    if constexpr (sizeof(Endpoints) == 12) {  // IPv4 has no padding: two words and one branch
      const auto* mine = reinterpret_cast<const unsigned char*>(this);
      const auto* others = reinterpret_cast<const unsigned char*>(&other);
      uint64_t addresses, other_addresses;
      uint32_t ports, other_ports;
      std::memcpy(&addresses, mine, 8);
      std::memcpy(&other_addresses, others, 8);
      std::memcpy(&ports, mine + 8, 4);
      std::memcpy(&other_ports, others + 8, 4);
      return ((addresses ^ other_addresses) | (ports ^ other_ports)) == 0;
    } else {
      return source == other.source && destination == other.destination && source_port == other.source_port &&
             destination_port == other.destination_port;
    }
  }
  // Both ports; the source port is the lower half.
  uint32_t ports() const { return uint32_t{destination_port} << 16 | source_port; }
  Endpoints mirrored() const { return {destination, source, destination_port, source_port}; }
};

template <class Address>
struct FlowKey {
  Endpoints<Address> endpoints;
  uint8_t protocol = 0;
  bool is_template = false;
  bool operator==(const FlowKey&) const = default;
};

enum class Direction : uint8_t { forward, reverse };

// What a client's packet adds to checksums when it leaves with the other half mirrored, folded (wire/checksum.h). A
// server's packet adds the inverse.
struct ChecksumChange {
  uint16_t addresses;  // to IPv4's header checksum
  uint16_t transport;  // to the checksum of TCP or UDP
};

template <class Address>
struct alignas(64) Flow {
  Endpoints<Address> forward;
  Endpoints<Address> reverse;
  uint8_t protocol = 0;
  uint8_t state = 0;
  uint16_t flags = 0;
  uint32_t destination = no_destination;  // index in the director's table of destinations
  uint32_t control =
      no_flow;           // index of the template that holds this flow; in a template: the number of flows that it holds
  uint32_t packets = 0;  // packets from the client; stays at the largest value
  union {
    uint32_t spliced = 0;   // place in SplicedFlows, if the flow is spliced
    ChecksumChange change;  // of all others, from FlowKeeper::begin() on
  };
  uint32_t mark = 0;  // firewall mark, or another number that the director stores
  Tick deadline = 0;  // the flow ends when is_due(deadline, now); set it with FlowTable::touch()

  // Belongs to the timer wheel: the deadline for which the flow is queued (never later than `deadline`), and its
  // neighbours.
  Tick armed = 0;
  uint32_t timer_next = 0, timer_previous = 0;

  const Address& client() const { return forward.source; }
  const Address& virtual_address() const { return forward.destination; }
  const Address& real_server() const { return reverse.source; }
  const Address& local() const { return reverse.destination; }
  uint16_t client_port() const { return forward.source_port; }
  uint16_t virtual_port() const { return forward.destination_port; }
  uint16_t real_server_port() const { return reverse.source_port; }
  uint16_t local_port() const { return reverse.destination_port; }

  bool is_template() const { return (flags & flow_is_template) != 0; }
  FlowKey<Address> key(Direction direction) const {
    return {direction == Direction::forward ? forward : reverse, protocol, is_template()};
  }
  void count_packet() {
    const bool is_past_end = __builtin_add_overflow(packets, 1u, &packets);
    packets -= is_past_end;
  }
};

static_assert(sizeof(Flow<wire::Ipv4Address>) == 64, "an IPv4 flow is one cache line");
static_assert(sizeof(Flow<wire::Ipv6Address>) == 128, "an IPv6 flow is two cache lines");

}  // namespace sluice::director
