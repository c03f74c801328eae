// SPDX-License-Identifier: Apache-2.0
// Neighbours on the links: ARP and IPv6 neighbour discovery, for addresses that the director owns.
//
// The director answers questions for its addresses, announces them, and notes other hosts that claim one. The
// transmitter asks for the neighbours to which packets leave.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "director/flows/verdict.h"
#include "director/network/address_conflicts.h"
#include "director/outgoing/transit.h"
#include "director/outgoing/transmitter.h"
#include "director/services/service_table.h"
#include "director/stages/own_addresses.h"

namespace sluice::director {

class Neighbours {
 public:
  Neighbours(Transmitter& transmitter, const ServiceTable& services, const OwnAddresses& own_addresses)
      : transmitter_(transmitter), services_(services), own_addresses_(own_addresses) {}

  Decision arp(const Frame& frame, const wire::Packet& packet, Time now, TransmitQueue& out);
  // A host advertises an address as its own, or asks for the link-layer address of an address that the director owns:
  // first by multicast, later by unicast to see whether the director still has it. Fragmented questions are ignored
  // (RFC 6980). Returns nothing if the packet is not such a question.
  std::optional<Decision> neighbour_message(const Transit<wire::Ipv6Address>& t);

  // Announces the virtual addresses that no host owns, each on the port that leads to its network, or on all ports.
  void announce(TransmitQueue& out);
  // Announces those of the addresses that are virtual ones, and asks for other owners of them on their networks: a host
  // that answers is a conflict.
  void introduce(std::span<const wire::Address> addresses, TransmitQueue& out);
  const std::vector<AddressConflict>& conflicts() const { return conflicts_.all(); }

 private:
  bool is_claimed(const wire::Address& address, const Frame& frame, Time now);

  Transmitter& transmitter_;
  const ServiceTable& services_;
  const OwnAddresses& own_addresses_;
  AddressConflicts conflicts_;
};

}  // namespace sluice::director
