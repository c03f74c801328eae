// SPDX-License-Identifier: Apache-2.0
#include "probe/link_hop.h"

#include <linux/neighbour.h>
#include <sys/socket.h>

#include <cerrno>

namespace sluice::probe {

namespace {

uint8_t family_of(const wire::Address& address) {
  return address.family == wire::Family::ipv4 ? AF_INET : AF_INET6;
}

size_t length_of(const wire::Address& address) {
  return address.family == wire::Family::ipv4 ? 4 : 16;
}

}  // namespace

int LinkHops::find(const wire::Address& server, LinkHop& hop) {
  if (const int error = find_interface(server, hop.interface)) return error;
  ndmsg about{};
  about.ndm_family = family_of(server);
  about.ndm_ifindex = static_cast<int>(hop.interface);
  host::NetlinkRequest request(RTM_GETNEIGH, NLM_F_ACK, about);
  request.put(NDA_DST, server.bytes.data(), length_of(server));
  host::Failure unknown;  // a server that nobody has asked for yet
  const auto take = [&](const host::NetlinkMessage& message) {
    const auto neighbour = host::neighbour_of(message);
    if (!neighbour) return;
    hop.state = neighbour->state;
    hop.mac = neighbour->mac;
  };
  static_cast<void>(socket_.ask(request, take, unknown));
  return 0;
}

int LinkHops::find_interface(const wire::Address& server, uint32_t& interface) {
  rtmsg about{};
  about.rtm_family = family_of(server);
  about.rtm_dst_len = static_cast<uint8_t>(length_of(server) * 8);
  host::NetlinkRequest request(RTM_GETROUTE, NLM_F_ACK, about);
  request.put(RTA_DST, server.bytes.data(), length_of(server));
  int error = ENETUNREACH;
  const auto take = [&](const host::NetlinkMessage& message) {
    if (message.header.nlmsg_type != RTM_NEWROUTE || message.body.size() < sizeof(rtmsg)) return;
    const auto route = host::read_fixed<rtmsg>(message.body);
    const host::Attributes attributes = host::attributes_after<rtmsg>(message.body);
    interface = attributes.number(RTA_OIF);
    if (route.rtm_type == RTN_LOCAL) {
      error = ELOOP;
    } else if (route.rtm_type == RTN_UNICAST && !attributes.has(RTA_GATEWAY) && !attributes.has(RTA_VIA)) {
      error = 0;
    }
  };
  host::Failure refused;
  return socket_.ask(request, take, refused) ? error : refused.error;
}

}  // namespace sluice::probe
