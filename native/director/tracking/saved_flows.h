// SPDX-License-Identifier: Apache-2.0
// What an ended process has left in its memory files, and the result of a restore.
//
// Flows, their templates, their places in pools and the numbers of spliced flows are restored. Everything else that the
// director knew is lost: counters, positions of schedulers, limits of sources, waiting fragments, path MTUs of real
// servers. The files are read as they were when the process ended, which may have been in the middle of a change: a
// record that contradicts itself or the configuration is left out (restore.cc).
#pragma once

#include <cstdint>
#include <span>

#include "director/flows/flow.h"
#include "director/flows/spliced_flows.h"
#include "director/services/service_table.h"

namespace sluice::director {

struct SavedFlows {
  std::span<const Flow<wire::Ipv4Address>> flows4;
  std::span<const Flow<wire::Ipv6Address>> flows6;
  std::span<const SplicedFlow> spliced;
  std::span<const DestinationIdentity> destinations;
};

struct Restored {
  uint32_t flows = 0;  // includes templates
  uint32_t over = 0;   // expired meanwhile
  uint32_t lost = 0;   // no service, real server or place for them, or no room
};

}  // namespace sluice::director
