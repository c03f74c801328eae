// SPDX-License-Identifier: Apache-2.0
// SYN cookies and splicing: the director's SYN proxy, for NAT and FULLNAT, where the director sees both directions.
//
// Theory of operation
//   In a flood of SYNs with forged sources the director must keep no state until a client has proved that it receives
//   packets. So the director answers the SYN itself and encodes what it must remember in the sequence number of its
//   answer; the client's ACK brings this number back. Only then the flow is created and the real server contacted.
//
//   c: the client's initial sequence number, k: the cookie, s: the real server's initial sequence number
//
//   1  client → director   SYN seq c            nothing is stored; options are read (read_syn_options)
//   2  director → client   SYN-ACK seq k ack c+1, window 0, options: the MSS that fits the paths to the client and
//                          to the real servers; window scale (promised_window_scale), SACK-permitted and a timestamp
//                          if the client offered them. Window 0, because data that the client sent at once could not
//                          be delivered yet and would be lost.
//   3  client → director   ACK seq c+1 ack k+1   open_cookie() checks the cookie. The flow is created:
//                          scheduler, limits, NAT.
//      director → server   SYN seq c, options as the client sent them in 1: MSS, window scale, SACK-permitted from the
//                          cookie; the timestamp if the ACK carries one (its TSval; a client sends one only if it has
//                          offered one and got one in the answer). If this SYN or its answer is lost, a timer
//                          repeats it (spliced_flows.h). Data that comes nevertheless (a probe of the closed window may
//                          carry some) is not kept: the client sends it again.
//                          If the ACK of 3 is lost, a probe replaces it: its sequence number may be c instead of c+1.
//   4  server → director   SYN-ACK seq s ack c+1 The splice is known: k-s, the timestamps' difference, both scales.
//      director → server   ACK seq c+1 ack s+1
//      director → client   ACK seq k+1 ack c+1 with the server's window: the client may send.
//      If the server sends RST instead, the client gets RST seq k+1.
//   5  from now on packets are forwarded with to_client() and to_server(): sequence numbers of the server's
//      direction are moved by k-s, also in the client's SACK blocks; the client's own numbers stay as they are.
//
//   Not kept: options of the SYN beyond the four above; data in a SYN (TCP Fast Open); MD5 and AO signatures, which
//   cover sequence numbers; ECN. A promise of 2 cannot be taken back in 4: if the real server declines a timestamp that
//   the client was promised, both ends get a RST, and for some time the service's clients are not promised timestamps.
//   For a declined window scale the windows are converted; a declined SACK does no harm.
//   In ICMP errors that quote a spliced packet, the quoted header is translated back.
//
// The cookie
//   bits 31…8  the first 24 bits of SipHash-2-4 (addresses, ports, c, the options below, slot), keyed by the slot's
//              secret
//   bits  7…5  index of the greatest MSS in the table that the client's own reaches
//   bits  4…1  window scale, 15 for none
//   bit   0    SACK permitted
//
//   Time is divided into slots of 64 s. Cookies of this slot and of the previous one are good, so a client has between
//   64 and 128 s. Each slot has a new secret. Two tags of 24 bits are good at a time: one blind guess in 2^23 succeeds;
//   one in 2^22 if the guess could be a probe, which is tried with both sequence numbers.
//
// All functions here are pure: keys and time are passed in, and nothing is stored.
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
// Returns the written length: a multiple of four, at most 20.
size_t write_syn_options(const SynOptions& options, std::array<uint8_t, 20>& out);

// The secrets of this slot and of the previous one. In production `random` must be the kernel's generator (getrandom):
// anybody who can guess its numbers can forge cookies.
class CookieSecrets {
 public:
  static constexpr Time slot_length = 64 * second;
  static uint32_t slot_at(Time now) { return static_cast<uint32_t>(now / slot_length); }

  // Call it before the batch that arrives at `now`: it renews expired secrets.
  void renew(Time now, const RandomSource& random);
  uint32_t slot() const { return slot_; }
  core::SipKey key_of(uint32_t slot) const { return keys_[slot % keys_.size()]; }

 private:
  std::array<core::SipKey, 2> keys_{};
  uint32_t slot_ = 0;
  bool renewed_ = false;
};

// The cookie keeps an MSS of the table below, the window scale and SACK-permitted, but never a timestamp.
uint32_t make_cookie(const CookieFlow& flow, uint32_t client_sequence, const SynOptions& options,
                     const CookieSecrets& secrets);

// The options of the SYN that `cookie` was made for; `client_sequence` is that SYN's sequence number. Nothing if the
// cookie is forged or has expired. From the client's ACK: its sequence number less one, and its acknowledgement less
// one.
std::optional<SynOptions> open_cookie(const CookieFlow& flow, uint32_t client_sequence, uint32_t cookie,
                                      const CookieSecrets& secrets);

// By family: common values (Ethernet, PPPoE and tunnels below it, jumbo frames), and the value to assume if there is no
// option: 536 (RFC 9293 3.7.1), 1220 (RFC 8200).
inline constexpr std::array<uint16_t, 8> mss_table_ipv4{216, 536, 1220, 1360, 1400, 1440, 1460, 8960};
inline constexpr std::array<uint16_t, 8> mss_table_ipv6{536, 1220, 1340, 1380, 1400, 1420, 1440, 8940};

// The window scale that clients are told before the real server has sent its own: Linux's for a receive buffer of 4 to
// 8 MiB, its default. It can express windows up to 8 MiB.
inline constexpr uint8_t promised_window_scale = 7;

// Rewrites the header of a packet after phase 4 in place. Returns what that adds to the sum over the segment, for a
// finished checksum (wire::updated_checksum). A partial checksum covers only the pseudo-header and stays unchanged. A
// window is rounded down to what the promised scale can express: the client never sends more than the server accepts.
wire::Sum to_client(wire::MutableTcpView header, const Splice& splice);
wire::Sum to_server(wire::MutableTcpView header, const Splice& splice);

// Rewrites the TCP header that an ICMP error quotes back to its sender's numbers: the reverse of to_client() and
// to_server(), as far as the quotation goes (it may end anywhere). Rounded windows stay rounded.
void unquote_to_client(wire::MutableBytes quoted, const Splice& splice);  // the packet went to the client
void unquote_to_server(wire::MutableBytes quoted, const Splice& splice);

}  // namespace sluice::director
