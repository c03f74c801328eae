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
  // Gives the host an IP packet. False with errno.
  bool write(const TunPacket& packet);

 private:
  Descriptor descriptor_;
};

}  // namespace sluice::host
