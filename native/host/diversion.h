// SPDX-License-Identifier: Apache-2.0
// Takes frames of the director from a device's driver to AF_XDP sockets, past the host's stack. The program steal_xdp
// (native/bpf/steal_xdp.bpf.c) does it. It is attached by a link, which the kernel removes when the process ends.
//
// The device's driver must have XDP. Generic XDP copies frames after the kernel has made packets of them and merged
// them: it is slower than a packet ring, and frames come out of order (decision 13).
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

  // `maps` are those of the other programs, which this program looks up too. Its own maps are added to them.
  static bool load(std::span<BpfMap, bpf::map_count> maps, Diversion& loaded, Failure& failure);

  // Frames take the lane from now on, until remove() or the end of this object.
  bool add(const Lane& lane, Failure& failure);
  void remove(uint32_t interface);
  // The address of an interface has changed. Does nothing if the interface has no lane.
  bool readdress(uint32_t interface, const wire::MacAddress& mac, Failure& failure);

 private:
  bool set(uint32_t interface, const bpf::steal_lane& lane, Failure& failure);

  std::span<BpfMap> maps_;
  Descriptor program_;
  std::map<uint32_t, Descriptor> links_;
  std::map<uint32_t, bpf::steal_lane> lanes_;
};

}  // namespace sluice::host
