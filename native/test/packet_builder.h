// SPDX-License-Identifier: Apache-2.0
// Packets for tests, written in the order of their layers:
//
//   ethernet().vlan(5).ipv4({.source = "10.0.1.2"}).tcp({.destination_port = 80, .flags = SYN}).payload("hi").build()
//
// Lengths, next-protocol fields and checksums are right unless a field says otherwise, so a test of a malformed packet
// states only what is wrong with it. The layers are built from the innermost outwards; each layer gets from its
// neighbours what its header says about them. Numbers are in host byte order, checksums as tcpdump prints them.
#pragma once

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "wire/arp.h"
#include "wire/ethernet.h"
#include "wire/gre.h"
#include "wire/gue.h"
#include "wire/icmp.h"
#include "wire/icmpv6.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/sctp.h"
#include "wire/tcp.h"
#include "wire/udp.h"
#include "wire/vlan.h"

namespace sluice::test {

using Buffer = std::vector<uint8_t>;

inline constexpr uint8_t FIN = wire::tcp_flag::fin, SYN = wire::tcp_flag::syn, RST = wire::tcp_flag::rst;
inline constexpr uint8_t PSH = wire::tcp_flag::psh, ACK = wire::tcp_flag::ack, URG = wire::tcp_flag::urg;

inline wire::Address address(std::string_view text) {
  const auto parsed = wire::parse_address(text);
  if (!parsed) throw std::invalid_argument("no address: " + std::string(text));
  return *parsed;
}
inline wire::MacAddress mac(std::string_view text) {
  const auto parsed = wire::parse_mac(text);
  if (!parsed) throw std::invalid_argument("no MAC address: " + std::string(text));
  return *parsed;
}
// "45 00 0014": hexadecimal digits, blanks ignored.
inline Buffer hex(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c != ' ' && c != '\n') digits += c;
  }
  Buffer bytes;
  for (size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}
