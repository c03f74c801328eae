// SPDX-License-Identifier: Apache-2.0
// Which addresses are the director's own: those of virtual services and of pools.
#pragma once

#include "director/outgoing/transmitter.h"
#include "director/pools/local_pools.h"
#include "director/services/service_table.h"

namespace sluice::director {

class OwnAddresses {
 public:
  OwnAddresses(const ServiceTable& services, const LocalPools& pools, const Transmitter& transmitter)
      : services_(services), pools_(pools), transmitter_(transmitter) {}

  // Whether the director alone has the address: a virtual address or an address of a pool that this host has not
  // configured. The host itself answers questions about its addresses.
  bool owns(const wire::Address& address) const;
  // Whether no host can have sent from the address, as Linux 6.1 sees it where it lets a packet in: RFC 1812 5.3.7, and
  // for IPv4 this host's own addresses. IPv6 packets from this host's own addresses are let in. Asked of packets that
  // would open a flow; what belongs to a flow was let in by one that was asked.
  template <class A>
  bool is_martian(const A& source) const;
  // Whether the sender of a packet may be told anything by this host: it is one host, and another one.
  template <class A>
  bool may_tell(const A& sender) const;

 private:
  const ServiceTable& services_;
  const LocalPools& pools_;
  const Transmitter& transmitter_;  // for its route table
};

}  // namespace sluice::director
