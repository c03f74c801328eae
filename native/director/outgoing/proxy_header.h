// SPDX-License-Identifier: Apache-2.0
// PROXY protocol, version 2 (haproxy.org, proxy-protocol.txt): a header before the client's first byte that tells the
// real server who the client is, put into a connection that is not terminated.
//
// Theory of operation
//   c: the client's initial sequence number, s: the real server's, L: the header's length
//
//   1  client → server   SYN seq c               as it is, but without data and the request for TCP Fast Open: what
//                                                a server takes out of a SYN would come before the header
//   2  server → client   SYN-ACK seq s ack c+1   c+1 and s+1 are remembered; the window is less by L
//   3  client → server   ACK seq c+1 ack s+1     as it is: a server that keeps no state before it (SYN cookies) checks
//                                                its sequence number
//      director → server PSH|ACK seq c+1         the header, L bytes, with the acknowledgement, window and timestamps
//                                                of 3. Where 3 brings data or FIN, the header goes first
//   4  from here on the client's sequence numbers are moved by L; what the server acknowledges, in SACK blocks too,
//      is moved back by L. An acknowledgement inside the header becomes c+1, with a window less by what is missing of
//      the header, so that the client never sends beyond what the server takes.
//
//   Until the server has acknowledged it, the header is sent again: before what the client sends again; when the
//   server acknowledges c+1 once more without data of its own (there is a hole where the header should be); and by a
//   timer, because client and server may both be waiting for the other. It carries the client's latest
//   acknowledgement, window and timestamps, as a retransmission does.
//
//   An acknowledgement of L bytes or more settles it, and from then on numbers are moved and nothing is looked at.
//
// What this cannot go with: MD5 and AO signatures, which cover sequence numbers; TCP Fast Open; connections that the
// director has not seen begin (sloppy_tcp): their servers get no header.
//
// Everything here is a pure function; what the director does with it is in proxy_protocol.cc.
#pragma once

#include <array>
#include <cstdint>

#include "director/flows/spliced_flows.h"
#include "director/outgoing/outgoing.h"
#include "wire/tcp.h"

namespace sluice::director {

inline constexpr size_t longest_proxy_header = 52;

// Addresses and ports as the client has them: of its own and of the virtual service. Returns the length: 28 bytes for
// IPv4, 52 for IPv6.
uint8_t write_proxy_header(const wire::Address& client, const wire::Address& virtual_address, uint16_t client_port,
                           uint16_t virtual_port, std::array<uint8_t, longest_proxy_header>& to);
inline constexpr uint8_t proxy_header_length(wire::Family family) {
  return family == wire::Family::ipv4 ? 28 : longest_proxy_header;
}

// Rewrites the TCP header of a packet, from the numbers of its sender to those of its receiver, in place. Returns what
// that adds to the sum over the segment, for a finished checksum; a partial one holds the pseudo-header alone and stays
// as it is.
wire::Sum past_header_to_server(wire::MutableTcpView tcp, const InsertedHeader& header);
wire::Sum past_header_to_client(wire::MutableTcpView tcp, const InsertedHeader& header);

// The TCP header that an ICMP error quotes, which may end anywhere, in the numbers of the packet's sender again.
void unquote_past_header_to_server(wire::MutableBytes quoted, const InsertedHeader& header);  // it had gone to it
void unquote_past_header_to_client(wire::MutableBytes quoted, const InsertedHeader& header);

// A SYN without its data and without asking for TCP Fast Open (RFC 7413), by which a server would take the data. The
// checksum stays as right as it was. True: there was data.
bool remove_early_data(IpPacket& packet, uint32_t transport, bool partial);

}  // namespace sluice::director
