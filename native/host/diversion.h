// SPDX-License-Identifier: Apache-2.0
// Frames of the director on their way past the host's stack: from a device's driver to AF_XDP sockets, by the program
// steal_xdp (native/bpf/steal.bpf.c), which is attached by a link and goes with the process.
//
// Drivers only. Generic XDP is a copy behind the point where the kernel has made a packet of the frame, and merged it
// with others: slower than a packet ring, and out of order where merged packets take another way (decision 13).
#pragma once

#include <cstdint>
#include <map>
#include <span>

#include "bpf/steal.generated.h"
#include "bpf/steal.h"
#include "host/bpf.h"
#include "host/descriptor.h"
#include "host/failure.h"
#include "wire/address.h"

namespace sluice::host {

class Diversion {
 public:
  struct Lane {
    uint32_t interface = 0;             // its index
    uint16_t port = 0;                  // a number of its own
    wire::MacAddress mac;               // whose frames are taken
    uint32_t longest_frame = 0;         // that the sockets have room for
    std::span<const int> sockets = {};  // by receive queue
  };

  // `maps` are those of the other programs, which this one looks up too; its own are added to them.
  static bool load(std::span<BpfMap, bpf::map_count> maps, Diversion& loaded, Failure& failure);

  // From now on; until remove(), or the end of this.
  bool add(const Lane& lane, Failure& failure);
  void remove(uint32_t interface);
  // The address of an interface has changed. Nothing for one that has no lane.
  bool readdress(uint32_t interface, const wire::MacAddress& mac, Failure& failure);

 private:
  bool set(uint32_t interface, const bpf::steal_lane& lane, Failure& failure);

  std::span<BpfMap> maps_;
  Descriptor program_;
  std::map<uint32_t, Descriptor> links_;
  std::map<uint32_t, bpf::steal_lane> lanes_;
};

}  // namespace sluice::host