inline Buffer operator+(Buffer a, const Buffer& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// The value of a checksum field that is not given.
enum class Sum { right, partial };  // partial: the folded sum of the pseudo-header alone, as a virtual NIC leaves it

struct EthernetLayer {
  std::string_view source = "02:00:00:00:00:01", destination = "02:00:00:00:00:02";
  std::optional<uint16_t> type = {};
};
struct VlanLayer {
  uint8_t priority = 0;
  uint16_t tpid = wire::ethertype::vlan;  // the type that announces the tag
};
struct ArpLayer {
  uint16_t operation = wire::arp_operation::request;
  std::string_view sender_mac = "02:00:00:00:00:01", sender = "10.0.1.2";
  std::string_view target_mac = "00:00:00:00:00:00", target = "10.0.1.1";
};
struct Ipv4Layer {
  std::string_view source = "10.0.1.2", destination = "10.0.1.100";
  uint8_t ttl = 64, tos = 0;
  uint16_t id = 0;
  uint16_t offset = 0;  // in bytes
  bool more = false, dont_fragment = false;
  Buffer options = {};  // a multiple of four bytes
  std::optional<uint8_t> protocol = {}, version = {}, header_words = {};
  std::optional<uint16_t> total_length = {}, checksum = {};
};
struct Ipv6Layer {
  std::string_view source = "2001:db8::2", destination = "2001:db8::100";
  uint8_t hop_limit = 64, traffic_class = 0;
  uint32_t flow_label = 0;
  std::optional<uint8_t> next_header = {}, version = {};
  std::optional<uint16_t> payload_length = {};
};
struct FragmentLayer {
  uint16_t offset = 0;  // in bytes
  bool more = false;
  uint32_t id = 1;
  std::optional<uint8_t> next_header = {};  // for a later fragment, which has no such header
};
struct TcpLayer {
  uint16_t source_port = 8080, destination_port = 80;
  uint32_t sequence = 1, acknowledgement = 0;
  uint8_t flags = SYN;
  uint16_t window = 64240, urgent_pointer = 0;
  Buffer options = {};  // a multiple of four bytes
  std::optional<uint8_t> header_words = {};
  std::optional<uint16_t> checksum = {};
  Sum sum = Sum::right;
};
struct UdpLayer {
  uint16_t source_port = 5000, destination_port = 5001;
  std::optional<uint16_t> length = {}, checksum = {};
  Sum sum = Sum::right;
};
struct SctpLayer {
  uint16_t source_port = 5000, destination_port = 5001;
  uint32_t verification_tag = 1;
  std::optional<uint32_t> checksum = {};
};
struct ChunkLayer {
  uint8_t type = wire::sctp_chunk::data, flags = 0;
  Buffer value = {};
  std::optional<uint16_t> length = {};
};
struct IcmpLayer {
  uint8_t type = wire::icmp_type::echo_request, code = 0;
  uint32_t rest = 0x00010001;  // the second four bytes: id and sequence, MTU, pointer, gateway
  std::optional<uint16_t> checksum = {};
};
struct NeighbourLayer {
  uint8_t type = wire::icmpv6_type::neighbour_solicitation, flags = 0;
  std::string_view target = "2001:db8::1", link_address = "02:00:00:00:00:01";
};
struct GreLayer {
  bool checksum = false;
  std::optional<uint32_t> key = {}, sequence = {};
  std::optional<uint16_t> type = {};
};
struct GueLayer {
  std::optional<wire::RemoteChecksum> remote_checksum = {};
};

class PacketBuilder {
 public:
  PacketBuilder& ethernet(EthernetLayer layer = {}) {
    return add({.encode = [layer](const Place& place, Buffer inner) {
      Buffer header(wire::EthernetView::header_length);
      wire::emit(wire::EthernetFields{mac(layer.destination), mac(layer.source), layer.type.value_or(place.ethertype)},
                 header.data());
      return header + inner;
    }});
  }

  PacketBuilder& vlan(uint16_t id, VlanLayer layer = {}) {
    return add(
        {.ethertype = layer.tpid, .encode = [id, layer](const Place& place, Buffer inner) {
           Buffer tag(wire::VlanView::header_length);
           wire::emit(wire::VlanFields{static_cast<uint16_t>(layer.priority << 13 | id), place.ethertype}, tag.data());
           return tag + inner;
         }});
  }

  PacketBuilder& arp(ArpLayer layer = {}) {
    return add({.ethertype = wire::ethertype::arp, .encode = [layer](const Place&, Buffer inner) {
                  Buffer message(wire::ArpView::length);
                  wire::emit(wire::ArpFields{layer.operation, mac(layer.sender_mac), address(layer.sender).v4(),
                                             mac(layer.target_mac), address(layer.target).v4()},
                             message.data());
                  return message + inner;
                }});
  }

  PacketBuilder& ipv4(Ipv4Layer layer = {}) {
    const wire::Ipv4Address source = address(layer.source).v4(), destination = address(layer.destination).v4();
    return add({.ethertype = wire::ethertype::ipv4,
                .protocol = wire::protocol::ipip,
                .pseudo_header =
                    [=](uint8_t protocol, size_t length) {
                      return wire::pseudo_header_sum(source, destination, protocol, static_cast<uint32_t>(length));
                    },
                .encode = [=](const Place& place, Buffer inner) { return encode_ipv4(layer, place, inner); }});
  }

  PacketBuilder& ipv6(Ipv6Layer layer = {}) {
    const wire::Ipv6Address source = address(layer.source).v6(), destination = address(layer.destination).v6();
    return add({.ethertype = wire::ethertype::ipv6,
                .protocol = wire::protocol::ipv6,
                .pseudo_header =
                    [=](uint8_t protocol, size_t length) {
                      return wire::pseudo_header_sum(source, destination, protocol, static_cast<uint32_t>(length));
                    },
                .encode = [=](const Place& place, Buffer inner) { return encode_ipv6(layer, place, inner); }});
  }

  // An IPv6 extension header of options or routing data. `body` follows the next header and the length, and is padded
  // with Pad1.
  PacketBuilder& extension(uint8_t kind, Buffer body = {}) {
    return add({.protocol = kind, .encode = [body](const Place& place, Buffer inner) {
                  Buffer header = Buffer{place.protocol, 0} + body;
                  header.resize((header.size() + 7) / 8 * 8);
                  header[1] = static_cast<uint8_t>(header.size() / 8 - 1);
                  return header + inner;
                }});
  }
  PacketBuilder& hop_by_hop(Buffer options = {}) { return extension(wire::protocol::hop_by_hop, options); }
  PacketBuilder& destination_options(Buffer options = {}) {
    return extension(wire::protocol::destination_options, options);
  }
  PacketBuilder& routing(Buffer data = {}) { return extension(wire::protocol::routing, data); }

  PacketBuilder& ah() {
    return add({.protocol = wire::protocol::ah, .encode = [](const Place& place, Buffer inner) {
                  constexpr size_t length = 24;  // with an integrity check value of 12 bytes
                  Buffer header(length);
                  header[0] = place.protocol;
                  header[1] = length / 4 - 2;
                  header[7] = header[11] = 1;  // security parameters index and sequence number
                  return header + inner;
                }});
  }

  PacketBuilder& fragment(FragmentLayer layer = {}) {
    return add({.protocol = wire::protocol::fragment, .encode = [layer](const Place& place, Buffer inner) {
                  Buffer header(wire::Ipv6FragmentView::header_length);
                  header[0] = layer.next_header.value_or(place.protocol);
                  wire::store_be16(&header[2], static_cast<uint16_t>(layer.offset | (layer.more ? 1 : 0)));
                  wire::store_be32(&header[4], layer.id);
                  return header + inner;
                }});
  }

  PacketBuilder& tcp(TcpLayer layer = {}) {
    return add({.protocol = wire::protocol::tcp, .encode = [layer](const Place& place, Buffer inner) {
                  Buffer segment(wire::TcpView::maximum_header_length);
                  segment.resize(wire::emit(
                      wire::TcpFields{layer.source_port, layer.destination_port, layer.sequence, layer.acknowledgement,
                                      layer.flags, layer.window, layer.urgent_pointer, layer.options},
                      segment.data()));
                  if (layer.header_words) segment[12] = static_cast<uint8_t>(*layer.header_words << 4);
                  segment = segment + inner;
                  place.fill(segment, wire::protocol::tcp, wire::TcpView::checksum_offset, layer.checksum, layer.sum);
                  return segment;
                }});
  }

  PacketBuilder& udp(UdpLayer layer = {}) {
    return add({.protocol = wire::protocol::udp, .encode = [layer](const Place& place, Buffer inner) {
                  Buffer datagram(wire::UdpView::header_length);
                  datagram = datagram + inner;
                  wire::emit(wire::UdpFields{layer.source_port, layer.destination_port,
                                             layer.length.value_or(static_cast<uint16_t>(datagram.size()))},
                             datagram.data());
                  place.fill(datagram, wire::protocol::udp, wire::UdpView::checksum_offset, layer.checksum, layer.sum);
                  return datagram;
                }});
  }

  PacketBuilder& sctp(SctpLayer layer = {}) {
    return add({.protocol = wire::protocol::sctp, .encode = [layer](const Place&, Buffer inner) {
                  Buffer packet(wire::SctpView::header_length);
                  wire::emit(wire::SctpFields{layer.source_port, layer.destination_port, layer.verification_tag},
                             packet.data());
                  packet = packet + inner;
                  wire::MutableSctpView(wire::MutableBytes(packet)).fill_checksum();
                  if (layer.checksum) wire::store_be32(&packet[wire::SctpView::checksum_offset], *layer.checksum);
                  return packet;
                }});
  }
  PacketBuilder& chunk(ChunkLayer layer = {}) {
    return add({.encode = [layer](const Place&, Buffer inner) {
      const size_t length = wire::SctpChunk::header_length + layer.value.size();
      Buffer chunk = Buffer{layer.type, layer.flags, 0, 0} + layer.value;
      wire::store_be16(&chunk[2], layer.length.value_or(static_cast<uint16_t>(length)));
      chunk.resize((length + 3) / 4 * 4);
      return chunk + inner;
    }});
  }

  PacketBuilder& icmp(IcmpLayer layer = {}) {
    return add({.protocol = wire::protocol::icmp, .encode = [layer](const Place&, Buffer inner) {
                  Buffer message(wire::IcmpView::header_length);
                  wire::emit(wire::IcmpFields{layer.type, layer.code, layer.rest}, message.data());
                  message = message + inner;
                  wire::MutableIcmpView(wire::MutableBytes(message)).fill_checksum();
                  if (layer.checksum) wire::store_be16(&message[wire::IcmpView::checksum_offset], *layer.checksum);
                  return message;
                }});
  }

  PacketBuilder& icmpv6(IcmpLayer layer = {.type = wire::icmpv6_type::echo_request}) {
    return add({.protocol = wire::protocol::icmpv6, .encode = [layer](const Place& place, Buffer inner) {
                  Buffer message(wire::Icmpv6View::header_length);
                  wire::emit(wire::Icmpv6Fields{layer.type, layer.code, layer.rest}, message.data());
                  message = message + inner;
                  place.fill(message, wire::protocol::icmpv6, wire::Icmpv6View::checksum_offset, layer.checksum,
                             Sum::right);
                  return message;
                }});
  }

  PacketBuilder& neighbour(NeighbourLayer layer = {}) {
    return add({.protocol = wire::protocol::icmpv6, .encode = [layer](const Place& place, Buffer inner) {
                  Buffer message(wire::NeighbourFields::length);
                  wire::emit(wire::NeighbourFields{layer.type, layer.flags, address(layer.target).v6(),
                                                   mac(layer.link_address)},
                             message.data());
                  message = message + inner;
                  place.fill(message, wire::protocol::icmpv6, wire::Icmpv6View::checksum_offset, {}, Sum::right);
                  return message;
                }});
  }

  PacketBuilder& gre(GreLayer layer = {}) {
    return add({.protocol = wire::protocol::gre, .encode = [layer](const Place& place, Buffer inner) {
                  const wire::GreFields fields{layer.type.value_or(place.ethertype), layer.checksum, layer.key,
                                               layer.sequence};
                  Buffer packet(fields.header_length());
                  packet = packet + inner;
                  wire::emit(fields, packet);
                  return packet;
                }});
  }

  // Variant 0. Variant 1 is UDP that carries IP directly: udp().ipv4().
  PacketBuilder& gue(GueLayer layer = {}) {
    return add({.encode = [layer](const Place& place, Buffer inner) {
      const wire::GueFields fields{place.protocol, layer.remote_checksum};
      Buffer header(fields.header_length());
      wire::emit(fields, header.data());
      return header + inner;
    }});
  }

  PacketBuilder& payload(Buffer bytes) {
    return add({.encode = [bytes](const Place&, Buffer inner) { return bytes + inner; }});
  }
  PacketBuilder& payload(std::string_view text) { return payload(Buffer(text.begin(), text.end())); }

  Buffer build() const {
    Buffer bytes;
    for (size_t i = layers_.size(); i-- > 0;) bytes = layers_[i].encode(place_of(i), std::move(bytes));
    return bytes;
  }
  // As a NIC sends it: padded to Ethernet's minimum.
  Buffer build_padded() const {
    Buffer bytes = build();
    if (bytes.size() < wire::EthernetView::minimum_frame_length) bytes.resize(wire::EthernetView::minimum_frame_length);
    return bytes;
  }

 private:
  using PseudoHeader = std::function<wire::Sum(uint8_t protocol, size_t length)>;

  // What a layer learns about its neighbours.
  struct Place {
    uint16_t ethertype;          // of the next layer
    uint8_t protocol;            // of the next layer
    PseudoHeader pseudo_header;  // of the nearest IP header around it; its sum is zero if there is none

    void fill(Buffer& bytes, uint8_t number, size_t offset, std::optional<uint16_t> given, Sum sum) const {
      const wire::Sum pseudo = pseudo_header ? pseudo_header(number, bytes.size()) : 0;
      uint16_t raw = wire::finish_checksum(wire::sum_bytes(bytes, pseudo));
      if (number == wire::protocol::udp) raw = wire::udp_checksum_on_wire(raw);
      if (sum == Sum::partial) raw = wire::fold(pseudo);
      if (given) raw = wire::raw16(*given);
      wire::store_raw16(&bytes[offset], raw);
    }
  };

  struct Layer {
    uint16_t ethertype = 0;
    uint8_t protocol = wire::protocol::no_next_header;
    PseudoHeader pseudo_header = {};
    std::function<Buffer(const Place&, Buffer inner)> encode;
  };

  PacketBuilder& add(Layer layer) {
    layers_.push_back(std::move(layer));
    return *this;
  }

  Place place_of(size_t index) const {
    Place place{0, wire::protocol::no_next_header, {}};
    if (index + 1 < layers_.size()) {
      place.ethertype = layers_[index + 1].ethertype;
      place.protocol = layers_[index + 1].protocol;
    }
    for (size_t i = index; i-- > 0 && !place.pseudo_header;) place.pseudo_header = layers_[i].pseudo_header;
    return place;
  }

  static Buffer encode_ipv4(const Ipv4Layer& layer, const Place& place, const Buffer& inner) {
    Buffer header(wire::Ipv4View::minimum_header_length);
    const size_t header_length = header.size() + layer.options.size();
    const uint16_t flags = static_cast<uint16_t>((layer.dont_fragment ? wire::Ipv4View::dont_fragment : 0) |
                                                 (layer.more ? wire::Ipv4View::more_fragments : 0) | layer.offset / 8);
    wire::emit(
        wire::Ipv4Fields{layer.tos, layer.total_length.value_or(static_cast<uint16_t>(header_length + inner.size())),
                         layer.id, flags, layer.ttl, layer.protocol.value_or(place.protocol),
                         address(layer.source).v4(), address(layer.destination).v4()},
        header.data());
    header = header + layer.options;
    header[0] = static_cast<uint8_t>(layer.version.value_or(4) << 4 | layer.header_words.value_or(header_length / 4));
    wire::store_be16(&header[10], 0);
    const uint16_t right = wire::internet_checksum(header);
    wire::store_raw16(&header[10], layer.checksum ? wire::raw16(*layer.checksum) : right);
    return header + inner;
  }

  static Buffer encode_ipv6(const Ipv6Layer& layer, const Place& place, const Buffer& inner) {
    Buffer header(wire::Ipv6View::header_length);
    wire::emit(wire::Ipv6Fields{layer.traffic_class, layer.flow_label,
                                layer.payload_length.value_or(static_cast<uint16_t>(inner.size())),
                                layer.next_header.value_or(place.protocol), layer.hop_limit, address(layer.source).v6(),
                                address(layer.destination).v6()},
               header.data());
    if (layer.version) header[0] = static_cast<uint8_t>(*layer.version << 4 | (header[0] & 0x0f));
    return header + inner;
  }

  std::vector<Layer> layers_;
};

inline PacketBuilder ethernet(EthernetLayer layer = {}) {
  return PacketBuilder().ethernet(layer);
}
inline PacketBuilder ipv4(Ipv4Layer layer = {}) {
  return PacketBuilder().ipv4(std::move(layer));
}
inline PacketBuilder ipv6(Ipv6Layer layer = {}) {
  return PacketBuilder().ipv6(layer);
}

}  // namespace sluice::test
