// SPDX-License-Identifier: Apache-2.0
// UDP has one state in IPVS, printed as "UDP". Its connections always count as inactive, so schedulers that use only
// active counts (sed, nq, ovf) do not see them. A reply of the server makes the persistence template of a connection
// assured, as ESTABLISHED does for TCP and SCTP.
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
