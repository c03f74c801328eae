// SPDX-License-Identifier: Apache-2.0
// The program at egress that lets tunnelled TCP frames leave in one piece (bpf/tunnel.bpf.c). Needs tcx (kernel 6.6);
// nothing is left of it when the process ends, whatever ends it.
#pragma once

#include <cstdint>
#include <map>

#include "host/descriptor.h"
#include "host/failure.h"

namespace sluice::host {

class TunnelEgress {
 public:
  // By the interface's index. False with a failure: frames that are marked for the program must not be sent there.
  bool add(uint32_t interface, Failure& failure);
  void remove(uint32_t interface) { links_.erase(interface); }

 private:
  Descriptor program_;
  std::map<uint32_t, Descriptor> links_;
};

}  // namespace sluice::host
