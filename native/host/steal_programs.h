// SPDX-License-Identifier: Apache-2.0
// The programs that keep packets from the host's stack, and their maps, as the kernel has them.
#pragma once

#include <array>

#include "bpf/steal.generated.h"
#include "host/bpf.h"
#include "host/descriptor.h"
#include "host/failure.h"

namespace sluice::host {

struct StealPrograms {
  std::array<BpfMap, bpf::map_count> maps;
  // The last one is loaded when all are.
  Descriptor socket, filter, fanout, ingress;

  // The kernel follows every way through a program first: some tenths of a second.
  bool load(Failure& failure);

  // Loads them for the first who takes them. Where the kernel refuses there will be none.
  static void prepare();
  // `ingress` is empty where none were prepared.
  static StealPrograms take_prepared();
};

}  // namespace sluice::host
