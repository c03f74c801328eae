// SPDX-License-Identifier: Apache-2.0
// PROXY protocol, version 2 (haproxy.org, proxy-protocol.txt): a header in front of the client's first byte tells the
// real server who the client is. It is inserted into a connection that the director does not terminate.
//
// Theory of operation
//   c: the client's initial sequence number, s: the real server's, L: the header's length
//
//   1  client → server   SYN seq c               unchanged, but without data and the request for TCP Fast Open: the
//                                                server would read data of a SYN before the header
//   2  server → client   SYN-ACK seq s ack c+1   c+1 and s+1 are remembered; the window is reduced by L
//   3  client → server   ACK seq c+1 ack s+1     unchanged: a server that keeps no state before it (SYN cookies) checks
//                                                its sequence number
//      director → server PSH|ACK seq c+1         the header, L bytes, with the acknowledgement, window and timestamps
//                                                of 3. If 3 has data or FIN, the header goes first
//   4  from now on the client's sequence numbers are moved by L; acknowledgements of the server, also in SACK blocks,
//      are moved back by L. An acknowledgement inside the header becomes c+1, with a window reduced by the missing part
//      of the header, so that the client never sends more than the server accepts.
//
//   Until the server has acknowledged the header, it is sent again: in front of data that the client sends again; if
//   the server acknowledges c+1 once more without data of its own (it misses the header); and by a timer, because
//   client and server may both wait for each other. The header carries the client's latest acknowledgement, window and
//   timestamps, as a retransmission does.
//
//   An acknowledgement of L bytes or more ends this phase. From then on numbers are moved without further checks.
//
// Not supported: MD5 and AO signatures, which cover sequence numbers; TCP Fast Open; connections whose begin the
// director has not seen (sloppy_tcp): their servers get no header.
//
// All functions here are pure. proxy_protocol.cc holds what the director does with them.
#pragma once

#include <array>
#include <cstdint>

#include "director/flows/spliced_flows.h"
#include "director/outgoing/outgoing.h"
#include "wire/tcp.h"

namespace sluice::director {

inline constexpr size_t longest_proxy_header = 52;

// Addresses and ports as the client sees them: its own, and those of the virtual service. Returns the length: 28 bytes
// for IPv4, 52 for IPv6.
uint8_t write_proxy_header(const wire::Address& client, const wire::Address& virtual_address, uint16_t client_port,
                           uint16_t virtual_port, std::array<uint8_t, longest_proxy_header>& to);
inline constexpr uint8_t proxy_header_length(wire::Family family) {
  return family == wire::Family::ipv4 ? 28 : longest_proxy_header;
}

// Rewrites the TCP header of a packet in place, from its sender's numbers to its receiver's. Returns what that adds to
// the sum over the segment, for a finished checksum. A partial checksum covers only the pseudo-header and stays
// unchanged.
wire::Sum past_header_to_server(wire::MutableTcpView tcp, const InsertedHeader& header);
wire::Sum past_header_to_client(wire::MutableTcpView tcp, const InsertedHeader& header);

// Rewrites the TCP header that an ICMP error quotes back to its sender's numbers. The quotation may end anywhere.
void unquote_past_header_to_server(wire::MutableBytes quoted,
                                   const InsertedHeader& header);  // the packet went to the server
void unquote_past_header_to_client(wire::MutableBytes quoted, const InsertedHeader& header);

// Removes from a SYN its data and the request for TCP Fast Open (RFC 7413), by which a server would accept the data. A
// correct checksum stays correct, a wrong one wrong. True if there was data.
bool remove_early_data(IpPacket& packet, uint32_t transport, bool partial);

}  // namespace sluice::director
