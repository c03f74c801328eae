// SPDX-License-Identifier: Apache-2.0
// The state of an SCTP association as the director sees it pass by: IPVS's machine (Linux 6.1), RFC 9260.
//
// Theory of operation
//   States are the real server's, guessed from the first chunk of each packet of either side. A client's association:
//   INIT → INIT1 (a second INIT → INIT), server's INIT ACK → COOKIE_SENT, client's COOKIE ECHO → COOKIE_REPLIED,
//   server's COOKIE ACK → ESTABLISHED. One that the server begins goes by COOKIE_WAIT, COOKIE, COOKIE_ECHOED. An INIT
//   refused with ABORT → REJECTED. SHUTDOWN, SHUTDOWN ACK and SHUTDOWN COMPLETE lead to CLOSED.
//   Only ESTABLISHED counts as active.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "director/states/passage.h"
#include "wire/bytes.h"

namespace sluice::director {

enum class SctpState : uint8_t {
  none,
  init1,
  init,
  cookie_sent,
  cookie_replied,
  cookie_wait,
  cookie,
  cookie_echoed,
  established,
  shutdown_sent,
  shutdown_received,
  shutdown_ack_sent,
  rejected,
  closed,
};
inline constexpr size_t sctp_state_count = 14;

enum class SctpEvent : uint8_t {
  data,  // and everything that has no event of its own: SACK, HEARTBEAT, unknown chunks
  init,
  init_ack,
  cookie_echo,
  cookie_ack,
  shutdown,
  shutdown_ack,
  shutdown_complete,
  error,
  abort,
};
inline constexpr size_t sctp_event_count = 10;

// What a packet means, from its chunks (all that follows the common header). The first chunk decides, but an ABORT that
// follows a COOKIE ECHO or COOKIE ACK comes before it. Nothing where not even one chunk header is there: such a packet
// changes no state.
std::optional<SctpEvent> sctp_event(wire::Bytes chunks);

SctpState next(SctpState state, Passage direction, SctpEvent event);

// As `ipvsadm -Lnc` prints it: "C-REPLIED".
std::string_view name(SctpState state);

inline constexpr bool is_active(SctpState state) {
  return state == SctpState::established;
}

// Whether a packet that belongs to no association may begin one: its first chunk is INIT, or anything with sloppy_sctp;
// never ABORT. No chunk header, no association: such a packet to a service is dropped.
bool begins_association(wire::Bytes chunks, bool sloppy);

// Whether an INIT on an association in this state begins a new one, scheduled anew, for conn_reuse_mode 1 and above.
inline constexpr bool is_reusable(SctpState state, unsigned conn_reuse_mode) {
  return conn_reuse_mode != 0 && state == SctpState::closed;
}

// States that drop_entry takes away when memory is short.
inline constexpr bool is_half_open(SctpState state) {
  return state == SctpState::init1 || state == SctpState::init;
}

}  // namespace sluice::director
