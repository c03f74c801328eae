// SPDX-License-Identifier: Apache-2.0
#include "probe/handshakes.h"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "wire/tcp.h"

namespace sluice::probe {

namespace {

// Of an answer no more is read than its headers and, of an ICMP error, a quoted SYN with two IP headers.
constexpr size_t most_read = 512;
// How soon the kernel's answer about a link-layer address is looked for. A host on the link answers in less.
constexpr Time look_interval = 2'000'000;
constexpr uint16_t discard_port = 9;

// IPv4: SYN+ACK or RST that are no fragments, and ICMP of the types 3 and 12. Offsets count from the IP header.
constexpr auto answers_ipv4 = std::to_array<sock_filter>({
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMP, 8, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 10),
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x3fff, 8, 0),
    BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
    BPF_STMT(BPF_LD | BPF_B | BPF_IND, 13),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x04, 6, 0),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x12, 4, 3),
    BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
    BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 3, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, 0),
    BPF_STMT(BPF_RET | BPF_K, most_read),
});

// IPv6 without extension headers: the same, and ICMPv6 of the types 1 and 4.
constexpr auto answers_ipv6 = std::to_array<sock_filter>({
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 5, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 7),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 40 + 13),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x04, 6, 0),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x12, 4, 3),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 40),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 2, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 4, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, 0),
    BPF_STMT(BPF_RET | BPF_K, most_read),
});

constexpr auto nothing = std::to_array<sock_filter>({BPF_STMT(BPF_RET | BPF_K, 0)});

