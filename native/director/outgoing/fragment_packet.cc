// SPDX-License-Identifier: Apache-2.0
// Cuts packets that are longer than the MTU of their path (RFC 791 3.2, RFC 8200 4.5).
#include <algorithm>

#include "director/outgoing/outgoing.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

namespace sluice::director {

namespace {

constexpr uint32_t fragment_unit = 8;
constexpr uint8_t end_of_options = 0, no_operation = 1, copied_flag = 0x80;

// Options that are not copied into later fragments become padding there, so that the header keeps its length (as in the
// kernel).
void blank_uncopied_options(wire::MutableBytes options) {
  for (size_t at = 0; at < options.size();) {
    const uint8_t kind = options[at];
    if (kind == end_of_options) return;
    if (kind == no_operation) {
      at++;
      continue;
    }
    if (at + 1 >= options.size() || options[at + 1] < 2) return;
    const size_t length = std::min<size_t>(options[at + 1], options.size() - at);
    if ((kind & copied_flag) == 0) std::fill_n(options.begin() + static_cast<ptrdiff_t>(at), length, no_operation);
    at += length;
  }
}

bool fragment_ipv4(const IpPacket& packet, uint32_t mtu, PieceSink& sink) {
  const wire::Ipv4View ip(wire::Bytes(packet.data, packet.length));
  const auto header = static_cast<uint32_t>(ip.header_length());
  const uint32_t payload = packet.length - header;
  const uint32_t first_offset = ip.fragment_offset();
  if (mtu < header + fragment_unit || first_offset + payload > wire::Ipv4View::maximum_length) return false;
  const uint32_t room = (mtu - header) & ~(fragment_unit - 1);
  for (uint32_t done = 0; done < payload;) {
    const uint32_t count = std::min(room, payload - done);
    uint8_t* piece = sink.next_piece(header + count);
    if (piece == nullptr) return true;
    std::memcpy(piece, packet.data, header);
    std::memcpy(piece + header, packet.data + header + done, count);
    wire::MutableIpv4View out(wire::MutableBytes(piece, header + count));
    const bool is_last = done + count == payload;
    const uint16_t more = !is_last || ip.has_more_fragments() ? wire::Ipv4View::more_fragments : 0;
    const uint32_t offset = (first_offset + done) / fragment_unit;
    out.set_flags_and_offset(static_cast<uint16_t>(more | offset));
    out.set_total_length(static_cast<uint16_t>(header + count));
    if (done > 0) {
      blank_uncopied_options(wire::MutableBytes(piece + wire::Ipv4View::minimum_header_length,
                                                header - wire::Ipv4View::minimum_header_length));
    }
    out.fill_checksum();
    done += count;
  }
  return true;
}

// For a packet that this host has created (a tunnel's outer packet): it has one IPv6 header and no extension headers.
bool fragment_ipv6(const IpPacket& packet, uint32_t mtu, uint32_t id, PieceSink& sink) {
  constexpr uint32_t header = wire::Ipv6View::header_length;
  constexpr uint32_t headers = header + wire::Ipv6FragmentView::header_length;
  if (mtu < headers + fragment_unit || packet.length > wire::Ipv4View::maximum_length) return false;
  const uint32_t room = (mtu - headers) & ~(fragment_unit - 1);
  const uint32_t payload = packet.length - header;
  const uint8_t next_header = wire::Ipv6View(wire::Bytes(packet.data, packet.length)).next_header();
  if (wire::is_extension_header(next_header)) return false;
  for (uint32_t done = 0; done < payload;) {
    const uint32_t count = std::min(room, payload - done);
    uint8_t* piece = sink.next_piece(headers + count);
    if (piece == nullptr) return true;
    std::memcpy(piece, packet.data, header);
    std::memcpy(piece + headers, packet.data + header + done, count);
    wire::MutableIpv6View out(wire::MutableBytes(piece, headers + count));
    out.set_next_header(wire::protocol::fragment);
    out.set_payload_length(static_cast<uint16_t>(headers + count - header));
    uint8_t* fragment = piece + header;
    fragment[0] = next_header;
    fragment[1] = 0;
    wire::store_be16(fragment + 2, static_cast<uint16_t>(done | (done + count < payload ? 1 : 0)));
    wire::store_be32(fragment + 4, id);
    done += count;
  }
  return true;
}

}  // namespace

bool fragment_packet(const IpPacket& packet, uint32_t mtu, uint32_t id, PieceSink& sink) {
  return packet.family == wire::Family::ipv4 ? fragment_ipv4(packet, mtu, sink) : fragment_ipv6(packet, mtu, id, sink);
}

}  // namespace sluice::director
