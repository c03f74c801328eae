// SPDX-License-Identifier: Apache-2.0
// The state of an SCTP association as an observer between its ends sees it: IPVS's state machine (Linux 6.1), RFC 9260.
//
// Theory of operation
//   States are the real server's, guessed from the first chunk of each packet. For an association that the client
//   begins: INIT → INIT1 (a second INIT → INIT), server's INIT ACK → COOKIE_SENT, client's COOKIE ECHO →
//   COOKIE_REPLIED, server's COOKIE ACK → ESTABLISHED. If the server begins: COOKIE_WAIT, COOKIE, COOKIE_ECHOED. An
//   INIT that is refused with ABORT → REJECTED. SHUTDOWN, SHUTDOWN ACK and SHUTDOWN COMPLETE lead to CLOSED. Only
//   ESTABLISHED counts as active.
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
  data,  // also every chunk without an event of its own: SACK, HEARTBEAT, unknown chunks
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

// What a packet means, from its chunks (all bytes after the common header). The first chunk decides, except that an
// ABORT after a COOKIE ECHO or COOKIE ACK has precedence. Nothing if there is no whole chunk header: such a packet
// changes no state.
std::optional<SctpEvent> sctp_event(wire::Bytes chunks);

SctpState next(SctpState state, Passage direction, SctpEvent event);

// As `ipvsadm -Lnc` prints it: "C-REPLIED".
std::string_view name(SctpState state);

inline constexpr bool is_active(SctpState state) {
  return state == SctpState::established;
}

// Whether a packet without an association may begin one: if its first chunk is INIT, or any chunk with sloppy_sctp, but
// never ABORT. A packet to a service without a whole chunk header is dropped.
bool begins_association(wire::Bytes chunks, bool sloppy);

// Whether an INIT in this state begins a new association, which is scheduled again, if conn_reuse_mode is not 0.
inline constexpr bool is_reusable(SctpState state, unsigned conn_reuse_mode) {
  return conn_reuse_mode != 0 && state == SctpState::closed;
}

// States whose flows drop_entry may end when memory is short.
inline constexpr bool is_half_open(SctpState state) {
  return state == SctpState::init1 || state == SctpState::init;
}

}  // namespace sluice::director
