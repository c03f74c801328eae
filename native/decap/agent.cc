// SPDX-License-Identifier: Apache-2.0
#include "decap/agent.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include "wire/protocol.h"

namespace sluice::decap {

bool Agent::open(host::Failure& failure) {
  alarm_ = host::Descriptor(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!alarm_) return fail(failure, "cannot make an eventfd", errno);
  // The device first: a name that is taken is another agent's, whose packets this one must not see.
  if (!device_.open(options_.device, options_.addresses, failure) || !open_sockets(failure)) {
    close();
    return false;
  }
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "decap");
  return true;
}

bool Agent::open_sockets(host::Failure& failure) {
  std::vector<TunnelSocketOptions> wanted;
  for (const auto family : {wire::Family::ipv4, wire::Family::ipv6}) {
    const auto want = [&](uint8_t protocol) {
      wanted.push_back({family, protocol, options_.gue_port, options_.interface});
    };
    if (options_.ipip) want(wire::protocol::ipip);
    if (options_.ipip) want(wire::protocol::ipv6);
    if (options_.gre) want(wire::protocol::gre);
    if (options_.gue_port != 0) want(wire::protocol::udp);
  }
  for (const TunnelSocketOptions& socket : wanted) {
    sockets_.emplace_back();
    if (sockets_.back().open(socket, failure)) continue;
    // A host without IPv6 gets none in tunnels of IPv6.
    if (socket.family != wire::Family::ipv6 || failure.error != EAFNOSUPPORT) return false;
    sockets_.pop_back();
  }
  return true;
}

void Agent::close() {
  if (thread_.joinable()) {
    eventfd_write(alarm_.get(), 1);
    thread_.join();
  }
  sockets_.clear();
  device_.close();
}

void Agent::run() {
  std::vector<pollfd> waits{{alarm_.get(), POLLIN, 0}};
  for (const TunnelSocket& socket : sockets_) waits.push_back({socket.fd(), POLLIN, 0});
  const TunnelSocket::Take give = [this](const Arrived& arrived) { take(arrived); };
  for (;;) {
    if (poll(waits.data(), waits.size(), -1) <= 0) continue;
    if (waits[0].revents != 0) return;
    uint64_t unreadable = 0, overflows = 0;
    for (size_t i = 0; i < sockets_.size(); i++) {
      if (waits[i + 1].revents != 0) sockets_[i].receive(buffers_, give, unreadable);
      overflows += sockets_[i].overflows();
    }
    count(Reason::bad_outer_header, unreadable);
    overflows_.store(overflows, std::memory_order_relaxed);
  }
}

void Agent::take(const Arrived& arrived) {
  const Inner inner = decapsulate(arrived, options_.addresses);
  if (inner.reason != Reason::delivered) {
    count(inner.reason);
  } else if (device_.write({inner.packet, inner.is_partial, inner.checksum_start, inner.checksum_offset})) {
    count(Reason::delivered);
  } else {
    count(Reason::refused);
    // EBADFD: removed; EIO: down.
    if (errno == EBADFD || errno == EIO) is_device_lost_.store(true, std::memory_order_relaxed);
  }
}

void Agent::count(Reason reason, uint64_t packets) {
  std::atomic<uint64_t>& counter = counts_[static_cast<size_t>(reason)];
  counter.store(counter.load(std::memory_order_relaxed) + packets, std::memory_order_relaxed);
}

Agent::Counts Agent::counts() const {
  Counts counts;
  for (size_t i = 0; i < reason_count; i++) counts[i] = counts_[i].load(std::memory_order_relaxed);
  return counts;
}

}  // namespace sluice::decap
