// SPDX-License-Identifier: Apache-2.0
#include "port/xdp_socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "port/packet_socket.h"
#include "port/partial_checksum.h"
#include "port/port_fault.h"
#include "wire/ethernet.h"

namespace sluice::port {

namespace {

// The kernel releases a queue some time after the previous socket was closed.
constexpr auto longest_wait_for_queue = std::chrono::seconds(2);
constexpr auto between_tries = std::chrono::milliseconds(5);

const char* remedy_of(int number) {
  switch (number) {
    case EPERM:
    case EACCES:
      return "run as root, or give the program CAP_NET_RAW, CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON";
    case ENOMEM:
    case ENOBUFS:
      return "raise the limit of locked memory (ulimit -l), or give the process CAP_IPC_LOCK";
    case EAFNOSUPPORT:
      return "use a kernel with CONFIG_XDP_SOCKETS";
    case EBUSY:
      return "end the program whose AF_XDP socket has the queue";
    default:
      return "";
  }
}

}  // namespace

XdpSocket::~XdpSocket() {
  if (fd_ >= 0) ::close(fd_);
}

bool XdpSocket::fail(const char* what, const char* call) {
  // A kernel that lacks the feature returns EINVAL.
  const PortFault fault = errno == EINVAL ? PortFault::unsupported : fault_of(errno);
  error_ = {fault, std::string("cannot ") + what, remedy_of(errno), errno, call};
  return false;
}

bool XdpSocket::open(const XdpSocketOptions& options) {
  port_ = options.port;
  receive_slots_ = options.receive_slots;
  transmit_slots_ = options.transmit_slots;
  fd_ = ::socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd_ < 0) return fail("open an AF_XDP socket", "socket");
  if (!set_up(options) || !map_rings(options)) return false;
  refill();
  return bind(options);
}

bool XdpSocket::set_up(const XdpSocketOptions& options) {
  if (!memory_.allocate(options.chunk_bytes, options.receive_slots + options.transmit_chunks))
    return fail("get memory for an AF_XDP socket", "mmap");
  xdp_umem_reg memory{};
  memory.addr = reinterpret_cast<uintptr_t>(memory_.data());
  memory.len = memory_.bytes();
  memory.chunk_size = memory_.chunk_bytes();
  const auto set = [this](int option, const auto& value) {
    return ::setsockopt(fd_, SOL_XDP, option, &value, sizeof value) == 0;
  };
  if (!set(XDP_UMEM_REG, memory)) return fail("share memory with the kernel for an AF_XDP socket", "setsockopt");
  // As many completions as frames can be in transmission.
  const bool has_rings = set(XDP_UMEM_FILL_RING, receive_slots_) && set(XDP_UMEM_COMPLETION_RING, transmit_slots_) &&
                         set(XDP_RX_RING, receive_slots_) && set(XDP_TX_RING, transmit_slots_);
  if (!has_rings) return fail("make the rings of an AF_XDP socket", "setsockopt");
  // Copied frames count towards the socket's buffer until they have been sent.
  if (::setsockopt(fd_, SOL_SOCKET, SO_SNDBUFFORCE, &socket_buffer_bytes, sizeof socket_buffer_bytes) != 0)
    static_cast<void>(::setsockopt(fd_, SOL_SOCKET, SO_SNDBUF, &socket_buffer_bytes, sizeof socket_buffer_bytes));
  return true;
}

bool XdpSocket::map_rings(const XdpSocketOptions& options) {
  xdp_mmap_offsets places{};
  socklen_t size = sizeof places;
  if (::getsockopt(fd_, SOL_XDP, XDP_MMAP_OFFSETS, &places, &size) != 0)
    return fail("find the rings of an AF_XDP socket", "getsockopt");
  if (size != sizeof places) {  // an older kernel: its rings have no flags
    error_ = {PortFault::unsupported, "AF_XDP sockets of this kernel are too old", "use Linux 5.18 or later"};
    return false;
  }
  const bool is_mapped = fill_.map(fd_, options.receive_slots, places.fr, XDP_UMEM_PGOFF_FILL_RING) &&
                         completion_.map(fd_, options.transmit_slots, places.cr, XDP_UMEM_PGOFF_COMPLETION_RING) &&
                         receive_.map(fd_, options.receive_slots, places.rx, XDP_PGOFF_RX_RING) &&
                         transmit_.map(fd_, options.transmit_slots, places.tx, XDP_PGOFF_TX_RING);
  return is_mapped || fail("map the rings of an AF_XDP socket", "mmap");
}

bool XdpSocket::bind(const XdpSocketOptions& options) {
  sockaddr_xdp address{};
  address.sxdp_family = AF_XDP;
  // Neither XDP_ZEROCOPY nor XDP_COPY: the kernel tries zero copy first, then copying.
  address.sxdp_flags = XDP_USE_NEED_WAKEUP;
  address.sxdp_ifindex = static_cast<uint32_t>(options.interface_index);
  address.sxdp_queue_id = options.queue;
  const auto end = std::chrono::steady_clock::now() + longest_wait_for_queue;
  while (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno != EBUSY || std::chrono::steady_clock::now() > end) {
      const std::string what =
          "bind an AF_XDP socket to queue " + std::to_string(options.queue) + " of interface " + options.interface;
      return fail(what.c_str(), "bind");
    }
    std::this_thread::sleep_for(between_tries);
  }
  xdp_options told{};
  socklen_t size = sizeof told;
  if (::getsockopt(fd_, SOL_XDP, XDP_OPTIONS, &told, &size) == 0)
    is_zero_copy_ = (told.flags & XDP_OPTIONS_ZEROCOPY) != 0;
  return true;
}

