// SPDX-License-Identifier: Apache-2.0
// A TCP segment that the director writes itself, in the name of one end of a connection.
#pragma once

#include "director/flows/flow.h"
#include "director/handshake/syn_cookie.h"
#include "director/outgoing/outgoing.h"
#include "director/outgoing/transit.h"
#include "director/outgoing/transmitter.h"

namespace sluice::director {

template <class A>
struct OwnSegment {
  Endpoints<A> endpoints;
  uint32_t sequence = 0, acknowledgement = 0;
  uint8_t flags = 0;
  uint16_t window = 0;
  SynOptions options = {};
  wire::Bytes payload = {};  // at most longest_own_payload
};

inline constexpr uint32_t longest_own_payload = 52;
inline constexpr uint32_t longest_own_segment = 40 + 60 + longest_own_payload;  // IPv6 and TCP headers

template <class A>
inline constexpr uint32_t ip_header_length = A::family == wire::Family::ipv4 ? 20 : 40;

inline SynOptions timestamps(bool are_used, uint32_t timestamp, uint32_t echo) {
  SynOptions options;
  options.timestamps = are_used;
  options.timestamp = timestamp;
  options.timestamp_echo = echo;
  return options;
}

// Writes into longest_own_segment bytes.
template <class A>
IpPacket write(const OwnSegment<A>& segment, uint8_t* to);

// Sends the segment, which the packet `t` has caused. Returns nothing if it was sent. `told`: a flow whose real server
// gets the client's address in this segment, if the flow has TOA.
template <class A>
std::optional<Reason> send_own(Transmitter& transmitter, Transit<A>& t, const OwnSegment<A>& segment,
                               const NextHop& hop, const Flow<A>* told = nullptr);

}  // namespace sluice::director
