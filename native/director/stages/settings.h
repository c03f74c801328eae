// SPDX-License-Identifier: Apache-2.0
// A director's options at creation, and its configuration beside services.
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

// The memory of a director's tables.
struct DirectorMemory {
  std::shared_ptr<const core::MemorySource> flows4, flows6, spliced, destinations;  // nullptr: in `own`
  // For everything else. Must be set, and must outlive the director.
  const core::MemorySource* own = nullptr;
};

struct DirectorOptions {
  uint32_t flow_limit = 1 << 24;   // of each family
  uint32_t fragment_limit = 4096;  // for each family: datagrams whose fragments are followed
  std::array<uint64_t, 4> seed{};  // for the flow table's hash; secret in service
  RandomSource random;             // for schedulers and pools
  // This worker's share of local ports and of limits, among all workers with the same services.
  core::Share share;
  Time start = 0;
  // Memory that another process needs to restore this director's flows is separate from the rest (restore.h).
  DirectorMemory memory;
  bool huge_pages = true;
  // Brings back the answers of the host's stack to packets that were translated for it; nullptr: they come back
  // without it. It outlives the director.
  HostReplies* host_replies = nullptr;
  bool limits_icmp = true;  // limits the errors to one receiver to the kernel's rate
  // Starts the lookup of a next hop's link-layer address, at most once a second per next hop. If it is not set, the
  // director asks the network itself.
  std::function<void(PortId, const wire::Address&)> resolve;
  uint32_t fragment_chunks = 2048;  // for each family: of 2 KiB, for fragments that wait for their first
};

}  // namespace sluice::director
