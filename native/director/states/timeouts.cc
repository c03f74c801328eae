// SPDX-License-Identifier: Apache-2.0
#include "director/states/timeouts.h"

#include <algorithm>

namespace sluice::director {
namespace {

bool equal_in_any_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

template <typename State, size_t count>
uint32_t* find_in(std::array<uint32_t, count>& timeouts, std::string_view state) {
  for (size_t i = 0; i < count; i++) {
    if (equal_in_any_case(name(static_cast<State>(i)), state)) return &timeouts[i];
  }
  return nullptr;
}

}  // namespace

void Timeouts::set(uint32_t tcp_established, uint32_t tcp_fin_wait, uint32_t udp_normal) {
  if (tcp_established != 0) tcp[static_cast<size_t>(TcpState::established)] = tcp_established;
  if (tcp_fin_wait != 0) tcp[static_cast<size_t>(TcpState::fin_wait)] = tcp_fin_wait;
  if (udp_normal != 0) udp[static_cast<size_t>(UdpState::normal)] = udp_normal;
}

uint32_t* Timeouts::find(std::string_view protocol, std::string_view state) {
  if (protocol == "tcp") return find_in<TcpState>(tcp, state);
  if (protocol == "sctp") return find_in<SctpState>(sctp, state);
  if (protocol == "udp") return find_in<UdpState>(udp, state);
  return nullptr;
}

}  // namespace sluice::director
