// SPDX-License-Identifier: Apache-2.0
// UDP has one state in IPVS, printed as "UDP", and its connections count as inactive for ever: active counts, and the
// schedulers that look at nothing else (sed, nq, ovf), are blind to them. A reply of the server makes the persistence
// template behind a connection assured, which an ESTABLISHED state does for TCP and SCTP.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice::director {

enum class UdpState : uint8_t { normal };
inline constexpr size_t udp_state_count = 1;

inline constexpr std::string_view name(UdpState) {
  return "UDP";
}
inline constexpr bool is_active(UdpState) {
  return false;
}

}  // namespace sluice::director
