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
  // Whether no host can have sent from the address, by Linux 6.1's rules at input: RFC 1812 5.3.7, and for IPv4 this
  // host's own addresses. IPv6 packets from this host's own addresses are allowed. Checked only for packets that would
  // open a flow.
  template <class A>
  bool is_martian(const A& source) const;
  // Whether this host may answer the sender of a packet: the sender is a single host, and not this one.
  template <class A>
  bool may_tell(const A& sender) const;

 private:
  const ServiceTable& services_;
  const LocalPools& pools_;
  const Transmitter& transmitter_;  // for its route table
};

}  // namespace sluice::director
