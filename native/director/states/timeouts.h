// SPDX-License-Identifier: Apache-2.0
// How long a connection lives after its last packet, by the state that the packet led to: IPVS's defaults, each of
// which can be set. `ipvsadm --set TCP TCPFIN UDP` sets three of them: TCP's ESTABLISHED and FIN_WAIT, and UDP's; zero
// changes nothing. secure_tcp changes the table of states, not the timeouts.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "core/time.h"
#include "director/states/sctp_state.h"
#include "director/states/tcp_state.h"
#include "director/states/udp_state.h"

namespace sluice::director {

// In seconds. ipvsadm accepts at most 31 days.
inline constexpr uint32_t longest_timeout = 31 * 24 * 3600;

struct Timeouts {
  std::array<uint32_t, tcp_state_count> tcp{2, 900, 120, 60, 120, 120, 10, 60, 30, 120, 120};
  std::array<uint32_t, sctp_state_count> sctp{2, 4, 61, 61, 61, 61, 61, 61, 900, 61, 61, 61, 4, 61};
  std::array<uint32_t, udp_state_count> udp{300};
  bool operator==(const Timeouts&) const = default;

  Time of(TcpState state) const { return tcp[static_cast<size_t>(state)] * second; }
  Time of(SctpState state) const { return sctp[static_cast<size_t>(state)] * second; }
  Time of(UdpState state) const { return udp[static_cast<size_t>(state)] * second; }

  // As ipvsadm --set.
  void set(uint32_t tcp_established, uint32_t tcp_fin_wait, uint32_t udp_normal);

  // The timeout of one state, by protocol ("tcp", "udp", "sctp") and the state's name as ipvsadm prints it, in upper or
  // lower case: ("tcp", "syn_recv"), ("sctp", "C-WAIT"), ("udp", "udp"). nullptr if there is none.
  uint32_t* find(std::string_view protocol, std::string_view state);
};

}  // namespace sluice::director
