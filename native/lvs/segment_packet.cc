// SPDX-License-Identifier: Apache-2.0
// What a device with segmentation offload does with a frame larger than the MTU, done here: for frames that a tunnel
// makes different from what any device would cut.
#include <algorithm>

#include "lvs/outgoing.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/sctp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

namespace sluice::lvs {

namespace {

wire::Sum pseudo_header(const IpPacket& packet, uint8_t protocol, uint32_t length) {
  const wire::Bytes bytes(packet.data, packet.length);
  if (packet.family == wire::Family::ipv4) {
    const wire::Ipv4View ip(bytes);
    return wire::pseudo_header_sum(ip.source(), ip.destination(), protocol, length);
  }
  const wire::Ipv6View ip(bytes);
  return wire::pseudo_header_sum(ip.source(), ip.destination(), protocol, length);
}

void set_lengths(const IpPacket& piece, uint16_t id) {
  const wire::MutableBytes bytes(piece.data, piece.length);
  if (piece.family == wire::Family::ipv4) {
    wire::MutableIpv4View ip(bytes);
    ip.set_total_length(static_cast<uint16_t>(piece.length));
    ip.set_id(id);
    ip.fill_checksum();
  } else {
    wire::MutableIpv6View(bytes).set_payload_length(
        static_cast<uint16_t>(piece.length - wire::Ipv6View::header_length));
  }
}

}  // namespace

void complete_checksum(const IpPacket& packet, uint32_t transport, uint8_t protocol) {
  const uint32_t length = packet.length - transport;
  const wire::MutableBytes bytes(packet.data + transport, length);
  switch (protocol) {
    case wire::protocol::tcp:
      wire::MutableTcpView(bytes).fill_checksum(pseudo_header(packet, protocol, length));
      break;
    case wire::protocol::udp:
      wire::MutableUdpView(bytes).fill_checksum(pseudo_header(packet, protocol, length));
      break;
    case wire::protocol::sctp:
      wire::MutableSctpView(bytes).fill_checksum();
      break;
    default:
      break;
  }
}

bool segment_packet(const IpPacket& packet, uint32_t transport, Segmentation kind, uint16_t segment_size,
                    PieceSink& sink) {
  const bool is_tcp = kind == Segmentation::tcp4 || kind == Segmentation::tcp6;
  if (kind == Segmentation::none || segment_size == 0 || packet.length <= transport) return false;
  const wire::Bytes after(packet.data + transport, packet.length - transport);
  uint32_t headers = transport + static_cast<uint32_t>(wire::UdpView::header_length);
  if (is_tcp) {
    const auto tcp = wire::TcpView::parse(after);
    if (!tcp) return false;
    headers = transport + static_cast<uint32_t>(tcp->header_length());
  }
  if (packet.length < headers) return false;

  const uint16_t first_id =
      packet.family == wire::Family::ipv4 ? wire::Ipv4View(wire::Bytes(packet.data, packet.length)).id() : uint16_t{0};
  const uint32_t payload = packet.length - headers;
  uint16_t number = 0;
  for (uint32_t done = 0; done < payload || number == 0; number++) {
    const uint32_t count = std::min<uint32_t>(segment_size, payload - done);
    uint8_t* at = sink.next_piece(headers + count);
    if (at == nullptr) return true;
    const IpPacket piece{at, headers + count, packet.family};
    std::memcpy(at, packet.data, headers);
    std::memcpy(at + headers, packet.data + headers + done, count);
    set_lengths(piece, static_cast<uint16_t>(first_id + number));
    const bool is_last = done + count >= payload;
    if (is_tcp) {
      wire::MutableTcpView tcp(wire::MutableBytes(at + transport, headers + count - transport));
      tcp.set_sequence(tcp.sequence() + done);
      uint8_t flags = tcp.flags();
      if (!is_last) flags &= static_cast<uint8_t>(~(wire::tcp_flag::fin | wire::tcp_flag::psh));
      if (number > 0) flags &= static_cast<uint8_t>(~wire::tcp_flag::cwr);
      tcp.set_flags(flags);
    } else {
      wire::store_be16(at + transport + 4, static_cast<uint16_t>(wire::UdpView::header_length + count));
    }
    complete_checksum(piece, transport, is_tcp ? wire::protocol::tcp : wire::protocol::udp);
    done += count;
  }
  return true;
}

}  // namespace sluice::lvs
