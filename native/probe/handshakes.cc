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
// When the kernel's answer about a link-layer address is looked for first, and how seldom at last. A host on the link
// answers sooner than the first; the kernel gives up after some seconds.
constexpr Time first_look = 2'000'000, longest_look = 100'000'000;
// When a SYN is sent again that there was no room for.
constexpr Time send_again = 2'000'000;
constexpr uint16_t discard_port = 9;
// Room for the answers to thousands of SYNs, of some 800 bytes each as the kernel counts them.
constexpr int answer_buffer = 4 << 20;

// IPv4: SYN+ACK or RST that are no fragments, and ICMP of the type 3. Offsets count from the IP header.
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
  host::Descriptor socket(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
  // EPERM is what a firewall of this host says to a packet.
  if (!socket && errno == EPERM) errno = EACCES;
  return socket;
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
  if (!epoll_ || !frames_) return errno;
  if (host::Failure failure; !hops_.open(failure)) return failure.error;
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
  // Above net.core.rmem_max if the process may do that (CAP_NET_ADMIN), else up to that limit.
  if (setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &answer_buffer, sizeof answer_buffer) != 0) {
    setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &answer_buffer, sizeof answer_buffer);
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
  if (!reservation) return errno;
  if (bind(reservation.get(), any_port.get(), any_port.size()) != 0) {
    return errno == EADDRINUSE ? EADDRNOTAVAIL : errno;  // all ports are in use
  }
  pending.ends.local_port = SocketAddress::local_of(reservation.get()).port();

  const bool is_framed = pending.way.wrapping == Wrapping::none;
  if (const int error = is_framed ? begin_frame(id, pending, now) : send_syn(id, pending, now)) return error;
  by_port_.emplace(pending.ends.local_port, id);
  pending_.emplace(id, pending);
  return 0;
}

int Handshakes::begin_frame(Id id, Pending& pending, Time now) {
  const wire::Address server = pending.way.server.address();
  if (const auto found = waiting_.find(server); found != waiting_.end()) {
    found->second.ids.push_back(id);
    return 0;
  }
  if (const int error = hops_.find(server, pending.hop)) return error;
  const bool is_doubtful = pending.hop.state != host::NeighbourRecord::State::confirmed;
  const int unasked = is_doubtful ? ask_for_neighbour(pending.way.server) : 0;
  if (pending.hop.has_mac()) return send_syn(id, pending, now);
  if (unasked != 0) return unasked;
  waiting_.emplace(server, Waiting{pending.hop, {id}, first_look, now + first_look});
  return 0;
}

int Handshakes::send_syn(Id id, const Pending& pending, Time now) {
  const int error = send(pending, segment_of(pending.ends, wire::tcp_flag::syn, sequence_of(id)));
  if (error != EAGAIN && error != ENOBUFS) return error;
  if (unsent_.empty()) next_send_ = now + send_again;
  unsent_.push_back(id);
  return 0;
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

Time Handshakes::due() const {
  if (!answers_.empty()) return 1;  // long ago
  Time due = unsent_.empty() ? 0 : next_send_;
  for (const auto& [server, waiting] : waiting_) {
    if (due == 0 || waiting.next_look < due) due = waiting.next_look;
  }
  return due;
}

void Handshakes::collect(Time now, std::vector<Answer>& answers) {
  look_again(now);
  if (!unsent_.empty() && now >= next_send_) send_unsent(now);
  for (const host::Descriptor& socket : listeners_) {
    for (size_t packets = 0; packets < most_answers; packets++) {
      const ssize_t size = recv(socket.get(), buffer_.data(), buffer_.size(), 0);
      if (size <= 0) break;
      receive(wire::Bytes(buffer_).first(static_cast<size_t>(size)));
    }
  }
  for (; answers.size() < most_answers && !answers_.empty(); answers_.pop_front()) answers.push_back(answers_.front());
}

// As long as the kernel asks, it keeps no more than a few packets, so it is not asked again.
void Handshakes::look_again(Time now) {
  for (auto entry = waiting_.begin(); entry != waiting_.end();) {
    auto& [server, waiting] = *entry;
    if (now < waiting.next_look) {
      ++entry;
      continue;
    }
    int error = hops_.find(server, waiting.hop);
    if (error == 0 && waiting.hop.state == host::NeighbourRecord::State::failed) error = EHOSTUNREACH;
    std::erase_if(waiting.ids, [this](Id id) { return !pending_.contains(id); });
    if (error == 0 && !waiting.hop.has_mac() && !waiting.ids.empty()) {
      waiting.interval = std::min(2 * waiting.interval, longest_look);
      waiting.next_look = now + waiting.interval;
      ++entry;
      continue;
    }
    release(waiting, error, now);
    entry = waiting_.erase(entry);
  }
}

void Handshakes::release(const Waiting& waiting, int error, Time now) {
  for (const Id id : waiting.ids) {
    Pending& pending = pending_.at(id);
    pending.hop = waiting.hop;
    const int failed = error != 0 ? error : send_syn(id, pending, now);
    if (failed != 0) answers_.push_back({id, failed});
  }
}

void Handshakes::send_unsent(Time now) {
  const std::vector<Id> unsent = std::exchange(unsent_, {});
  for (const Id id : unsent) {
    const auto found = pending_.find(id);
    if (found == pending_.end()) continue;
    // Where there is no room for one, the others wait, too.
    if (!unsent_.empty()) {
      unsent_.push_back(id);
    } else if (const int error = send_syn(id, found->second, now)) {
      answers_.push_back({id, error});
    }
  }
}

void Handshakes::receive(wire::Bytes packet) {
  const auto found = arrived(packet);
  if (!found) return;
  const auto [first, last] = by_port_.equal_range(found->ends.local_port);
  const auto entry =
      std::find_if(first, last, [&](const auto& one) { return pending_.at(one.second).ends == found->ends; });
  if (entry == last) return;
  const Id id = entry->second;
  const uint32_t sequence = sequence_of(id);
  if (found->error != 0) {
    if (found->quoted_sequence == sequence) answers_.push_back({id, found->error});
    return;
  }
  const uint8_t ends_or_begins = wire::tcp_flag::rst | wire::tcp_flag::syn;
  if ((found->flags & wire::tcp_flag::ack) == 0 || found->acknowledgement != sequence + 1) return;
  if ((found->flags & ends_or_begins) == wire::tcp_flag::syn) {
    const Pending& pending = pending_.at(id);
    // The server would repeat its answer if the reset is lost; that harms nobody.
    static_cast<void>(send(pending, segment_of(pending.ends, wire::tcp_flag::rst, sequence + 1)));
    answers_.push_back({id, 0});
  } else if ((found->flags & wire::tcp_flag::rst) != 0) {
    answers_.push_back({id, ECONNREFUSED});
  }
}

}  // namespace sluice::probe
