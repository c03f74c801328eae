// SPDX-License-Identifier: Apache-2.0
#include "probe/sockets.h"

#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

namespace sluice::probe {

namespace {

bool set(int socket, int level, int name, int value) {
  return setsockopt(socket, level, name, &value, sizeof value) == 0;
}

host::Descriptor open_kind(int family, int type, int protocol) {
  return host::Descriptor(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
}

// A raw socket gets every ICMP message that arrives; the filter lets echo replies pass.
bool take_echo_replies_only(int socket, int family) {
  if (family == AF_INET) {
    const icmp_filter filter = {~(1U << ICMP_ECHOREPLY)};
    return setsockopt(socket, SOL_RAW, ICMP_FILTER, &filter, sizeof filter) == 0;
  }
  icmp6_filter filter;
  ICMP6_FILTER_SETBLOCKALL(&filter);
  ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
  return setsockopt(socket, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter) == 0;
}

// Ping sockets need no capability, but net.ipv4.ping_group_range has to name a group of the process; it holds for both
// families. Raw sockets need CAP_NET_RAW. The kernel passes each ICMP message by all raw sockets, so thousands of
// exchanges at once cost more with these.
Opened open_ping(int family) {
  const int protocol = family == AF_INET ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6};
  Opened opened;
  opened.socket = open_kind(family, SOCK_DGRAM, protocol);
  if (opened.socket || errno != EACCES) return opened;
  opened.socket = open_kind(family, SOCK_RAW, protocol);
  opened.is_raw = true;
  if (!opened.socket || take_echo_replies_only(opened.socket.get(), family)) return opened;
  return {.error = errno};
}

Opened open_kind(const Request& request) {
  const int family = request.to.family();
  if (request.protocol == Protocol::ping) return open_ping(family);
  return {.socket = open_kind(family, request.protocol == Protocol::tcp ? SOCK_STREAM : SOCK_DGRAM, 0)};
}

bool set_route(int socket, const Request& request) {
  // The kernel would cut off a name that is too long.
  if (request.device.size() >= IFNAMSIZ) {
    errno = ENODEV;
    return false;
  }
  if (!request.device.empty() && setsockopt(socket, SOL_SOCKET, SO_BINDTODEVICE, request.device.data(),
                                            static_cast<socklen_t>(request.device.size())) != 0) {
    return false;
  }
  if (request.mark != 0 && !set(socket, SOL_SOCKET, SO_MARK, static_cast<int>(request.mark))) return false;
  if (request.from.is_unspecified()) return true;
  // The port is chosen when the socket is connected, so that connections to different targets can share it.
  if (request.protocol == Protocol::tcp && !set(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)) return false;
  return bind(socket, request.from.get(), request.from.size()) == 0;
}

bool set_options(int socket, const Request& request) {
  const bool is_ipv4 = request.to.family() == AF_INET;
  if (request.protocol != Protocol::tcp) {
    // Without it the kernel keeps "host unreachable" and the like to itself.
    return is_ipv4 ? set(socket, IPPROTO_IP, IP_RECVERR, 1) : set(socket, IPPROTO_IPV6, IPV6_RECVERR, 1);
  }
  // The kernel then delays the handshake's last segment, which is sent with the request or is replaced by the reset:
  // two packets less for both sides. If the target speaks first, it must not wait for this segment.
  if ((request.connect_only || request.sends) && !set(socket, IPPROTO_TCP, TCP_QUICKACK, 0)) return false;
  return request.connect_only || set(socket, IPPROTO_TCP, TCP_NODELAY, 1);
}

}  // namespace

Opened open_socket(const Request& request) {
  Opened opened = open_kind(request);
  if (!opened.socket) return {.error = opened.error != 0 ? opened.error : errno};
  const int socket = opened.socket.get();
  if (!set_route(socket, request) || !set_options(socket, request)) return {.error = errno};
  opened.is_connected = connect(socket, request.to.get(), request.to.size()) == 0;
  if (!opened.is_connected && errno != EINPROGRESS) return {.error = errno};
  return opened;
}

int error_of(int socket) {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error != 0 ? error : EIO;
}

void reset_on_close(int socket) {
  const linger at_once = {.l_onoff = 1, .l_linger = 0};
  // If it fails, the connection ends with a FIN.
  setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

}  // namespace sluice::probe
