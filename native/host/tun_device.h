// SPDX-License-Identifier: Apache-2.0
// The device through which IP packets enter the host's stack, as if they had come from a network: what was in tunnels,
// and what is for a real server that is the host. It lives as long as this object or its process, whatever ends it, and
// its addresses live as long as it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/descriptor.h"
#include "host/failure.h"
#include "wire/address.h"
#include "wire/bytes.h"

namespace sluice::host {

// An IP packet for the host's stack.
struct TunPacket {
  wire::Bytes packet;
  bool is_partial = false;                           // its transport checksum is still to be computed:
  uint16_t checksum_start = 0, checksum_offset = 0;  // from here on; stored so many bytes behind
};

class TunDevice {
 public:
  // Makes the device, gives it the addresses and sets it up. `held`: /dev/net/tun as somebody with more rights has
  // opened it and keeps it open; -1: it is opened here. The device that a process before has made with it is taken
  // over.
  bool open(const std::string& name, const std::vector<wire::Address>& addresses, Failure& failure, int held = -1);
  // The host takes packets whose source is one of its own addresses.
  bool accept_own_sources(Failure& failure);
  // What the host sends to the address goes to the device, in packets of at most `mtu` bytes. A route to that address
  // that is there already stays.
  bool add_route(const wire::Address& address, uint32_t mtu, Failure& failure);
  uint32_t index() const { return index_; }
  // Gives the host an IP packet. False with errno.
  bool write(const TunPacket& packet);

 private:
  Descriptor descriptor_;
  uint32_t index_ = 0;
  std::vector<wire::Address> routes_;  // that lead here
};

}  // namespace sluice::host
