// SPDX-License-Identifier: Apache-2.0
// SYN cookies and the splice behind them: the director's SYN proxy, for NAT and FULLNAT, where it sees both directions.
//
// Theory of operation
//   Under a flood of SYNs with forged sources no state may be kept before a client has proved that it receives what is
//   sent to it. So the director answers the SYN itself and hides what it must remember in the sequence number of its
//   answer, which the client's ACK brings back. Only then does a flow exist and a real server hear of it.
//
//   c: the client's initial sequence number, k: the cookie, s: the real server's initial sequence number
//
//   1  client → director   SYN seq c            nothing is stored; options are read (read_syn_options)
//   2  director → client   SYN-ACK seq k ack c+1, window 0, options: the MSS that the ways to client and real servers
//                          carry; window scale (promised_window_scale), SACK-permitted and a timestamp if the client
//                          offered them. Window 0: what the client would send at once could not be delivered yet, and
//                          would be lost.
//   3  client → director   ACK seq c+1 ack k+1   open_cookie() is the proof. The flow is made: scheduler, limits, NAT.
//      director → server   SYN seq c, options as the client sent them in 1: MSS, window scale, SACK-permitted out of
//                          the cookie, the timestamp if the ACK carries one (its TSval; a client sends one only after
//                          it has offered and been answered one). If this SYN or its answer is lost, a timer
//                          repeats it (spliced_flows.h). Data that comes all the same (a probe of the closed window may
//                          carry some) is not kept: the client sends it again.
//                          If the ACK of 3 is lost, a probe does for it: its sequence number may be c instead of c+1.
//   4  server → director   SYN-ACK seq s ack c+1 The splice is known: k-s, the timestamps' difference, both scales.
//      director → server   ACK seq c+1 ack s+1
//      director → client   ACK seq k+1 ack c+1 with the server's window: the client may send.
//      RST instead: passed to the client as RST seq k+1.
//   5  from here on packets are forwarded with to_client() and to_server(): sequence numbers of the server's
//      direction are moved by k-s, in SACK blocks of the client too; the client's own stay as they are.
//
//   What cannot be kept: options of the SYN beyond the four above; data in a SYN (TCP Fast Open); MD5 and AO
//   signatures, which cover sequence numbers; ECN. What was promised in 2 cannot be taken back in 4: where the real
//   server declines a timestamp that the client was promised, both ends get a RST, and for a while the service's
//   clients are promised none. A declined window scale is made up for in the windows, a declined SACK does no harm.
//   ICMP errors that quote a spliced packet have what is quoted of its header moved back.
//
// The cookie
//   bits 31…8  the first 24 bits of SipHash-2-4 (addresses, ports, c, the options below, slot), keyed by the slot's
//              secret
//   bits  7…5  index of the greatest MSS in the table that the client's own reaches
//   bits  4…1  window scale, 15 for none
//   bit   0    SACK permitted
//
//   Time is cut into slots of 64 s; the cookies of this slot and of the one before are good, so a client has between 64
//   and 128 s. Each slot has a new secret. Two tags of 24 bits are good at a time: one blind guess in 2^23 succeeds,
//   and one in 2^22 of those that could be a probe and are tried for both of its sequence numbers.
//
// Everything here is a pure function: keys and time are passed in, and nothing is stored.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/siphash.h"
#include "core/time.h"
#include "director/flows/spliced_flows.h"
#include "director/services/scheduler.h"
#include "wire/address.h"
#include "wire/tcp.h"

namespace sluice::director {

struct CookieFlow {
  wire::Address client, virtual_address;
  uint16_t client_port = 0, virtual_port = 0;
};

SynOptions read_syn_options(wire::Bytes options);
// Returns the length written, a multiple of four, 20 at most.
size_t write_syn_options(const SynOptions& options, std::array<uint8_t, 20>& out);

// The secrets of this slot and of the one before. In the field `random` must be the kernel's (getrandom): who can
// guess its numbers can forge cookies.
class CookieSecrets {
 public:
  static constexpr Time slot_length = 64 * second;
  static uint32_t slot_at(Time now) { return static_cast<uint32_t>(now / slot_length); }

  // Before the batch that arrives at `now`: renews what has expired.
  void renew(Time now, const RandomSource& random);
  uint32_t slot() const { return slot_; }
  core::SipKey key_of(uint32_t slot) const { return keys_[slot % keys_.size()]; }

 private:
  std::array<core::SipKey, 2> keys_{};
  uint32_t slot_ = 0;
  bool renewed_ = false;
};

// What of the options the cookie can hold: an MSS of the table (below) and never a timestamp.
uint32_t make_cookie(const CookieFlow& flow, uint32_t client_sequence, const SynOptions& options,
                     const CookieSecrets& secrets);

// The options of the SYN that `cookie` was made for, `client_sequence` being that SYN's; nothing for a cookie that was
// forged or has expired. Of the client's ACK: its sequence number less one, and its acknowledgement less one.
std::optional<SynOptions> open_cookie(const CookieFlow& flow, uint32_t client_sequence, uint32_t cookie,
                                      const CookieSecrets& secrets);

// By family: what hosts really send (Ethernet, PPPoE and tunnels below it, jumbo frames), with the least that must be
// assumed where there is no option: 536 (RFC 9293 3.7.1), 1220 (RFC 8200).
inline constexpr std::array<uint16_t, 8> mss_table_ipv4{216, 536, 1220, 1360, 1400, 1440, 1460, 8960};
inline constexpr std::array<uint16_t, 8> mss_table_ipv6{536, 1220, 1340, 1380, 1400, 1420, 1440, 8940};

// What clients are promised of the real server's window scale before it has said its own: Linux's for a receive buffer
// of 4 to 8 MiB, which is its default. Windows up to 8 MiB can be said in it.
inline constexpr uint8_t promised_window_scale = 7;

// Rewrites the header of a packet after phase 4 in place. Returns what that adds to the sum over the segment, for a
// finished checksum (wire::updated_checksum); a partial one holds the pseudo-header alone and stays as it is.
// A window is rounded down to what the promised scale can say: the client never sends more than the server takes.
wire::Sum to_client(wire::MutableTcpView header, const Splice& splice);
wire::Sum to_server(wire::MutableTcpView header, const Splice& splice);

// The TCP header that an ICMP error quotes, which may end anywhere, in the numbers of the packet's sender again: of
// what to_client() and to_server() change the reverse, as far as the quotation goes. Windows that were rounded stay
// rounded.
void unquote_to_client(wire::MutableBytes quoted, const Splice& splice);  // it had gone to the client
void unquote_to_server(wire::MutableBytes quoted, const Splice& splice);

}  // namespace sluice::director
