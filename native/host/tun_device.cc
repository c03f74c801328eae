// SPDX-License-Identifier: Apache-2.0
#include "host/tun_device.h"

#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/ip.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

#include "host/netlink.h"

namespace sluice::host {

namespace {

// struct virtio_net_hdr, whose header of the kernel's is no C++.
struct TunHeader {
  uint8_t flags = 0, segmentation = 0;
  uint16_t header_length = 0, segment_size = 0, checksum_start = 0, checksum_offset = 0;
};
static_assert(sizeof(TunHeader) == 10);
constexpr uint8_t needs_checksum = 1;  // VIRTIO_NET_HDR_F_NEEDS_CSUM

// Nothing is sent by the device: its MTU is there not to be a limit.
constexpr uint32_t longest_packet = 65535;

// How the source addresses of what a device receives are held against the routes (net.ipv4.conf.*.rp_filter, RFC 3704).
// Clients are never routed through this device, so it must not be strict here. What counts is the greater number of the
// device's and that of `all`, which is the administrator's: where that is strict, loose is as open as it gets.
constexpr uint32_t no_source_check = 0, strict_source_check = 1, loose_source_check = 2;

uint32_t source_check() {
  uint32_t everywhere = strict_source_check;
  const std::unique_ptr<FILE, int (*)(FILE*)> file(fopen("/proc/sys/net/ipv4/conf/all/rp_filter", "re"), fclose);
  if (file && fscanf(file.get(), "%u", &everywhere) != 1) everywhere = strict_source_check;
  return everywhere == no_source_check ? no_source_check : loose_source_check;
}

// The device that was made with this descriptor; nothing where none was yet, or where it is no descriptor of the kind.
std::optional<std::string> made_with(int descriptor) {
  ifreq request{};
  if (ioctl(descriptor, TUNGETIFF, &request) != 0) return std::nullopt;
  return std::string(request.ifr_name);
}

bool can_make_device(int descriptor) {
  unsigned features = 0;
  return descriptor >= 0 && ioctl(descriptor, TUNGETFEATURES, &features) == 0;
}

bool make(const std::string& name, int held, Descriptor& descriptor, Failure& failure) {
  const bool is_held = can_make_device(held);
  descriptor =
      Descriptor(is_held ? fcntl(held, F_DUPFD_CLOEXEC, 0) : open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!descriptor) {
    const int error = errno;
    if (error == EACCES || error == EPERM) {
      return fail(failure, "no access to /dev/net/tun (run as root, or with CAP_NET_ADMIN and CAP_NET_RAW)", error);
    }
    return fail(failure, "no /dev/net/tun (load the kernel's module: modprobe tun; in a container, pass the device)",
                error);
  }
  ifreq request{};
  request.ifr_flags = static_cast<short>(IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL);
  if (name.empty() || name.size() >= sizeof request.ifr_name) {
    return fail(failure, "not a name for a device: \"" + name + "\" (use 1 to 15 characters)");
  }
  name.copy(request.ifr_name, name.size());
  if (ioctl(descriptor.get(), TUNSETIFF, &request) == 0) return true;
  const int error = errno;
  if (error == EBUSY) {
    return fail(failure,
                "there is a device \"" + name + "\" already (is another sluice decap running? use another name)",
                error);
  }
  if (error == EPERM) {
    return fail(failure, "may not make a TUN device (run as root, or with CAP_NET_ADMIN and CAP_NET_RAW)", error);
  }
  return fail(failure, "cannot make a TUN device \"" + name + "\"", error);
}

// The device neither asks for routers nor has an address of its own: nothing is to be sent by it.
void keep_silent(NetlinkSocket& netlink, uint32_t index) {
  ifinfomsg link{};
  link.ifi_index = static_cast<int>(index);
  NetlinkRequest request(RTM_NEWLINK, NLM_F_ACK, link);
  const uint8_t none = IN6_ADDR_GEN_MODE_NONE;
  request.begin(IFLA_AF_SPEC).begin(AF_INET6).put(IFLA_INET6_ADDR_GEN_MODE, &none, sizeof none).end().end();
  // A host without IPv6 refuses, and is silent as it is.
  Failure ignored;
  netlink.ask(request, ignored);
}

bool set_up(NetlinkSocket& netlink, uint32_t index, Failure& failure) {
  ifinfomsg link{};
  link.ifi_index = static_cast<int>(index);
  link.ifi_flags = link.ifi_change = IFF_UP;
  NetlinkRequest request(RTM_NEWLINK, NLM_F_ACK, link);
  request.put(IFLA_MTU, longest_packet);
  request.begin(IFLA_AF_SPEC).begin(AF_INET).begin(IFLA_INET_CONF);
  request.put(IPV4_DEVCONF_RP_FILTER, source_check()).end().end().end();
  if (netlink.ask(request, failure)) return true;
  return fail(failure, "cannot set up the TUN device", failure.error);
}

// No connection of the host's own begins at such an address unless it asks for it: IPv4 by its scope, IPv6 because it
// is deprecated (RFC 6724, rule 3). IPv6 is not to look for duplicates: all servers of a service have the address.
bool add_address(NetlinkSocket& netlink, uint32_t index, const wire::Address& address, Failure& failure) {
  const bool is_v4 = address.family == wire::Family::ipv4;
  const size_t length = is_v4 ? 4 : 16;
  ifaddrmsg message{};
  message.ifa_family = is_v4 ? AF_INET : AF_INET6;
  message.ifa_prefixlen = static_cast<uint8_t>(length * 8);
  message.ifa_index = index;
  message.ifa_scope = is_v4 ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
  message.ifa_flags = is_v4 ? 0 : IFA_F_NODAD;
  NetlinkRequest request(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, message);
  request.put(IFA_LOCAL, address.bytes.data(), length).put(IFA_ADDRESS, address.bytes.data(), length);
  if (!is_v4) {
    const ifa_cacheinfo lifetimes{.ifa_prefered = 0, .ifa_valid = UINT32_MAX, .cstamp = 0, .tstamp = 0};
    request.put(IFA_CACHEINFO, &lifetimes, sizeof lifetimes);
  }
  if (netlink.ask(request, failure)) return true;
  return fail(failure, "cannot give the TUN device the address " + wire::to_string(address), failure.error);
}

}  // namespace

bool TunDevice::open(const std::string& name, const std::vector<wire::Address>& addresses, Failure& failure, int held) {
  Descriptor made;
  const std::optional<std::string> before = made_with(held);
  if (before) {
    made = Descriptor(fcntl(held, F_DUPFD_CLOEXEC, 0));
    if (!made) return fail(failure, "cannot take over the TUN device " + *before, errno);
  } else if (!make(name, held, made, failure)) {
    return false;
  }
  const uint32_t index = if_nametoindex(before.value_or(name).c_str());
  // A device that is taken over is set up as well: the process before may have ended before it did so.
  NetlinkSocket netlink;
  if (!netlink.open(0, failure)) return false;
  keep_silent(netlink, index);
  if (!set_up(netlink, index, failure)) return false;
  for (const wire::Address& address : addresses) {
    if (!add_address(netlink, index, address, failure)) return false;
  }
  descriptor_ = std::move(made);
  index_ = index;
  return true;
}

bool TunDevice::accept_own_sources(Failure& failure) {
  NetlinkSocket netlink;
  if (!netlink.open(0, failure)) return false;
  ifinfomsg link{};
  link.ifi_index = static_cast<int>(index_);
  NetlinkRequest request(RTM_NEWLINK, NLM_F_ACK, link);
  request.begin(IFLA_AF_SPEC).begin(AF_INET).begin(IFLA_INET_CONF);
  request.put(IPV4_DEVCONF_ACCEPT_LOCAL, uint32_t{1}).end().end().end();
  return netlink.ask(request, failure);
}

bool TunDevice::add_route(const wire::Address& address, uint32_t mtu, Failure& failure) {
  if (std::ranges::find(routes_, address) != routes_.end()) return true;
  NetlinkSocket netlink;
  if (!netlink.open(0, failure)) return false;
  const bool is_v4 = address.family == wire::Family::ipv4;
  const size_t length = is_v4 ? 4 : 16;
  rtmsg route{};
  route.rtm_family = is_v4 ? AF_INET : AF_INET6;
  route.rtm_dst_len = static_cast<uint8_t>(length * 8);
  route.rtm_table = RT_TABLE_MAIN;
  route.rtm_protocol = RTPROT_STATIC;
  route.rtm_scope = RT_SCOPE_LINK;
  route.rtm_type = RTN_UNICAST;
  NetlinkRequest request(RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, route);
  request.put(RTA_DST, address.bytes.data(), length).put(RTA_OIF, index_);
  request.begin(RTA_METRICS).put(RTAX_MTU, mtu).end();
  // The route of the process before is there where its device was taken over.
  if (!netlink.ask(request, failure) && failure.error != EEXIST) {
    return fail(failure, "cannot lead " + wire::to_string(address) + " to the TUN device", failure.error);
  }
  routes_.push_back(address);
  return true;
}

bool TunDevice::write(const TunPacket& packet) {
  // What the kernel keeps in one piece; the rest goes into pages. All headers fit, and no large block has to be found.
  constexpr size_t in_one_piece = 256;
  TunHeader header;
  header.header_length = static_cast<uint16_t>(std::min(packet.packet.size(), in_one_piece));
  if (packet.is_partial) {
    header.flags = needs_checksum;
    header.checksum_start = packet.checksum_start;
    header.checksum_offset = packet.checksum_offset;
  }
  const iovec parts[] = {{&header, sizeof header}, {const_cast<uint8_t*>(packet.packet.data()), packet.packet.size()}};
  return ::writev(descriptor_.get(), parts, 2) >= 0;
}

}  // namespace sluice::host
