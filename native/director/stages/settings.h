// SPDX-License-Identifier: Apache-2.0
// What a director is configured with beside services, and what it is created with.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>

#include "core/memory.h"
#include "core/share.h"
#include "director/network/frame.h"
#include "director/network/host_replies.h"
#include "director/services/scheduler.h"
#include "director/states/switches.h"
#include "wire/address.h"

namespace sluice::director {

// Where a director's tables are.
struct DirectorMemory {
  std::shared_ptr<const core::MemorySource> flows4, flows6, spliced, destinations;  // nullptr: in `own`
  // Of all else; must be set, and outlives the director.
  const core::MemorySource* own = nullptr;
};

struct DirectorOptions {
  uint32_t flow_limit = 1 << 24;   // of each family
  uint32_t fragment_limit = 4096;  // datagrams whose fragments are followed, of each family
  std::array<uint64_t, 4> seed{};  // of the flow table's hash; secret in service
  RandomSource random;             // for schedulers and pools
  // Of the workers that have the same services: this one has its share of local ports and of limits.
  core::Share share;
  Time start = 0;
  // What another process needs to carry this director's flows on lies apart from all else (restore.h).
  DirectorMemory memory;
  bool huge_pages = true;
  // Who brings back what the host's stack answers to packets that were translated for it; nullptr: they come back by
  // themselves. It outlives the director.
  HostReplies* host_replies = nullptr;
  bool limits_icmp = true;  // errors to one receiver at the kernel's rate
  // Has the link-layer address of a next hop found out, at most once a second each; without it the director asks the
  // network itself.
  std::function<void(PortId, const wire::Address&)> resolve;
  uint32_t fragment_chunks = 2048;  // of 2 KiB, of each family, for fragments that wait for their first
};

}  // namespace sluice::director
