// SPDX-License-Identifier: Apache-2.0
#include "host/route_messages.h"

#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>

namespace sluice::host {

namespace {

bool is_ip(uint8_t family) {
  return family == AF_INET || family == AF_INET6;
}

wire::Address unspecified(uint8_t family) {
  wire::Address address;
  address.family = family == AF_INET ? wire::Family::ipv4 : wire::Family::ipv6;
  return address;
}

uint8_t bits_of(uint8_t family) {
  return family == AF_INET ? 32 : 128;
}

std::optional<wire::Address> ip_of(uint8_t family, wire::Bytes value) {
  if (!is_ip(family) || value.size() != bits_of(family) / 8u) return std::nullopt;
  wire::Address address = unspecified(family);
  std::copy(value.begin(), value.end(), address.bytes.begin());
  return address;
}

// RTA_VIA has the family in front of the address: an IPv4 route through an IPv6 neighbour (RFC 5549).
wire::Address gateway_of(uint8_t family, const Attributes& attributes) {
  if (const auto gateway = ip_of(family, attributes.find(RTA_GATEWAY))) return *gateway;
  const wire::Bytes via = attributes.find(RTA_VIA);
  if (via.size() > sizeof(uint16_t)) {
    const auto other = static_cast<uint8_t>(read_fixed<uint16_t>(via));
    if (const auto gateway = ip_of(other, via.subspan(sizeof(uint16_t)))) return *gateway;
  }
  return unspecified(family);
}

bool is_dead(unsigned flags) {
  return (flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) != 0;
}

std::vector<RouteWay> ways_of(const rtmsg& fixed, const Attributes& attributes) {
  std::vector<RouteWay> ways;
  if (!attributes.has(RTA_MULTIPATH)) {
    ways.push_back({attributes.number(RTA_OIF), gateway_of(fixed.rtm_family, attributes), 1, is_dead(fixed.rtm_flags)});
    return ways;
  }
  wire::Bytes rest = attributes.find(RTA_MULTIPATH);
  while (rest.size() >= sizeof(rtnexthop)) {
    const auto hop = read_fixed<rtnexthop>(rest);
    if (hop.rtnh_len < sizeof hop || hop.rtnh_len > rest.size()) break;
    const Attributes of_hop(rest.subspan(sizeof hop, hop.rtnh_len - sizeof hop));
    ways.push_back({static_cast<uint32_t>(hop.rtnh_ifindex), gateway_of(fixed.rtm_family, of_hop),
                    hop.rtnh_hops + uint32_t{1}, is_dead(hop.rtnh_flags)});
    rest = rest.subspan(std::min<size_t>(RTNH_ALIGN(hop.rtnh_len), rest.size()));
  }
  return ways;
}

std::optional<RouteRecord::Kind> kind_of(uint8_t type) {
  switch (type) {
    case RTN_UNICAST:
      return RouteRecord::Kind::unicast;
    case RTN_LOCAL:
      return RouteRecord::Kind::local;
    case RTN_UNREACHABLE:
    case RTN_BLACKHOLE:
    case RTN_PROHIBIT:
      return RouteRecord::Kind::unreachable;
    default:
      return std::nullopt;
  }
}

NeighbourRecord::State state_of(uint16_t state) {
  if ((state & (NUD_REACHABLE | NUD_PERMANENT | NUD_NOARP)) != 0) return NeighbourRecord::State::confirmed;
  if ((state & (NUD_STALE | NUD_DELAY | NUD_PROBE)) != 0) return NeighbourRecord::State::stale;
  return (state & NUD_FAILED) != 0 ? NeighbourRecord::State::failed : NeighbourRecord::State::unresolved;
}

}  // namespace

std::optional<LinkRecord> link_of(const NetlinkMessage& message) {
  if (message.header.nlmsg_type != RTM_NEWLINK || message.body.size() < sizeof(ifinfomsg)) return std::nullopt;
  const auto fixed = read_fixed<ifinfomsg>(message.body);
  const Attributes attributes = attributes_after<ifinfomsg>(message.body);
  // A bridge also announces its ports in messages of its own family, which hold less.
  if (fixed.ifi_family != AF_UNSPEC || fixed.ifi_index <= 0 || !attributes.has(IFLA_IFNAME)) return std::nullopt;
  LinkRecord link;
  link.index = static_cast<uint32_t>(fixed.ifi_index);
  link.name = attributes.text(IFLA_IFNAME);
  link.mtu = attributes.number(IFLA_MTU);
  link.is_up = (fixed.ifi_flags & IFF_UP) != 0 && (fixed.ifi_flags & IFF_RUNNING) != 0;
  const wire::Bytes mac = attributes.find(IFLA_ADDRESS);
  if (mac.size() == wire::MacAddress::size) std::copy(mac.begin(), mac.end(), link.mac.bytes.begin());
  return link;
}

std::optional<AddressRecord> address_of(const NetlinkMessage& message) {
  if (message.header.nlmsg_type != RTM_NEWADDR || message.body.size() < sizeof(ifaddrmsg)) return std::nullopt;
  const auto fixed = read_fixed<ifaddrmsg>(message.body);
  const Attributes attributes = attributes_after<ifaddrmsg>(message.body);
  const auto far = ip_of(fixed.ifa_family, attributes.find(IFA_ADDRESS));
  const auto own = ip_of(fixed.ifa_family, attributes.find(IFA_LOCAL));
  if (!far && !own) return std::nullopt;
  AddressRecord record;
  record.interface = fixed.ifa_index;
  record.address = own ? *own : *far;
  const uint32_t flags = attributes.number(IFA_FLAGS, fixed.ifa_flags);
  // The network belongs to the other end, or has no route. The table of routes holds what there is.
  const bool has_network = (flags & IFA_F_NOPREFIXROUTE) == 0 && (!own || !far || *own == *far);
  const uint8_t bits = bits_of(fixed.ifa_family);
  record.prefix_length = has_network ? std::min(fixed.ifa_prefixlen, bits) : bits;
  record.is_usable =
      (flags & IFA_F_DADFAILED) == 0 && ((flags & IFA_F_TENTATIVE) == 0 || (flags & IFA_F_OPTIMISTIC) != 0);
  record.is_preferred = fixed.ifa_scope == RT_SCOPE_UNIVERSE && (flags & IFA_F_DEPRECATED) == 0;
  return record;
}

std::optional<RouteRecord> route_of(const NetlinkMessage& message) {
  if (message.header.nlmsg_type != RTM_NEWROUTE || message.body.size() < sizeof(rtmsg)) return std::nullopt;
  const auto fixed = read_fixed<rtmsg>(message.body);
  const auto kind = kind_of(fixed.rtm_type);
  // Cached routes repeat other routes. Routes for one type of service or one source do not apply to every packet.
  const bool is_general = (fixed.rtm_flags & RTM_F_CLONED) == 0 && fixed.rtm_tos == 0 && fixed.rtm_src_len == 0;
  if (!kind || !is_ip(fixed.rtm_family) || !is_general || fixed.rtm_dst_len > bits_of(fixed.rtm_family)) {
    return std::nullopt;
  }
  const Attributes attributes = attributes_after<rtmsg>(message.body);
  RouteRecord route;
  route.kind = *kind;
  route.table = attributes.number(RTA_TABLE, fixed.rtm_table);
  route.to = ip_of(fixed.rtm_family, attributes.find(RTA_DST)).value_or(unspecified(fixed.rtm_family));
  route.prefix_length = fixed.rtm_dst_len;
  route.metric = attributes.number(RTA_PRIORITY);
  route.mtu = attributes.nested(RTA_METRICS).number(RTAX_MTU);
  route.source = ip_of(fixed.rtm_family, attributes.find(RTA_PREFSRC)).value_or(unspecified(fixed.rtm_family));
  if (route.kind == RouteRecord::Kind::unicast) route.ways = ways_of(fixed, attributes);
  return route;
}

std::optional<NeighbourRecord> neighbour_of(const NetlinkMessage& message) {
  const uint16_t type = message.header.nlmsg_type;
  if ((type != RTM_NEWNEIGH && type != RTM_DELNEIGH) || message.body.size() < sizeof(ndmsg)) return std::nullopt;
  const auto fixed = read_fixed<ndmsg>(message.body);
  const Attributes attributes = attributes_after<ndmsg>(message.body);
  const auto address = ip_of(fixed.ndm_family, attributes.find(NDA_DST));
  if (!address || (fixed.ndm_flags & NTF_PROXY) != 0) return std::nullopt;
  NeighbourRecord neighbour;
  neighbour.interface = static_cast<uint32_t>(fixed.ndm_ifindex);
  neighbour.address = *address;
  if (type == RTM_NEWNEIGH) neighbour.state = state_of(fixed.ndm_state);
  const wire::Bytes mac = attributes.find(NDA_LLADDR);
  if (mac.size() == wire::MacAddress::size) {
    std::copy(mac.begin(), mac.end(), neighbour.mac.bytes.begin());
  } else if (neighbour.has_mac()) {
    neighbour.state = NeighbourRecord::State::unresolved;
  }
  return neighbour;
}

}  // namespace sluice::host
