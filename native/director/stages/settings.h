// SPDX-License-Identifier: Apache-2.0
// What a director is configured with beside services, and what it is created with.
#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include "core/share.h"
#include "director/network/frame.h"
#include "director/services/scheduler.h"
#include "wire/address.h"

namespace sluice::director {

// IPVS's switches under IPVS's names and with its defaults (net.ipv4.vs.*), and those that Sluice adds.
struct Switches {
  uint8_t conn_reuse_mode = 1;
  bool expire_nodest_conn = false;
  bool expire_quiescent_template = false;
  bool sloppy_tcp = false;
  bool sloppy_sctp = false;
  bool nat_icmp_send = false;
  bool pmtu_disc = true;
  bool schedule_icmp = false;
  uint8_t drop_entry = 0;   // 0 never, 1 and 2 when memory is short, 3 always
  uint8_t drop_packet = 0;  // the same
  uint8_t secure_tcp = 0;   // the same
  uint32_t am_droprate = 10;
  uint32_t amemthresh = 1024;      // pages of 4 KiB: less room than this for new flows counts as short of memory
  bool udp_leave_removed = false;  // UDP flows of a removed server end at once
  bool host_answers = true;        // what nobody here wants is answered as a host's stack would (host_answers.h)
  bool operator==(const Switches&) const = default;
};

// Memory files that hold what another process needs to carry this director's flows on (restore.h). They are empty at
// first and stay open; -1: what the director knows ends with its process.
struct MemoryFiles {
  int flows4 = -1, flows6 = -1, spliced = -1, destinations = -1;
};

struct DirectorOptions {
  uint32_t flow_limit = 1 << 24;   // of each family
  uint32_t fragment_limit = 4096;  // datagrams whose fragments are followed, of each family
  std::array<uint64_t, 4> seed{};  // of the flow table's hash; secret in service
  RandomSource random;             // for schedulers and pools
  // Of the workers that have the same services: this one has its share of local ports and of limits.
  Share share;
  Time start = 0;
  MemoryFiles files;
  bool huge_pages = true;
  // Whether what the host's stack answers to a packet that was translated for it comes back to the director.
  bool translates_for_host = true;
  bool limits_icmp = true;  // errors to one receiver at the kernel's rate
  // Has the link-layer address of a next hop found out, at most once a second each; without it the director asks the
  // network itself.
  std::function<void(PortId, const wire::Address&)> resolve;
  uint32_t fragment_chunks = 2048;  // of 2 KiB, of each family, for fragments that wait for their first
};

}  // namespace sluice::director
