// SPDX-License-Identifier: Apache-2.0
#include "host/netlink.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>

namespace sluice::host {

namespace {

// The kernel fills datagrams of a dump up to 32 KiB if the reader offers that much.
constexpr size_t datagram_size = 64 * 1024;

// Room for notices of a few thousand routes that change at once. More is an overrun, which is handled.
constexpr int notice_buffer = 4 * 1024 * 1024;

// The kernel answers in microseconds. A lost answer must not block the caller for ever.
constexpr timeval longest_wait = {5, 0};

}  // namespace

Attributes::Attributes(wire::Bytes bytes) {
  while (bytes.size() >= sizeof(nlattr)) {
    const auto header = read_fixed<nlattr>(bytes);
    if (header.nla_len < sizeof header || header.nla_len > bytes.size()) return;
    const unsigned type = header.nla_type & NLA_TYPE_MASK;
    if (type < found_.size()) found_[type] = bytes.subspan(sizeof header, header.nla_len - sizeof header);
    bytes = bytes.subspan(std::min<size_t>(NLA_ALIGN(header.nla_len), bytes.size()));
  }
}

std::string_view Attributes::text(unsigned type) const {
  const wire::Bytes value = find(type);
  const std::string_view all(reinterpret_cast<const char*>(value.data()), value.size());
  return all.substr(0, all.find('\0'));
}

void for_each_message(wire::Bytes bytes, const std::function<void(const NetlinkMessage&)>& visit) {
  while (bytes.size() >= sizeof(nlmsghdr)) {
    NetlinkMessage message;
    message.header = read_fixed<nlmsghdr>(bytes);
    const uint32_t length = message.header.nlmsg_len;
    if (length < sizeof(nlmsghdr) || length > bytes.size()) return;
    message.body = bytes.subspan(sizeof(nlmsghdr), length - sizeof(nlmsghdr));
    visit(message);
    bytes = bytes.subspan(std::min<size_t>(NLMSG_ALIGN(length), bytes.size()));
  }
}

void NetlinkRequest::append(const void* value, size_t length) {
  const auto* from = static_cast<const uint8_t*>(value);
  bytes_.insert(bytes_.end(), from, from + length);
  bytes_.resize(NLMSG_ALIGN(bytes_.size()));
}

NetlinkRequest& NetlinkRequest::put(uint16_t type, const void* value, size_t length) {
  const nlattr header = {static_cast<uint16_t>(sizeof header + length), type};
  append(&header, sizeof header);
  append(value, length);
  return *this;
}

NetlinkRequest& NetlinkRequest::put(uint16_t type, std::string_view text) {
  std::vector<char> terminated(text.begin(), text.end());
  terminated.push_back('\0');
  return put(type, terminated.data(), terminated.size());
}

NetlinkRequest& NetlinkRequest::begin(uint16_t type) {
  open_.push_back(bytes_.size());
  return put(type, nullptr, 0);
}

NetlinkRequest& NetlinkRequest::end() {
  const size_t start = open_.back();
  open_.pop_back();
  const auto length = static_cast<uint16_t>(bytes_.size() - start);
  std::memcpy(bytes_.data() + start, &length, sizeof length);
  return *this;
}

wire::Bytes NetlinkRequest::finish(uint32_t sequence) {
  auto header = read_fixed<nlmsghdr>(bytes_);
  header.nlmsg_len = static_cast<uint32_t>(bytes_.size());
  header.nlmsg_seq = sequence;
  if (!is_dump()) header.nlmsg_flags |= NLM_F_ACK;
  std::memcpy(bytes_.data(), &header, sizeof header);
  return bytes_;
}

bool NetlinkRequest::is_dump() const {
  const auto header = read_fixed<nlmsghdr>(bytes_);
  const bool asks = (header.nlmsg_type & 3) == 2;  // the order of types: NEW, DEL, GET, SET
  return asks && (header.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
}

bool NetlinkSocket::open(uint32_t groups, Failure& failure) {
  socket_ = Descriptor(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket_) return fail(failure, "cannot open a netlink socket", errno);
  // Above net.core.rmem_max if the process may do that (CAP_NET_ADMIN), else up to that limit.
  const int size = notice_buffer;
  if (setsockopt(fd(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) {
    setsockopt(fd(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  }
  const int on = 1;
  setsockopt(fd(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  setsockopt(fd(), SOL_SOCKET, SO_RCVTIMEO, &longest_wait, sizeof longest_wait);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (bind(fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail(failure, "cannot bind a netlink socket", errno);
  }
  buffer_.resize(datagram_size);
  return true;
}

bool NetlinkSocket::send(NetlinkRequest& request) {
  const wire::Bytes bytes = request.finish(++sequence_);
  return ::send(fd(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
}

bool NetlinkSocket::ask(NetlinkRequest& request, const Visit& visit, Failure& failure) {
  if (!send(request)) return fail(failure, "cannot send a netlink request", errno);
  NetlinkAnswer answer(sequence_);
  for (;;) {
    const ssize_t length = recv(fd(), buffer_.data(), buffer_.size(), 0);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return fail(failure, "the kernel did not answer a netlink request", errno);
    if (!answer.take(wire::Bytes(buffer_.data(), static_cast<size_t>(length)), visit)) continue;
    return answer.error() == 0 || fail(failure, "the kernel refused a netlink request", answer.error());
  }
}

// The kernel marks the messages that it writes after the change. The last of all need not be among them.
bool NetlinkAnswer::take(wire::Bytes datagram, const Visit& visit) {
  for_each_message(datagram, [&](const NetlinkMessage& message) {
    if (message.header.nlmsg_seq != sequence_ || is_whole_) return;
    is_interrupted_ |= (message.header.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
    const uint16_t type = message.header.nlmsg_type;
    if (type != NLMSG_ERROR && type != NLMSG_DONE) return visit(message);
    // Both types begin with a negative errno. An acknowledgement is error 0.
    error_ = -read_fixed<int32_t>(message.body);
    if (error_ == 0 && is_interrupted_) error_ = EINTR;
    is_whole_ = true;
  });
  return is_whole_;
}

bool NetlinkSocket::receive(const Visit& visit) {
  bool is_whole = true;
  for (;;) {
    const ssize_t length = recv(fd(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (length < 0 && errno == ENOBUFS) {
      is_whole = false;
      continue;
    }
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return is_whole;
    for_each_message(wire::Bytes(buffer_.data(), static_cast<size_t>(length)), visit);
  }
}

}  // namespace sluice::host
