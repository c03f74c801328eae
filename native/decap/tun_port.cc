// SPDX-License-Identifier: Apache-2.0
#include "decap/tun_port.h"

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

#include "host/netlink.h"

namespace sluice::decap {

namespace {

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

bool make(const std::string& name, host::Descriptor& descriptor, host::Failure& failure) {
  descriptor = host::Descriptor(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
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
void keep_silent(host::NetlinkSocket& netlink, uint32_t index) {
  ifinfomsg link{};
  link.ifi_index = static_cast<int>(index);
  host::NetlinkRequest request(RTM_NEWLINK, NLM_F_ACK, link);
  const uint8_t none = IN6_ADDR_GEN_MODE_NONE;
  request.begin(IFLA_AF_SPEC).begin(AF_INET6).put(IFLA_INET6_ADDR_GEN_MODE, &none, sizeof none).end().end();
  // A host without IPv6 refuses, and is silent as it is.
  host::Failure ignored;
  netlink.ask(request, ignored);
}

bool set_up(host::NetlinkSocket& netlink, uint32_t index, host::Failure& failure) {
  ifinfomsg link{};
  link.ifi_index = static_cast<int>(index);
  link.ifi_flags = link.ifi_change = IFF_UP;
  host::NetlinkRequest request(RTM_NEWLINK, NLM_F_ACK, link);
  request.put(IFLA_MTU, longest_packet);
  request.begin(IFLA_AF_SPEC).begin(AF_INET).begin(IFLA_INET_CONF);
  request.put(IPV4_DEVCONF_RP_FILTER, source_check()).end().end().end();
  if (netlink.ask(request, failure)) return true;
  return fail(failure, "cannot set up the TUN device", failure.error);
}

// No connection of the host's own begins at such an address unless it asks for it: IPv4 by its scope, IPv6 because it
// is deprecated (RFC 6724, rule 3). IPv6 is not to look for duplicates: all servers of a service have the address.
bool add_address(host::NetlinkSocket& netlink, uint32_t index, const wire::Address& address, host::Failure& failure) {
  const bool is_v4 = address.family == wire::Family::ipv4;
  const size_t length = is_v4 ? 4 : 16;
  ifaddrmsg message{};
  message.ifa_family = is_v4 ? AF_INET : AF_INET6;
  message.ifa_prefixlen = static_cast<uint8_t>(length * 8);
  message.ifa_index = index;
  message.ifa_scope = is_v4 ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
  message.ifa_flags = is_v4 ? 0 : IFA_F_NODAD;
  host::NetlinkRequest request(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, message);
  request.put(IFA_LOCAL, address.bytes.data(), length).put(IFA_ADDRESS, address.bytes.data(), length);
  if (!is_v4) {
    const ifa_cacheinfo lifetimes{.ifa_prefered = 0, .ifa_valid = UINT32_MAX, .cstamp = 0, .tstamp = 0};
    request.put(IFA_CACHEINFO, &lifetimes, sizeof lifetimes);
  }
  if (netlink.ask(request, failure)) return true;
  return fail(failure, "cannot give the TUN device the address " + wire::to_string(address), failure.error);
}

}  // namespace

bool TunPort::open(const std::string& name, const std::vector<wire::Address>& addresses, host::Failure& failure) {
  host::Descriptor made;
  if (!make(name, made, failure)) return false;
  const uint32_t index = if_nametoindex(name.c_str());
  host::NetlinkSocket netlink;
  if (!netlink.open(0, failure)) return false;
  keep_silent(netlink, index);
  if (!set_up(netlink, index, failure)) return false;
  for (const wire::Address& address : addresses) {
    if (!add_address(netlink, index, address, failure)) return false;
  }
  descriptor_ = std::move(made);
  return true;
}

director::Frame TunPort::framed(const Inner& inner, director::PortId number) {
  director::Frame frame;
  frame.data = inner.packet.data();
  frame.length = static_cast<uint32_t>(inner.packet.size());
  frame.port = number;
  if (inner.is_partial) {
    frame.checksum = director::TransportChecksum::partial;
    frame.mark = uint32_t{inner.checksum_start} << 16 | inner.checksum_offset;
  }
  return frame;
}

// One packet at a time: a TUN device takes no more.
void TunPort::transmit(const director::Frame& frame) {
  // What the kernel keeps in one piece; the rest goes into pages. All headers fit, and no large block has to be found.
  constexpr uint32_t in_one_piece = 256;
  port::VirtioHeader header;
  header.header_length = static_cast<uint16_t>(std::min(frame.length, in_one_piece));
  if (frame.checksum == director::TransportChecksum::partial) {
    header.flags = port::virtio_needs_checksum;
    header.checksum_start = static_cast<uint16_t>(frame.mark >> 16);
    header.checksum_offset = static_cast<uint16_t>(frame.mark);
  }
  const iovec parts[] = {{&header, sizeof header}, {frame.data, frame.length}};
  if (::writev(descriptor_.get(), parts, 2) >= 0) {
    counted_.transmitted++;
    counted_.transmitted_bytes += frame.length;
    return;
  }
  counted_.send_failures++;
  // EBADFD: removed; EIO: down.
  if (errno == EBADFD || errno == EIO) is_lost_.store(true, std::memory_order_relaxed);
}

}  // namespace sluice::decap
