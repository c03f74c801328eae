// SPDX-License-Identifier: Apache-2.0
#include "port/xdp_port.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>

#include "port/device_facts.h"
#include "port/packet_socket.h"
#include "port/port_wait.h"
#include "wire/ethernet.h"
#include "wire/vlan.h"

namespace sluice::port {

namespace {

// The room that the kernel leaves before a received frame in its chunk (XDP_PACKET_HEADROOM).
constexpr uint32_t headroom = 256;
static_assert(headroom >= director::required_headroom);
// Chunks of half a page suffice for ordinary frames, and fewer of them compete for the same places in the CPU's caches.
// The kernel accepts no chunk larger than a page.
constexpr uint32_t small_chunk = 2048, large_chunk = 4096;
constexpr uint32_t link_header = wire::EthernetView::header_length + 2 * wire::VlanView::header_length;

// For all queues together: a burst of 2 ms at a million frames per second. A queue with fewer slots would overflow at
// its first burst.
constexpr uint32_t receive_slots = 2048, fewest_receive_slots = 512;
// Frames of other ports leave by the first queue. The other queues transmit only what they received: a few batches.
constexpr uint32_t transmit_slots = 1024, transmit_slots_of_others = 256;

}  // namespace

XdpPort::~XdpPort() {
  if (waiting_ >= 0) ::close(waiting_);
}

bool XdpPort::open(const XdpPortOptions& options) {
  int index = 0;
  if (!find_interface(options.interface, index, error_)) return false;
  const DeviceFacts facts = device_facts(options.interface);
  if (options.is_tagged && facts.strips_tags) {
    error_ = {PortFault::unsupported, options.interface + " takes VLAN tags off frames, and AF_XDP does not tell them",
              "leave it so, or have the device leave tags in frames (ethtool -K " + options.interface + " rxvlan off)"};
    return false;
  }
  longest_received_ = (facts.mtu + link_header <= small_chunk - headroom ? small_chunk : large_chunk) - headroom;
  longest_sent_ = longest_received_ + headroom;
  if (facts.mtu + link_header > longest_received_) {
    error_ = {
        PortFault::unsupported,
        "frames of the MTU " + std::to_string(facts.mtu) + " of " + options.interface + " are too long for AF_XDP",
        "set an MTU of at most " + std::to_string(large_chunk - headroom - link_header)};
    return false;
  }
  waiting_ = ::epoll_create1(EPOLL_CLOEXEC);
  const uint32_t queues = std::min(facts.receive_queues, most_queues);
  for (uint32_t queue = 0; queue < queues; ++queue) {
    if (!open_socket(options, index, queue, queues)) return false;
  }
  return true;
}

bool XdpPort::set_beside(std::unique_ptr<Port> ring) {
  beside_ = std::move(ring);
  return watch(beside_->fd());
}

bool XdpPort::open_socket(const XdpPortOptions& options, int interface_index, uint32_t queue, uint32_t queues) {
  XdpSocketOptions wanted;
  wanted.interface = options.interface;
  wanted.interface_index = interface_index;
  wanted.queue = queue;
  wanted.port = options.port;
  wanted.chunk_bytes = longest_sent_;
  wanted.receive_slots = std::max(std::bit_floor(receive_slots / queues), fewest_receive_slots);
  wanted.transmit_slots = queue == 0 ? transmit_slots : transmit_slots_of_others;
  wanted.transmit_chunks = wanted.transmit_slots;
  auto socket = std::make_unique<XdpSocket>();
  if (!socket->open(wanted)) {
    error_ = socket->error();
    return false;
  }
  sockets_.push_back(std::move(socket));
  return watch(sockets_.back()->fd());
}

bool XdpPort::watch(int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  if (::epoll_ctl(waiting_, EPOLL_CTL_ADD, fd, &event) == 0) return true;
  error_ = {PortFault::system, "cannot wait for several sockets at once", "", errno, "epoll_ctl"};
  return false;
}

std::vector<int> XdpPort::sockets() const {
  std::vector<int> all;
  for (const auto& socket : sockets_) all.push_back(socket->fd());
  return all;
}

size_t XdpPort::receive(std::span<director::Frame> frames) {
  release();
  size_t count = 0;
  for (size_t i = 0; i <= sockets_.size() && count < frames.size(); ++i) {
    const size_t turn = (first_ + i) % (sockets_.size() + 1);
    const std::span rest = frames.subspan(count);
    count += turn < sockets_.size() ? sockets_[turn]->receive(rest) : beside_->receive(rest);
  }
  first_ = (first_ + 1) % (sockets_.size() + 1);
  return count;
}

void XdpPort::release() {
  for (const auto& socket : sockets_) socket->release();
  beside_->release();
}

void XdpPort::transmit(const director::Frame& frame) {
  const bool is_complete =
      frame.checksum == director::TransportChecksum::complete && frame.segmentation == director::Segmentation::none;
  if (!is_complete || frame.length > longest_sent_) [[unlikely]] {
    turn_to(Way::beside);
    beside_->transmit(frame);
    return;
  }
  turn_to(Way::sockets);
  if (frame.length < wire::EthernetView::header_length || !socket_for(frame).transmit(frame)) [[unlikely]]
    ++send_failures_;
}

void XdpPort::turn_to(Way way) {
  if (unsent_ != way) [[unlikely]]
    flush();
  unsent_ = way;
}

XdpSocket& XdpPort::socket_for(const director::Frame& frame) {
  const auto owner = std::find_if(sockets_.begin(), sockets_.end(), [&](auto& one) { return one->owns(frame); });
  return owner == sockets_.end() ? *sockets_.front() : **owner;
}

void XdpPort::flush() {
  if (unsent_ == Way::sockets) {
    for (const auto& socket : sockets_) socket->flush();
  } else if (unsent_ == Way::beside) {
    beside_->flush();
  }
  unsent_ = Way::none;
}

bool XdpPort::prepare_to_wait() {
  bool is_quiet = beside_->prepare_to_wait();
  for (const auto& socket : sockets_) is_quiet &= socket->prepare_to_wait();
  return is_quiet;
}

PortStatistics XdpPort::statistics() {
  // A poll of fd() cannot tell an error of the ring from its frames. The error is cleared here and not after every
  // wait.
  forget_error(beside_->fd());
  PortStatistics all = beside_->statistics();
  for (const auto& socket : sockets_) all += socket->statistics();
  all.send_failures += send_failures_;
  return all;
}

}  // namespace sluice::port
