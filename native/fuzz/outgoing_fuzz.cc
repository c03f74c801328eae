// SPDX-License-Identifier: Apache-2.0
// Any IP packet through every transform of outgoing packets, and any bytes through transforms that check their input.
// Input: four bytes of choices (tunnel and families; an MTU or segment size), then the packet. The result of each
// transform is compared with what its receiver would do with it.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

#include "director/outgoing/outgoing.h"
#include "wire/icmp.h"
#include "wire/icmpv6.h"
#include "wire/packet.h"
#include "wire/tcp.h"
#include "wire/udp.h"

using namespace sluice;
using director::IpPacket;
using wire::Bytes;

namespace {

constexpr size_t choice_bytes = 4;
constexpr size_t most_pieces = 64;  // one byte per piece would make an input slow

void require(bool condition) {
  if (!condition) std::abort();
}

struct Choices {
  director::Tunnel tunnel;
  bool over_ipv6, partial, client_is_ipv6;
  uint16_t size;  // MTU or segment size
};

Choices read_choices(const uint8_t* data) {
  Choices choices;
  choices.tunnel.encapsulation = static_cast<director::Encapsulation>((data[0] & 3) % 3);
  choices.tunnel.checksum = (data[0] & 4) != 0;
  choices.tunnel.remote_checksum = (data[0] & 8) != 0;
  choices.tunnel.port = 6080;
  choices.over_ipv6 = (data[0] & 16) != 0;
  choices.partial = (data[0] & 32) != 0;
  choices.client_is_ipv6 = (data[1] & 1) != 0;
  choices.size = wire::load_be16(data + 2);
  return choices;
}

// A copy in memory of exactly the needed size, so that a write beyond it is found.
struct Copy {
  Copy(Bytes bytes, wire::Family family, size_t headroom = 0)
      : memory(new uint8_t[headroom + bytes.size()]),
        packet{memory.get() + headroom, static_cast<uint32_t>(bytes.size()), family} {
    std::copy(bytes.begin(), bytes.end(), packet.data);
  }
  Bytes bytes() const { return {packet.data, packet.length}; }

