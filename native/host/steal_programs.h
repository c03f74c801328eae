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

  // The kernel follows every way through a program first: some tenths of a second for each of the large ones.
  bool load(Failure& failure);
  // After load(). Nothing where it is loaded already.
  bool load_fanout(Failure& failure);

  // Loads them for the first who takes them. Where the kernel refuses there will be none.
  static void prepare(bool with_fanout);
  // `ingress` is empty where none were prepared.
  static StealPrograms take_prepared();
};

}  // namespace sluice::host
