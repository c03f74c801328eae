// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace sluice::director {

// IPVS's switches with IPVS's names and defaults (net.ipv4.vs.*), and those that Sluice adds.
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
  uint8_t drop_packet = 0;  // as drop_entry
  uint8_t secure_tcp = 0;   // as drop_entry
  uint32_t am_droprate = 10;
  uint32_t amemthresh = 1024;      // in pages of 4 KiB: if fewer are free for new flows, memory is short
  bool udp_leave_removed = false;  // UDP flows of a removed server end at once
  bool host_answers = true;        // unwanted packets get the answer of a host's stack (host_answers.h)
  bool operator==(const Switches&) const = default;
};

}  // namespace sluice::director
