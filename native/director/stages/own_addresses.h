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

  // Whether the director alone has the address: a virtual one, or a local one of a pool that this host has not
  // configured.
  bool owns(const wire::Address& address) const;
  // Whether no host can have sent from the address: RFC 1812 5.3.7, RFC 4291 2.7 and what the kernel refuses beside
  // them. Asked of packets that would open a flow or be answered; what belongs to a flow was let in by one that was
  // asked.
  template <class A>
  bool is_martian(const A& source) const;

 private:
  const ServiceTable& services_;
  const LocalPools& pools_;
  const Transmitter& transmitter_;  // for its route table
};

}  // namespace sluice::director