bool set_filter(int socket, std::span<const sock_filter> filter) {
  const sock_fprog program = {static_cast<uint16_t>(filter.size()), const_cast<sock_filter*>(filter.data())};
  return setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

host::Descriptor open_socket(int family, int type, int protocol) {
  return host::Descriptor(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
}

// A datagram socket that is connected to the server's discard port. The kernel has then chosen the address that this
// host sends from.
host::Descriptor towards(const SocketAddress& server) {
  host::Descriptor socket = open_socket(server.family(), SOCK_DGRAM, 0);
  const auto discard = SocketAddress::of(server.address(), discard_port);
  if (socket && connect(socket.get(), discard.get(), discard.size()) != 0) return {};
  return socket;
}

int ask_for_neighbour(const SocketAddress& server) {
  const host::Descriptor socket = towards(server);
  return !socket || ::send(socket.get(), nullptr, 0, MSG_NOSIGNAL) < 0 ? errno : 0;
}

}  // namespace

int Handshakes::open() {
  epoll_ = host::Descriptor(epoll_create1(EPOLL_CLOEXEC));
  frames_ = open_socket(AF_PACKET, SOCK_DGRAM, 0);
  host::Failure failure;
  if (!epoll_ || !frames_ || !hops_.open(failure)) return errno;
  if (const int error = listen(ETH_P_IP)) return error;
  buffer_.resize(most_read);
  return listen(ETH_P_IPV6);
}

int Handshakes::listen(uint16_t ethertype) {
  // Nothing arrives before the socket has its filter and is bound.
  host::Descriptor socket = open_socket(AF_PACKET, SOCK_DGRAM, 0);
  sockaddr_ll at = {};
  at.sll_family = AF_PACKET;
  at.sll_protocol = htons(ethertype);
  epoll_event event = {};
  event.events = EPOLLIN;
  const auto filter = ethertype == ETH_P_IP ? std::span<const sock_filter>(answers_ipv4) : answers_ipv6;
  if (!socket || !set_filter(socket.get(), filter) ||
      bind(socket.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 ||
      epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket.get(), &event) != 0) {
    return errno;
  }
  listeners_.push_back(std::move(socket));
  return 0;
}

uint32_t Handshakes::sequence_of(Id id) const {
  return static_cast<uint32_t>(core::SipHash<2, 4>(key_).add(id).finish(0, sizeof id));
}

int Handshakes::begin(Id id, const Request& request, Time now, host::Descriptor& reservation) {
  Pending pending{.way = request.way};
  const host::Descriptor route = towards(request.way.server);
  if (!route) return errno;
  pending.ends.local = SocketAddress::local_of(route.get()).address();
  pending.ends.service = request.to.address();
  pending.ends.service_port = request.to.port();
  if (pending.ends.local.family != pending.ends.service.family) return EAFNOSUPPORT;
  const auto any_port = SocketAddress::of(pending.ends.local, 0);
  reservation = open_socket(any_port.family(), SOCK_STREAM, 0);
  if (!reservation || bind(reservation.get(), any_port.get(), any_port.size()) != 0) return errno;
  pending.ends.local_port = SocketAddress::local_of(reservation.get()).port();

  if (const int error = send_first(id, pending)) return error;
  by_port_.emplace(pending.ends.local_port, id);
  pending_.emplace(id, pending);
  if (waiting_.size() == 1) next_look_ = now + look_interval;
  return 0;
}

int Handshakes::send_first(Id id, Pending& pending) {
  if (pending.way.wrapping == Wrapping::none) {
    if (const int error = hops_.find(pending.way.server.address(), pending.hop)) return error;
    if (pending.hop.state != host::NeighbourRecord::State::confirmed) {
      if (const int error = ask_for_neighbour(pending.way.server)) return error;
    }
    if (!pending.hop.has_mac()) {
      waiting_.push_back(id);
      return 0;
    }
  }
  return send(pending, segment_of(pending.ends, wire::tcp_flag::syn, sequence_of(id)));
}

int Handshakes::send(const Pending& pending, const Packet& packet) {
  return pending.way.wrapping == Wrapping::none ? send_frame(pending.hop, pending.ends.service, packet)
                                                : send_wrapped(pending, packet);
}

int Handshakes::send_frame(const LinkHop& hop, const wire::Address& service, const Packet& packet) {
  sockaddr_ll to = {};
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(service.family == wire::Family::ipv4 ? ETH_P_IP : ETH_P_IPV6);
  to.sll_ifindex = static_cast<int>(hop.interface);
  to.sll_halen = wire::MacAddress::size;
  std::copy(hop.mac.bytes.begin(), hop.mac.bytes.end(), to.sll_addr);
  const auto* const address = reinterpret_cast<const sockaddr*>(&to);
  return sendto(frames_.get(), packet.data(), packet.size(), 0, address, sizeof to) < 0 ? errno : 0;
}

int Handshakes::send_wrapped(const Pending& pending, const Packet& packet) {
  const SocketAddress& server = pending.way.server;
  const Wrapped wrapped = wrap(packet, pending.way, pending.ends.local, pending.ends.local_port);
  host::Descriptor& socket = tunnels_[{server.family(), wrapped.protocol}];
  if (!socket) {
    host::Descriptor raw = open_socket(server.family(), SOCK_RAW, wrapped.protocol);
    // It is for sending only.
    if (!raw || !set_filter(raw.get(), nothing)) return errno;
    socket = std::move(raw);
  }
  const auto to = SocketAddress::of(server.address(), 0);
  const ssize_t sent = sendto(socket.get(), wrapped.payload.data(), wrapped.payload.size(), 0, to.get(), to.size());
  return sent < 0 ? errno : 0;
}

void Handshakes::end(Id id) {
  const auto found = pending_.find(id);
  if (found == pending_.end()) return;
  auto [first, last] = by_port_.equal_range(found->second.ends.local_port);
  by_port_.erase(std::find_if(first, last, [id](const auto& entry) { return entry.second == id; }));
  pending_.erase(found);
}

void Handshakes::collect(Time now, std::vector<Answer>& answers) {
  if (!waiting_.empty() && now >= next_look_) look_again(now, answers);
  for (const host::Descriptor& socket : listeners_) {
    for (size_t packets = 0; packets < most_answers && answers.size() < most_answers; packets++) {
      const ssize_t size = recv(socket.get(), buffer_.data(), buffer_.size(), 0);
      if (size <= 0) break;
      receive(wire::Bytes(buffer_).first(static_cast<size_t>(size)), answers);
    }
  }
}

// The exchanges whose server is not known yet stay. As long as the kernel asks, it keeps no more than a few packets, so
// it is not asked again.
void Handshakes::look_again(Time now, std::vector<Answer>& answers) {
  next_look_ = now + look_interval;
  std::vector<Id> still_waiting;
  for (const Id id : waiting_) {
    const auto found = pending_.find(id);
    if (found == pending_.end()) continue;
    Pending& pending = found->second;
    int error = hops_.find(pending.way.server.address(), pending.hop);
    if (error == 0 && pending.hop.state == host::NeighbourRecord::State::failed) error = EHOSTUNREACH;
    if (error == 0 && !pending.hop.has_mac()) {
      still_waiting.push_back(id);
      continue;
    }
    if (error == 0) error = send(pending, segment_of(pending.ends, wire::tcp_flag::syn, sequence_of(id)));
    if (error != 0) answers.push_back({id, error});
  }
  waiting_ = std::move(still_waiting);
}

void Handshakes::receive(wire::Bytes packet, std::vector<Answer>& answers) {
  const auto found = arrived(packet);
  if (!found) return;
  const auto [first, last] = by_port_.equal_range(found->ends.local_port);
  const auto entry =
      std::find_if(first, last, [&](const auto& one) { return pending_.at(one.second).ends == found->ends; });
  if (entry == last) return;
  const Id id = entry->second;
  const uint32_t sequence = sequence_of(id);
  if (found->error != 0) {
    if (found->quoted_sequence == sequence) answers.push_back({id, found->error});
    return;
  }
  const uint8_t ends_or_begins = wire::tcp_flag::rst | wire::tcp_flag::syn;
  if ((found->flags & wire::tcp_flag::ack) == 0 || found->acknowledgement != sequence + 1) return;
  if ((found->flags & ends_or_begins) == wire::tcp_flag::syn) {
    const Pending& pending = pending_.at(id);
    // The server would repeat its answer if the reset is lost; that harms nobody.
    static_cast<void>(send(pending, segment_of(pending.ends, wire::tcp_flag::rst, sequence + 1)));
    answers.push_back({id, 0});
  } else if ((found->flags & wire::tcp_flag::rst) != 0) {
    answers.push_back({id, ECONNREFUSED});
  }
}

}  // namespace sluice::probe
