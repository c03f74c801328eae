// SPDX-License-Identifier: Apache-2.0
// Segmentation in software: cuts a frame larger than the MTU as a device with segmentation offload does. For frames in
// tunnels that no device would cut correctly.
#include <algorithm>

#include "director/outgoing/outgoing.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/packet.h"
#include "wire/sctp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

namespace sluice::director {

namespace {

wire::Sum pseudo_header_of(const IpPacket& packet, uint8_t protocol, uint32_t length) {
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

// Computes the checksum again. `protocol` is TCP or UDP.
void fill_checksum(const IpPacket& piece, uint32_t transport, uint8_t protocol) {
  const uint32_t length = piece.length - transport;
  const wire::MutableBytes bytes(piece.data + transport, length);
  const wire::Sum pseudo_header = pseudo_header_of(piece, protocol, length);
  if (protocol == wire::protocol::tcp) {
    wire::MutableTcpView(bytes).fill_checksum(pseudo_header);
  } else {
    wire::MutableUdpView(bytes).fill_checksum(pseudo_header);
  }
}

void set_tcp_fields(wire::MutableTcpView tcp, uint32_t done, bool is_last) {
  tcp.set_sequence(tcp.sequence() + done);
  uint8_t flags = tcp.flags();
  if (!is_last) flags &= static_cast<uint8_t>(~(wire::tcp_flag::fin | wire::tcp_flag::psh));
  if (done > 0) flags &= static_cast<uint8_t>(~wire::tcp_flag::cwr);
  tcp.set_flags(flags);
}

// Checks that what the virtual device says about the frame is true for the packet; a guest may have written both.
bool is_of_kind(const IpPacket& packet, uint32_t transport, Segmentation kind, wire::Packet& found) {
  const wire::Bytes bytes(packet.data, packet.length);
  if (wire::dissect_ip(bytes, found) != wire::Malformed::ok || found.fragment != wire::Fragment::none) return false;
  if (found.family() != packet.family || found.l4 != transport || found.end() != packet.length) return false;
  switch (kind) {
    case Segmentation::tcp4:
      return found.protocol == wire::protocol::tcp && packet.family == wire::Family::ipv4;
    case Segmentation::tcp6:
      return found.protocol == wire::protocol::tcp && packet.family == wire::Family::ipv6;
    case Segmentation::udp:
      return found.protocol == wire::protocol::udp &&
             wire::UdpView(bytes.subspan(transport)).length() == packet.length - transport;
    case Segmentation::none:
      break;
  }
  return false;
}

}  // namespace

void complete_checksum(const IpPacket& packet, uint32_t transport, uint8_t protocol) {
  const wire::MutableBytes bytes(packet.data + transport, packet.length - transport);
  if (protocol == wire::protocol::sctp) {
    if (bytes.size() >= wire::SctpView::header_length) wire::MutableSctpView(bytes).fill_checksum();
    return;
  }
  const bool is_udp = protocol == wire::protocol::udp;
  if (!is_udp && protocol != wire::protocol::tcp) return;
  const size_t field = is_udp ? wire::UdpView::checksum_offset : wire::TcpView::checksum_offset;
  if (bytes.size() < field + sizeof(uint16_t)) return;
  const uint16_t checksum = wire::internet_checksum(bytes);
  wire::store_raw16(bytes.data() + field, is_udp ? wire::udp_checksum_on_wire(checksum) : checksum);
}

bool segment_packet(const IpPacket& packet, uint32_t transport, Segmentation kind, uint16_t segment_size,
                    PieceSink& sink) {
  wire::Packet found;
  if (segment_size == 0 || !is_of_kind(packet, transport, kind, found)) return false;
  const bool is_tcp = found.protocol == wire::protocol::tcp;
  const uint32_t headers = found.payload;
  const uint32_t payload = packet.length - headers;
  const uint16_t first_id =
      packet.family == wire::Family::ipv4 ? wire::Ipv4View(wire::Bytes(packet.data, packet.length)).id() : uint16_t{0};
  uint16_t number = 0;
  for (uint32_t done = 0; done < payload || number == 0; number++) {
    const uint32_t count = std::min<uint32_t>(segment_size, payload - done);
    uint8_t* at = sink.next_piece(headers + count);
    if (at == nullptr) return true;
    const IpPacket piece{at, headers + count, packet.family};
    std::memcpy(at, packet.data, headers);
    std::memcpy(at + headers, packet.data + headers + done, count);
    set_lengths(piece, static_cast<uint16_t>(first_id + number));
    const wire::MutableBytes segment(at + transport, headers + count - transport);
    if (is_tcp) {
      set_tcp_fields(wire::MutableTcpView(segment), done, done + count == payload);
    } else {
      wire::MutableUdpView(segment).set_length(static_cast<uint16_t>(segment.size()));
    }
    fill_checksum(piece, transport, found.protocol);
    done += count;
  }
  return true;
}

}  // namespace sluice::director
