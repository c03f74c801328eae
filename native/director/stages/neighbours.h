// SPDX-License-Identifier: Apache-2.0
// Neighbours on the links: ARP and IPv6 neighbour discovery, as far as they are about addresses that the director owns.
//
// The director answers questions for its addresses, says whose they are (announce), and notes who else claims one.
// Asking for the neighbours that packets leave to is the transmitter's.
#pragma once

#include <optional>
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
  // Somebody advertises an address as its own, or asks for the link-layer address of an address that the director owns:
  // the first time by multicast, to see whether it is still there by unicast. Fragmented questions are nobody's (RFC
  // 6980). Nothing: it is no such question.
  std::optional<Decision> neighbour_message(const Transit<wire::Ipv6Address>& t);

  // Says on the network whose the virtual addresses are: those that no host owns, each on the port that leads to its
  // network, or on all.
  void announce(TransmitQueue& out);
  // Asks for their owners on the networks that hold them: who answers is a conflict.
  void ask_for_owners(TransmitQueue& out);
  const std::vector<AddressConflict>& conflicts() const { return conflicts_.all(); }

 private:
  bool is_claimed(const wire::Address& address, const Frame& frame, Time now);

  Transmitter& transmitter_;
  const ServiceTable& services_;
  const OwnAddresses& own_addresses_;
  AddressConflicts conflicts_;
};

}  // namespace sluice::director
