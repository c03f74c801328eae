// SPDX-License-Identifier: Apache-2.0
// What a director that has gone has left in its memory files, and what became of it.
//
// Flows, their templates, the places that they have in pools and the numbers of proxied ones come back. What the
// director knew besides is lost: counters, where schedulers stood, sources' limits, fragments that waited, path MTUs of
// real servers. The files are read as they were when the process ended, which may have been in the middle of a change:
// a flow that contradicts itself is left out.
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
  uint32_t flows = 0;  // templates too
  uint32_t over = 0;   // their time has come meanwhile
  uint32_t lost = 0;   // no service, real server or place for them, or no room
};

}  // namespace sluice::director
