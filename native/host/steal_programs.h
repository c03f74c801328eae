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
  // `ingress` is there when the first three are loaded; `fanout` is for several workers.
  Descriptor socket, filter, ingress, fanout;

  // The kernel verifies a program by following every path through it: some tenths of a second for each large program.
  bool load(Failure& failure);
  // After load(). Does nothing where the program is loaded already.
  bool load_fanout(Failure& failure);

  // Loads the programs ahead, for take_prepared(). If the kernel refuses them, nothing is prepared.
  static void prepare(bool with_fanout);
  // `ingress` is empty if no programs were prepared.
  static StealPrograms take_prepared();
};

}  // namespace sluice::host
