// SPDX-License-Identifier: Apache-2.0
#include "probe/echo.h"

// linux/errqueue.h needs the time structures before it.
#include <time.h>
// clang-format off
#include <linux/errqueue.h>
// clang-format on
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "wire/checksum.h"

namespace sluice::probe {

namespace {

constexpr size_t at_checksum = 2, at_identifier = 4, at_sequence = 6;
constexpr size_t least_ipv4_header = 20;

std::span<const uint8_t> without_ipv4_header(std::span<const uint8_t> packet) {
  if (packet.size() < least_ipv4_header) return {};
  const size_t length = (packet[0] & 15U) * size_t{4};
  return packet.size() < length ? std::span<const uint8_t>() : packet.subspan(length);
}

// The extended error among the control messages; ee_errno 0 if there is none.
sock_extended_err extended_error(msghdr& message) {
  sock_extended_err error = {};
  for (cmsghdr* control = CMSG_FIRSTHDR(&message); control != nullptr; control = CMSG_NXTHDR(&message, control)) {
    const bool is_ipv4 = control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_RECVERR;
    const bool is_ipv6 = control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_RECVERR;
    if (is_ipv4 || is_ipv6) std::memcpy(&error, CMSG_DATA(control), sizeof error);
  }
  return error;
}

}  // namespace

Echo::Echo(core::SipKey key, Id id) {
  for (size_t word = 0; word < payload_size / sizeof(uint64_t); word++) {
    const uint64_t bits = core::SipHash<2, 4>(key).add(id).finish(word, sizeof id + 1);
    std::memcpy(message_.data() + header_size + word * sizeof bits, &bits, sizeof bits);
  }
  // The identifier counts for raw sockets alone: the kernel gives a ping socket its own.
  std::memcpy(message_.data() + at_identifier, message_.data() + header_size, sizeof(uint16_t));
  message_[at_sequence] = static_cast<uint8_t>(id >> 8);
  message_[at_sequence + 1] = static_cast<uint8_t>(id);
}

int Echo::send(int socket, bool is_ipv6) const {
  Message message = message_;
  message[0] = is_ipv6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
  // The kernel computes the checksum of ICMPv6, and that of ping sockets.
  if (!is_ipv6) wire::store_raw16(message.data() + at_checksum, wire::finish_checksum(wire::sum_bytes(message)));
  return ::send(socket, message.data(), message.size(), MSG_NOSIGNAL) < 0 ? errno : 0;
}

bool Echo::is_of_this(std::span<const uint8_t> message, bool has_identifier) const {
  const size_t from = has_identifier ? at_identifier : at_sequence;
  return message.size() >= header_size &&
         std::equal(message_.begin() + static_cast<long>(from), message_.begin() + header_size,
                    message.begin() + static_cast<long>(from));
}

std::optional<std::span<const uint8_t>> Echo::answer(std::span<const uint8_t> received, bool is_raw,
                                                     bool is_ipv6) const {
  // A raw IPv4 socket gets the IP header too.
  const auto message = is_raw && !is_ipv6 ? without_ipv4_header(received) : received;
  const uint8_t reply = is_ipv6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY;
  if (message.size() != message_.size() || message[0] != reply || !is_of_this(message, is_raw)) return {};
  const auto payload = message.subspan(header_size);
  if (!std::equal(payload.begin(), payload.end(), message_.begin() + header_size)) return {};
  return payload;
}

int Echo::error(int socket, bool is_raw) const {
  std::array<uint8_t, header_size> offending{};
  alignas(cmsghdr) std::array<uint8_t, 512> control{};
  for (;;) {
    iovec part = {offending.data(), offending.size()};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t size = recvmsg(socket, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
    if (size < 0) return 0;
    const sock_extended_err error = extended_error(message);
    if (error.ee_errno == 0) continue;
    // An error that the host found itself, such as an address that nobody resolves, comes with the request too.
    if (is_of_this(std::span(offending).first(static_cast<size_t>(size)), is_raw))
      return static_cast<int>(error.ee_errno);
  }
}

}  // namespace sluice::probe
