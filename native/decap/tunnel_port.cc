// SPDX-License-Identifier: Apache-2.0
#include "decap/tunnel_port.h"

#include <linux/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "wire/protocol.h"

namespace sluice::decap {

namespace {

// A burst of ten milliseconds at ten gigabits per second.
constexpr int receive_buffer = 12 << 20;

bool set(const host::Descriptor& socket, int level, int option, int value = 1) {
  return setsockopt(socket.get(), level, option, &value, sizeof value) == 0;
}

std::string words_for(const TunnelSocketOptions& options) {
  const std::string over = options.family == wire::Family::ipv4 ? " over IPv4" : " over IPv6";
  if (options.protocol == wire::protocol::udp) return "UDP port " + std::to_string(options.port) + over;
  return "IP protocol " + std::to_string(options.protocol) + over;
}

bool bind_port(const host::Descriptor& socket, const TunnelSocketOptions& options) {
  if (options.family == wire::Family::ipv4) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_port = htons(options.port);
    return bind(socket.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0;
  }
  sockaddr_in6 any{};
  any.sin6_family = AF_INET6;
  any.sin6_port = htons(options.port);
  return bind(socket.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0;
}

// Sets what the host tells with each datagram, and which datagrams it gives.
bool configure(const host::Descriptor& socket, const TunnelSocketOptions& options) {
  const bool is_v4 = options.family == wire::Family::ipv4, is_udp = options.protocol == wire::protocol::udp;
  if (!set(socket, SOL_SOCKET, SO_RXQ_OVFL)) return false;
  // Root may exceed net.core.rmem_max; others may not.
  if (!set(socket, SOL_SOCKET, SO_RCVBUFFORCE, receive_buffer)) set(socket, SOL_SOCKET, SO_RCVBUF, receive_buffer);
  // A raw IPv4 socket gives the whole header, which holds the traffic class.
  if (!is_v4 && !set(socket, IPPROTO_IPV6, IPV6_RECVTCLASS)) return false;
  if (!is_udp) return true;
  if (is_v4 && !set(socket, IPPROTO_IP, IP_RECVTOS)) return false;
  // IPv4 has a socket of its own. Over IPv6, tunnels may also go without a checksum (RFC 6935).
  if (!is_v4 && !set(socket, IPPROTO_IPV6, IPV6_V6ONLY)) return false;
  if (!is_v4 && !set(socket, IPPROTO_UDP, UDP_NO_CHECK6_RX)) return false;
  // Kernels before 5.0 do not have UDP_GRO: its failure does not matter.
  set(socket, IPPROTO_UDP, UDP_GRO);
  return true;
}

// What the host tells beside a datagram.
struct Aside {
  uint8_t traffic_class = 0;
  size_t segment_size = 0;  // 0: one datagram
  uint32_t overflows = 0;   // so far
};

template <class T>
T value_of(const cmsghdr* header) {
  T value;
  std::memcpy(&value, CMSG_DATA(header), sizeof value);
  return value;
}

Aside read_aside(const msghdr& message, uint32_t overflows) {
  Aside aside{.overflows = overflows};
  for (auto* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(const_cast<msghdr*>(&message), header)) {
    const auto is = [&](int level, int type) { return header->cmsg_level == level && header->cmsg_type == type; };
    if (is(IPPROTO_IP, IP_TOS)) aside.traffic_class = value_of<uint8_t>(header);
    if (is(IPPROTO_IPV6, IPV6_TCLASS)) aside.traffic_class = static_cast<uint8_t>(value_of<int>(header));
    if (is(IPPROTO_UDP, UDP_GRO)) aside.segment_size = static_cast<size_t>(value_of<int>(header));
    if (is(SOL_SOCKET, SO_RXQ_OVFL)) aside.overflows = value_of<uint32_t>(header);
  }
  return aside;
}

}  // namespace

ReceiveBuffers::ReceiveBuffers()
    : bytes_(count * (headroom + length)), control_(count * control_length), places_(count), messages_(count) {}

bool TunnelPort::open(const TunnelSocketOptions& options, host::Failure& failure) {
  const bool is_udp = options.protocol == wire::protocol::udp;
  family_ = options.family;
  protocol_ = options.protocol;
  socket_ =
      host::Descriptor(socket(family_ == wire::Family::ipv4 ? AF_INET : AF_INET6,
                              (is_udp ? SOCK_DGRAM : SOCK_RAW) | SOCK_NONBLOCK | SOCK_CLOEXEC, is_udp ? 0 : protocol_));
  const std::string what = words_for(options);
  if (!socket_) {
    const int error = errno;
    const char* remedy = error == EPERM ? " (run as root, or with CAP_NET_ADMIN and CAP_NET_RAW)" : "";
    return fail(failure, "cannot open a socket for " + what + remedy, error);
  }
  if (!configure(socket_, options)) return fail(failure, "cannot set up the socket for " + what, errno);
  const std::string& on = options.interface;
  if (!on.empty() &&
      setsockopt(socket_.get(), SOL_SOCKET, SO_BINDTODEVICE, on.c_str(), static_cast<socklen_t>(on.size())) != 0) {
    const int error = errno;
    return fail(failure, "cannot receive " + what + " from device \"" + on + "\" (see `ip link` for what there is)",
                error);
  }
  if (!is_udp || bind_port(socket_, options)) return true;
  const int error = errno;
  const char* remedy =
      error == EADDRINUSE ? " (`ss -lunp` shows who has it; the kernel's own fou tunnel may: `ip fou show`)" : "";
  return fail(failure, "cannot have " + what + remedy, error);
}

size_t TunnelPort::receive(std::span<director::Frame> frames) {
  const size_t most = std::min(frames.size(), ReceiveBuffers::count);
  for (size_t i = 0; i < most; i++) {
    uint8_t* const place = &buffers_->bytes_[i * (ReceiveBuffers::headroom + ReceiveBuffers::length)];
    buffers_->places_[i] = {place + ReceiveBuffers::headroom, ReceiveBuffers::length};
    msghdr& message = buffers_->messages_[i].msg_hdr;
    message = {};
    message.msg_iov = &buffers_->places_[i];
    message.msg_iovlen = 1;
    message.msg_control = &buffers_->control_[i * ReceiveBuffers::control_length];
    message.msg_controllen = ReceiveBuffers::control_length;
  }
  const int received = recvmmsg(socket_.get(), buffers_->messages_.data(), static_cast<unsigned>(most), 0, nullptr);
  size_t count = 0;
  for (int i = 0; i < received; i++) {
    const mmsghdr& one = buffers_->messages_[static_cast<size_t>(i)];
    if (take_message(one.msg_hdr, one.msg_len, frames[count])) count++;
  }
  return count;
}

bool TunnelPort::take_message(const msghdr& message, size_t received, director::Frame& frame) {
  const Aside aside = read_aside(message, static_cast<uint32_t>(counted_.kernel_drops));
  counted_.kernel_drops = aside.overflows;
  const wire::MutableBytes bytes(static_cast<uint8_t*>(message.msg_iov->iov_base), received);
  Arrived arrived{protocol_, aside.traffic_class, bytes};
  const bool has_header = family_ == wire::Family::ipv4 && protocol_ != wire::protocol::udp;
  if (has_header && !strip_ipv4(bytes, arrived)) {
    counted_.unreadable++;
    return false;
  }
  const TunnelHead head{arrived.protocol, arrived.traffic_class};
  frame = {};
  frame.data = arrived.payload.data() - sizeof head;
  frame.length = static_cast<uint32_t>(sizeof head + arrived.payload.size());
  std::memcpy(frame.data, &head, sizeof head);
  if (aside.segment_size != 0 && aside.segment_size < received) {
    frame.segmentation = director::Segmentation::udp;
    frame.segment_size = static_cast<uint16_t>(aside.segment_size);
  }
  counted_.received++;
  counted_.received_bytes += received;
  return true;
}

}  // namespace sluice::decap
