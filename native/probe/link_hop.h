// SPDX-License-Identifier: Apache-2.0
// Where a server is on the links of this host: the interface and the link-layer address that frames to it need.
#pragma once

#include <cstdint>

#include "host/failure.h"
#include "host/netlink.h"
#include "host/route_messages.h"
#include "wire/address.h"

namespace sluice::probe {

struct LinkHop {
  uint32_t interface = 0;
  host::NeighbourRecord::State state = host::NeighbourRecord::State::unresolved;
  wire::MacAddress mac;
  bool has_mac() const {
    return state == host::NeighbourRecord::State::stale || state == host::NeighbourRecord::State::confirmed;
  }
};

class LinkHops {
 public:
  bool open(host::Failure& failure) { return socket_.open(0, failure); }
  // 0, or errno: ENETUNREACH where the server is behind a gateway, or is nowhere; ELOOP where it is this host; another
  // one where the kernel did not answer.
  int find(const wire::Address& server, LinkHop& hop);

 private:
  int find_interface(const wire::Address& server, uint32_t& interface);
  host::NetlinkSocket socket_;
};

}  // namespace sluice::probe
