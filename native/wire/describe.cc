// SPDX-License-Identifier: Apache-2.0
#include "wire/describe.h"

#include "wire/arp.h"
#include "wire/ethernet.h"
#include "wire/gre.h"
#include "wire/gue.h"
#include "wire/icmp.h"
#include "wire/icmpv6.h"
#include "wire/packet.h"
#include "wire/sctp.h"
#include "wire/tcp.h"
#include "wire/text.h"
#include "wire/udp.h"
#include "wire/vlan.h"

namespace sluice::wire {

namespace {

// Limit of tunnels within tunnels. Deeper ones are only counted as bytes.
constexpr int maximum_nesting = 8;

class Describer {
 public:
  explicit Describer(std::string& out) : out_(out) {}

  void frame(Bytes bytes);
  void network(Bytes bytes);

 private:
  void by_ethertype(uint16_t type, Bytes bytes);
  void malformed(Malformed reason) { append(out_, "[%s]", std::string(name(reason)).c_str()); }
  void endpoints(Bytes bytes, const Packet& packet);
  void transport(Bytes segment, const Packet& packet);
  void udp(Bytes segment, const Packet& packet);
  void gre(Bytes bytes);
  void gue(Bytes bytes);
  void by_protocol(uint8_t protocol, Bytes bytes);

  std::string& out_;
  int depth_ = 0;
};

void Describer::frame(Bytes bytes) {
  Packet packet;
  dissect(bytes, packet);
  for (size_t i = 0; i < packet.vlan_count; i++) print_vlan(out_, packet.vlan_tci[i]);
  if (packet.l3 == 0 || (packet.malformed != Malformed::ok && is_vlan_type(packet.ethertype))) {
    return malformed(packet.malformed);
  }
  const Bytes carried = bytes.subspan(packet.l3);
  if (packet.ethertype == ethertype::ipv4 || packet.ethertype == ethertype::ipv6 ||
      packet.ethertype == ethertype::arp) {
    return by_ethertype(packet.ethertype, carried);
  }
  const EthernetView ethernet(bytes);
  append(out_, "%s > %s, ", to_string(ethernet.source()).c_str(), to_string(ethernet.destination()).c_str());
  if (packet.ethertype < ethertype::first) {
    append(out_, "802.3, length %u", packet.ethertype);
  } else {
    append(out_, "ethertype Unknown (0x%04x), length %zu", packet.ethertype, bytes.size());
  }
}

void Describer::by_ethertype(uint16_t type, Bytes bytes) {
  if (type == ethertype::arp) {
    const auto arp = ArpView::parse(bytes);
    if (!arp) {
      out_ += "ARP, ";
      return malformed(arp.reason());
    }
    return print(out_, *arp, bytes.size());
  }
  if (type == ethertype::teb) return frame(bytes);
  const bool told = bytes.empty() || bytes[0] >> 4 == (type == ethertype::ipv4 ? 4 : 6);
  if (told) return network(bytes);
  out_ += type == ethertype::ipv4 ? "IP " : "IP6 ";
  malformed(Malformed::bad_version);
}

// "10.0.1.2.8080 > 10.0.1.100.80: ". If there are extension headers, the ports stand after them.
void Describer::endpoints(Bytes bytes, const Packet& packet) {
  std::string source, destination;
  bool ports_follow = false;
  if (packet.ip_version == 4) {
    const Ipv4View ip(bytes);
    source = to_string(ip.source());
    destination = to_string(ip.destination());
  } else {
    const Ipv6View ip(bytes);
    source = to_string(ip.source());
    destination = to_string(ip.destination());
    ports_follow = is_extension_header(ip.next_header());
  }
  if (packet.has_ports && !ports_follow) {
    append(out_, "%s.%u > %s.%u: ", source.c_str(), packet.source_port, destination.c_str(), packet.destination_port);
    return;
  }
  append(out_, "%s > %s: ", source.c_str(), destination.c_str());
  if (!ports_follow || packet.malformed != Malformed::ok) return;
  print_extension_headers(out_, Ipv6View(bytes.first(packet.end())));
  if (packet.has_ports) append(out_, "%u > %u: ", packet.source_port, packet.destination_port);
}

void Describer::network(Bytes bytes) {
  Packet packet;
  const Malformed reason = dissect_ip(bytes, packet);
  out_ += packet.ethertype == ethertype::ipv6 ? "IP6 " : "IP ";
  if (packet.ip_version != 0) endpoints(bytes, packet);
  if (reason != Malformed::ok) return malformed(reason);
  transport(bytes.subspan(packet.l4, packet.l4_length()), packet);
}

void Describer::transport(Bytes segment, const Packet& packet) {
  if (packet.fragment == Fragment::later) {
    if (packet.ip_version == 4) append(out_, "ip-proto-%u", packet.protocol);
    return;
  }
  switch (packet.protocol) {
    case protocol::tcp:
      return print(out_, TcpView(segment), segment.size() - TcpView(segment).header_length());
    case protocol::udp:
      return udp(segment, packet);
    case protocol::sctp:
      return print(out_, SctpView(segment));
    default:
      return by_protocol(packet.protocol, segment);
  }
}

void Describer::udp(Bytes segment, const Packet& packet) {
  const size_t length = load_be16(segment.data() + 4) - UdpView::header_length;
  append(out_, "UDP, length %zu", length);
  if (packet.destination_port != GueView::port || packet.fragment != Fragment::none) return;
  out_ += ": ";
  gue(segment.subspan(UdpView::header_length, length));
}

void Describer::gue(Bytes bytes) {
  const auto view = GueView::parse(bytes);
  if (!view) {
    out_ += "GUE ";
    return malformed(view.reason());
  }
  print(out_, *view);
  if (!view->is_control()) by_protocol(view->protocol(), view->payload());
}

void Describer::gre(Bytes bytes) {
  const auto view = GreView::parse(bytes);
  if (!view) {
    out_ += "GRE ";
    return malformed(view.reason());
  }
  print(out_, *view, bytes.size());
  const uint16_t type = view->type();
  if (depth_++ < maximum_nesting &&
      (type == ethertype::ipv4 || type == ethertype::ipv6 || type == ethertype::arp || type == ethertype::teb)) {
    by_ethertype(type, view->payload());
  } else {
    append(out_, "gre-proto-0x%x", type);
  }
}

void Describer::by_protocol(uint8_t number, Bytes bytes) {
  if (number == protocol::icmp && bytes.size() >= IcmpView::header_length) {
    print(out_, IcmpView(bytes), bytes.size());
  } else if (number == protocol::icmpv6 && bytes.size() >= Icmpv6View::header_length) {
    print(out_, Icmpv6View(bytes), bytes.size());
  } else if (number == protocol::gre) {
    gre(bytes);
  } else if ((number == protocol::ipip || number == protocol::ipv6) && depth_++ < maximum_nesting) {
    by_ethertype(number == protocol::ipip ? ethertype::ipv4 : ethertype::ipv6, bytes);
  } else if (number == protocol::no_next_header) {
    out_ += "no next header";
  } else {
    append(out_, "ip-proto-%u %zu", number, bytes.size());
  }
}

std::string finished(std::string text) {
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

}  // namespace

std::string describe(Bytes frame) {
  std::string text;
  Describer(text).frame(frame);
  return finished(std::move(text));
}

std::string describe_ip(Bytes packet) {
  std::string text;
  Describer(text).network(packet);
  return finished(std::move(text));
}

}  // namespace sluice::wire
