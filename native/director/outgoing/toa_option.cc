// SPDX-License-Identifier: Apache-2.0
// TOA, "TCP option address": in FULLNAT mode a real server sees a local address of the director; this option tells it
// the client's address. Kind 254, the client's port and address: 8 bytes for IPv4, 20 for IPv6, as the toa and uoa
// modules of LVS's FULLNAT and of DPVS read it.
//
// The option stands in front of the segment's own options, as in LVS and DPVS, for two reasons. Many senders end their
// options with kind 0, and nobody reads after it. And a reader takes the first option of its kind, so a client that
// sends one of its own cannot fake its address.
#include <algorithm>

#include "director/outgoing/outgoing.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"

namespace sluice::director {

namespace {

constexpr uint32_t toa_length_v4 = 8, toa_length_v6 = 20;

bool is_fragment(const IpPacket& packet) {
  const wire::Bytes bytes(packet.data, packet.length);
  if (packet.family == wire::Family::ipv4) return wire::Ipv4View(bytes).is_fragment();
  wire::Ipv6Chain chain;
  return wire::walk_extension_headers(wire::Ipv6View(bytes), chain) != wire::Malformed::ok ||
         chain.fragment_header != 0;
}

}  // namespace

bool insert_toa(IpPacket& packet, uint32_t transport, const wire::Address& client, uint16_t client_port, uint32_t mtu,
                bool partial) {
  const uint32_t added = client.family == wire::Family::ipv4 ? toa_length_v4 : toa_length_v6;
  const auto tcp = wire::TcpView::parse(wire::Bytes(packet.data + transport, packet.length - transport));
  if (!tcp || tcp->header_length() + added > wire::TcpView::maximum_header_length) return false;
  if (packet.length + added > std::min<uint32_t>(mtu, wire::Ipv4View::maximum_length)) return false;
  if (is_fragment(packet)) return false;  // later fragments would be at the wrong offset

  const uint32_t headers = transport + static_cast<uint32_t>(wire::TcpView::minimum_header_length);
  const uint32_t old_segment = packet.length - transport;
  uint8_t* to = packet.data - added;
  std::memmove(to, packet.data, headers);
  packet.data = to;
  packet.length += added;
  uint8_t* option = to + headers;
  option[0] = wire::tcp_option::toa;
  option[1] = static_cast<uint8_t>(added);
  wire::store_be16(option + 2, client_port);
  std::memcpy(option + 4, client.bytes.data(), added - 4);

  wire::MutableTcpView segment(wire::MutableBytes(to + transport, packet.length - transport));
  const uint16_t words_before = wire::load_raw16(to + transport + 12);
  segment.set_header_length(segment.header_length() + added);
  // The segment's length is part of the pseudo-header; the option and the data offset are part of the segment.
  const wire::Sum length_change = wire::change16(wire::raw16(static_cast<uint16_t>(old_segment)),
                                                 wire::raw16(static_cast<uint16_t>(old_segment + added)));
  if (partial) {
    segment.set_checksum(wire::updated_partial(segment.checksum(), length_change));
  } else {
    const wire::Sum contents = wire::change16(words_before, wire::load_raw16(to + transport + 12)) +
                               wire::sum_bytes(wire::Bytes(option, added));
    segment.set_checksum(wire::updated_checksum(segment.checksum(), length_change + contents));
  }
  if (packet.family == wire::Family::ipv4) {
    wire::MutableIpv4View ip(wire::MutableBytes(to, packet.length));
    ip.set_total_length(static_cast<uint16_t>(packet.length));
    ip.fill_checksum();
  } else {
    wire::MutableIpv6View(wire::MutableBytes(to, packet.length))
        .set_payload_length(static_cast<uint16_t>(packet.length - wire::Ipv6View::header_length));
  }
  return true;
}

}  // namespace sluice::director