size_t XdpSocket::receive(std::span<director::Frame> frames) {
  release();
  const size_t wanted = std::min<size_t>(receive_.waiting(), frames.size());
  if (wanted == 0) return 0;
  size_t count = 0;
  for (size_t i = 0; i < wanted; ++i) {
    const xdp_desc frame = receive_.take();
    memory_.hold(frame.addr);
    if (frame.len < wire::EthernetView::header_length) [[unlikely]] {
      ++counts_.unreadable;
      continue;
    }
    uint8_t* const data = memory_.data() + frame.addr;
    complete_partial_checksum({data, frame.len});
    frames[count++] = director::Frame{.data = data, .length = frame.len, .port = port_};
    counts_.received_bytes += frame.len;
  }
  receive_.give_back();
  receiving_ -= static_cast<uint32_t>(wanted);
  counts_.received += count;
  return count;
}

void XdpSocket::release() {
  reap();
  memory_.release();
  refill();
}

// Gives the kernel as many chunks for received frames as the ring holds, less if too many chunks are in transmission.
void XdpSocket::refill() {
  if (receiving_ == receive_slots_ || memory_.is_empty()) return;
  do {
    fill_.put(memory_.take());
  } while (++receiving_ != receive_slots_ && !memory_.is_empty());
  fill_.publish();
  if (fill_.needs_wakeup()) wake_driver();
}

// A driver that found the fill ring empty looks again when it is told to.
void XdpSocket::wake_driver() {
  static_cast<void>(::recvfrom(fd_, nullptr, 0, MSG_DONTWAIT, nullptr, nullptr));
}

void XdpSocket::reap() {
  const uint32_t count = completion_.waiting();
  if (count == 0) return;
  for (uint32_t i = 0; i < count; ++i) memory_.is_sent(completion_.take());
  completion_.give_back();
  sending_ -= count;
}

bool XdpSocket::has_room() {
  return sending_ != transmit_slots_ && !transmit_.is_full() && !memory_.is_empty();
}

bool XdpSocket::transmit(const director::Frame& frame) {
  if (!has_room()) [[unlikely]] {
    send();
    reap();
    if (!has_room()) return false;
  }
  uint64_t address;
  if (memory_.can_send_from(frame.data, frame.length)) {
    address = static_cast<uint64_t>(frame.data - memory_.data());
  } else {
    address = memory_.take();
    std::memcpy(memory_.data() + address, frame.data, frame.length);
  }
  memory_.send(address);
  transmit_.put({address, frame.length, 0});
  ++sending_;
  ++counts_.transmitted;
  counts_.transmitted_bytes += frame.length;
  return true;
}

void XdpSocket::flush() {
  if (transmit_.unconsumed() != 0) send();
}

// A copying kernel sends some frames per call. Frames that it cannot take now stay in the ring until the next flush. A
// call that returns EBUSY has used up one frame, though the ring may not show it yet. So there are at most as many
// calls as the ring has slots.
void XdpSocket::send() {
  transmit_.publish();
  if (is_zero_copy_ && !transmit_.needs_wakeup()) return;
  uint32_t before = transmit_.unconsumed();
  for (uint32_t calls = 0; before != 0 && calls <= transmit_slots_; ++calls) {
    const bool is_done = ::sendto(fd_, nullptr, 0, MSG_DONTWAIT, nullptr, 0) >= 0;
    if (is_done && is_zero_copy_) return;
    const int error = is_done ? 0 : errno;
    // The device's queue was full, or the device is down: that one frame is lost.
    if (error == EBUSY && !is_zero_copy_) {
      ++counts_.send_failures;
      --counts_.transmitted;
    }
    if (error == ENOBUFS) reap();
    const uint32_t now = transmit_.unconsumed();
    if (now == before && error != EBUSY) return;  // the kernel may report the lost frames later
    before = now;
  }
}

bool XdpSocket::prepare_to_wait() {
  flush();
  if (fill_.needs_wakeup()) wake_driver();
  return receive_.waiting() == 0;
}

// If the kernel copies, rx_dropped counts the frames that found the fill ring empty. Otherwise the device counts them.
PortStatistics XdpSocket::statistics() {
  xdp_statistics kernel{};
  socklen_t size = sizeof kernel;
  PortStatistics all = counts_;
  if (::getsockopt(fd_, SOL_XDP, XDP_STATISTICS, &kernel, &size) == 0) {
    all.kernel_drops += kernel.rx_dropped + kernel.rx_ring_full;
    all.send_failures += kernel.tx_invalid_descs;
  }
  return all;
}

}  // namespace sluice::port
