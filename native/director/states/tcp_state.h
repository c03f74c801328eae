// SPDX-License-Identifier: Apache-2.0
// The state of a TCP connection as an observer between its ends sees it: IPVS's state machine (Linux 6.1).
//
// Theory of operation
//   The director guesses the state of both ends from the flags of the packets. One flag of each packet counts, the
//   first of RST, SYN, FIN, ACK; a packet with none of them closes the connection. Sequence numbers are not looked at.
//   A connection through NAT: SYN from the client, none → SYN_RECV; SYN-ACK from the server, SYN_RECV stays; ACK from
//   the client → ESTABLISHED; FIN from the client → CLOSE_WAIT; FIN from the server → TIME_WAIT. Each packet renews the
//   timeout of the state that it leads to.
//   With DR only the client's packets are seen: SYN_RECV, then ESTABLISHED at the ACK, FIN_WAIT at the client's FIN.
//
//   secure_tcp uses a second table, for attacks: through NAT only the server's ACK establishes a connection, not the
//   client's; with DR a SYN leads to SYNACK, which drop_entry may end.
//
//   A connection is *active* in the states of is_active(), otherwise inactive; the counts of its real server follow. It
//   begins in NONE, inactive, and its first packet moves it on at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "director/states/passage.h"

namespace sluice::director {

enum class TcpState : uint8_t {
  none,
  established,
  syn_sent,
  syn_recv,
  fin_wait,
  time_wait,
  close,
  close_wait,
  last_ack,
  listen,
  synack,
};
inline constexpr size_t tcp_state_count = 11;

enum class TcpTable : uint8_t { ordinary, secure };

// The state after a packet with these flags (byte 13 of its header).
TcpState next(TcpState state, Passage direction, uint8_t flags, TcpTable table);

// As `ipvsadm -Lnc` prints it: "ESTABLISHED".
std::string_view name(TcpState state);

bool is_active(TcpState state);

// Whether a packet without a connection may begin one: SYN, or any packet with sloppy_tcp, but never RST. A SYN-ACK may
// begin one: servers of active FTP send it.
bool begins_connection(uint8_t flags, bool sloppy);

// Whether a SYN in this state begins a new connection with the same ports, which is scheduled again, for
// conn_reuse_mode 1 and above. `one_way` is true while no packet of the server has been seen on a connection in DR or
// tunnel mode: its FIN_WAIT may really be TIME_WAIT, and modes with bit 2 treat it so.
bool is_reusable(TcpState state, unsigned conn_reuse_mode, bool one_way);

// States whose flows drop_entry may end when memory is short. (It may also end an established connection after 60 s
// with fewer than nine packets.)
bool is_half_open(TcpState state);

}  // namespace sluice::director
