// SPDX-License-Identifier: Apache-2.0
// The device through which inner packets enter the host's stack, as if they had come from a network. It lives as long
// as this object or its process, whatever ends it, and its addresses live as long as it.
#pragma once

#include <string>
#include <vector>

#include "decap/decapsulate.h"
#include "host/descriptor.h"
#include "host/failure.h"
#include "port/virtio_header.h"

namespace sluice::decap {

class TunDevice {
 public:
  // What has to be free before a packet that is written.
  static constexpr size_t headroom = sizeof(port::VirtioHeader);

  // Makes the device, gives it the addresses and sets it up.
  bool open(const std::string& name, const std::vector<wire::Address>& addresses, host::Failure& failure);
  // Gives the host an IP packet. False with errno.
  bool write(const Inner& inner);
  void close() { descriptor_ = host::Descriptor(); }

 private:
  host::Descriptor descriptor_;
};

}  // namespace sluice::decap