  std::unique_ptr<uint8_t[]> memory;
  IpPacket packet;
};

class Pieces : public director::PieceSink {
 public:
  uint8_t* next_piece(uint32_t length) override {
    if (pieces.size() == most_pieces) {
      is_full = true;
      return nullptr;
    }
    pieces.emplace_back(length);
    return pieces.back().data();
  }
  std::vector<std::vector<uint8_t>> pieces;
  bool is_full = false;
};

bool equal(Bytes a, Bytes b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

wire::Sum pseudo_header(Bytes packet, uint8_t protocol, uint32_t length) {
  if (packet[0] >> 4 == 4) {
    const wire::Ipv4View ip(packet);
    return wire::pseudo_header_sum(ip.source(), ip.destination(), protocol, length);
  }
  const wire::Ipv6View ip(packet);
  return wire::pseudo_header_sum(ip.source(), ip.destination(), protocol, length);
}

bool is_transport_sum_ok(Bytes packet, const wire::Packet& found) {
  const Bytes transport = packet.subspan(found.l4);
  const auto length = static_cast<uint32_t>(transport.size());
  return wire::fold(wire::sum_bytes(transport, pseudo_header(packet, found.protocol, length))) == 0xffff;
}

bool has_internet_checksum(const wire::Packet& found) {
  return found.protocol == wire::protocol::tcp || found.protocol == wire::protocol::udp;
}

void wrap(Bytes bytes, const wire::Packet& found, const Choices& choices) {
  director::OuterHeader outer;
  outer.id = 1;
  outer.source = wire::Ipv4Address{0x0101a8c0};
  outer.destination = wire::Ipv4Address{0x0201a8c0};
  if (choices.over_ipv6) {
    outer.source = wire::Ipv6Address{{0xfd, 1}};
    outer.destination = wire::Ipv6Address{{0xfd, 2}};
  }
  const bool partial = choices.partial && has_internet_checksum(found);
  const uint32_t overhead = tunnel_overhead(choices.tunnel, outer.destination.family, partial);
  Copy copy(bytes, found.family(), overhead);
  if (!encapsulate(copy.packet, choices.tunnel, outer, partial, found.l4, wire::UdpView::checksum_offset)) {
    require(equal(copy.bytes(), bytes));
    return;
  }
  require(copy.packet.length == bytes.size() + overhead && equal(copy.bytes().last(bytes.size()), bytes));
  wire::Packet wrapped;
  require(wire::dissect_ip(copy.bytes(), wrapped) == wire::Malformed::ok);
  require(wrapped.end() == copy.packet.length && wrapped.family() == outer.destination.family);
}

void cut(Bytes bytes, const wire::Packet& found, const Choices& choices) {
  const Copy copy(bytes, found.family());
  Pieces sink;
  if (!fragment_packet(copy.packet, choices.size, 1, sink)) {
    require(sink.pieces.empty());
    return;
  }
  const bool is_v4 = found.family() == wire::Family::ipv4;
  const Bytes data = bytes.subspan(is_v4 ? wire::Ipv4View(bytes).header_length() : wire::Ipv6View::header_length);
  size_t done = 0;
  for (const std::vector<uint8_t>& piece : sink.pieces) {
    require(piece.size() <= choices.size);
    wire::Packet part;
    wire::dissect_ip(piece, part);
    require(part.end() == piece.size());
    require(part.fragment == wire::Fragment::none || part.fragment_offset == found.fragment_offset + done);
    require(equal(data.subspan(done, piece.size() - part.l4), Bytes(piece).subspan(part.l4)));
    done += piece.size() - part.l4;
  }
  require(sink.is_full || done == data.size());
}

void segment(Bytes bytes, const wire::Packet& found, const Choices& choices) {
  for (const director::Segmentation kind :
       {director::Segmentation::tcp4, director::Segmentation::tcp6, director::Segmentation::udp}) {
    const Copy copy(bytes, found.family());
    Pieces sink;
    if (!segment_packet(copy.packet, found.l4, kind, choices.size, sink)) {
      require(sink.pieces.empty());
      continue;
    }
    const Bytes data = bytes.subspan(found.payload);
    size_t done = 0;
    for (const std::vector<uint8_t>& piece : sink.pieces) {
      wire::Packet part;
      require(wire::dissect_ip(piece, part) == wire::Malformed::ok && part.end() == piece.size());
      require(is_transport_sum_ok(piece, part));
      require(equal(data.subspan(done, piece.size() - part.payload), Bytes(piece).subspan(part.payload)));
      done += piece.size() - part.payload;
    }
    require(sink.is_full || done == data.size());
  }
}

void complete(Bytes bytes, const wire::Packet& found) {
  Copy copy(bytes, found.family());
  director::complete_checksum(copy.packet, found.l4, found.protocol);
}

void insert_option(Bytes bytes, const wire::Packet& found, const Choices& choices) {
  if (found.protocol != wire::protocol::tcp) return;
  constexpr size_t longest_option = 20;
  const wire::Address client =
      choices.client_is_ipv6 ? wire::Address(wire::Ipv6Address{{1, 2}}) : wire::Address(wire::Ipv4Address{0x0101a8c0});
  Copy copy(bytes, found.family(), longest_option);
  if (!insert_toa(copy.packet, found.l4, client, 80, choices.size, choices.partial)) {
    require(equal(copy.bytes(), bytes));
    return;
  }
  wire::Packet after;
  require(copy.packet.length <= choices.size);
  require(wire::dissect_ip(copy.bytes(), after) == wire::Malformed::ok && after.end() == copy.packet.length);
  require(equal(copy.bytes().subspan(after.payload), bytes.subspan(found.payload)));
  if (!choices.partial) require(is_transport_sum_ok(copy.bytes(), after) == is_transport_sum_ok(bytes, found));
}

void turn_around(Bytes bytes, const wire::Packet& found) {
  const bool is_v4 = found.family() == wire::Family::ipv4;
  if (found.protocol != (is_v4 ? wire::protocol::icmp : wire::protocol::icmpv6)) return;
  if (found.fragment != wire::Fragment::none) return;
  Copy copy(bytes, found.family());
  turn_echo_around(copy.packet, found.l4, 1);
  wire::Packet after;
  require(wire::dissect_ip(copy.bytes(), after) == wire::Malformed::ok);
  require(equal(copy.bytes().subspan(after.payload), bytes.subspan(found.payload)));
}

void resolve(Bytes bytes, const wire::Packet& found) {
  if (found.family() != wire::Family::ipv6 || found.protocol != wire::protocol::icmpv6) return;
  if (found.fragment != wire::Fragment::none) return;
  const Copy copy(bytes, found.family());
  const std::unique_ptr<uint8_t[]> room(new uint8_t[director::resolution_reply_room]);
  const uint32_t length = director::write_neighbour_advertisement(copy.bytes(), found.l4, {}, room.get());
  wire::Packet answer;
  if (length == 0) return;
  require(wire::dissect_ip(Bytes(room.get(), length), answer) == wire::Malformed::ok);
  require(is_transport_sum_ok(Bytes(room.get(), length), answer));
}

// Whether an error quotes a packet as it came. As in the kernel, the host may have recorded itself in the packet's
// options before; RFC 792 wants the rest unchanged.
bool is_quotation(Bytes quoted, Bytes packet) {
  const Bytes original = packet.first(quoted.size());
  if (packet[0] >> 4 != 4) return equal(quoted, original);
  constexpr size_t options = wire::Ipv4View::minimum_header_length;
  const size_t end = std::min(wire::Ipv4View(packet).header_length(), quoted.size());
  return equal(quoted.first(options), original.first(options)) && equal(quoted.subspan(end), original.subspan(end));
}

// Bytes that were not checked: quotations of ICMP errors also come here.
void complain(Bytes bytes) {
  for (const wire::Family family : {wire::Family::ipv4, wire::Family::ipv6}) {
    const Copy copy(bytes, family);
    const std::unique_ptr<uint8_t[]> room(new uint8_t[director::icmp_error_room]);
    const bool is_v4 = family == wire::Family::ipv4;
    const wire::Address source =
        is_v4 ? wire::Address(wire::Ipv4Address{0x0101a8c0}) : wire::Address(wire::Ipv6Address{{0xfd, 1}});
    const director::IcmpError error{is_v4 ? wire::icmp_type::time_exceeded : wire::icmpv6_type::time_exceeded, 0, 0};
    const uint32_t length = write_icmp_error(copy.packet, error, source, 1, room.get());
    if (length == 0) continue;
    const Bytes message(room.get(), length);
    wire::Packet found;
    require(wire::dissect_ip(message, found) == wire::Malformed::ok && found.end() == length);
    require(length <= (is_v4 ? 576u : director::icmp_error_room));
    require(is_quotation(message.subspan(found.payload), bytes));
    // An error about an error would never end.
    const Copy again(message, family);
    require(write_icmp_error(again.packet, error, source, 1, room.get()) == 0);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < choice_bytes) return 0;
  const Choices choices = read_choices(data);
  const Bytes bytes(data + choice_bytes, size - choice_bytes);
  const std::unique_ptr<uint8_t[]> room(new uint8_t[director::resolution_reply_room]);
  director::write_arp_reply(bytes, {}, room.get());
  complain(bytes);

  wire::Packet found;
  if (wire::dissect_ip(bytes, found) != wire::Malformed::ok) return 0;
  const Bytes packet = bytes.first(found.end());
  wrap(packet, found, choices);
  cut(packet, found, choices);
  segment(packet, found, choices);
  complete(packet, found);
  insert_option(packet, found, choices);
  turn_around(packet, found);
  resolve(packet, found);
  return 0;
}
