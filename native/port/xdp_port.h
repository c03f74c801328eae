// SPDX-License-Identifier: Apache-2.0
// A port on a network interface by way of AF_XDP: frames come from the driver, before the kernel has made anything of
// them.
//
// Theory of operation
//
//   device ─▶ program in the driver ─▶ an AF_XDP socket for each receive queue ─▶ receive()
//                       └─ passed ─▶ the kernel's ordinary way ─▶ packet ring ─▶ receive()
//
//   transmit() ─▶ a complete frame that fits in a chunk ─▶ AF_XDP
//             └─▶ all others                            ─▶ packet ring
//
// The program (steal_xdp in native/bpf/steal.bpf.c) takes what is the director's alone. Everything else takes the way
// that it takes without AF_XDP, and a packet ring stands beside the sockets for what of it concerns the director: what
// the host is to see too, what was sent to a group, what came on a queue without a socket, what is too long for a
// chunk. It also sends what AF_XDP cannot: checksums and segments that are left to a device (frames that came on
// another port), and jumbo frames. So there is nothing that a port of this kind cannot do, and no setting of a device
// that it needs changed.
//
// Each queue has memory of its own. A frame that leaves by the port that it came on does so from where it lies; one
// that came on another port is copied, as into a packet ring.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "port/port.h"
#include "port/xdp_socket.h"

namespace sluice::port {

// Of a device with more, those beyond reach the packet ring.
inline constexpr uint32_t most_queues = 64;

struct XdpPortOptions {
  std::string interface;
  director::PortId port = 0;  // in the frames received
  bool is_tagged = false;     // its frames have VLAN tags, and must keep them
};

class XdpPort final : public Port {
 public:
  XdpPort() = default;
  XdpPort(const XdpPort&) = delete;
  XdpPort& operator=(const XdpPort&) = delete;
  ~XdpPort() override;

  // False with error(). Nothing comes by AF_XDP before a program redirects to sockets().
  bool open(const XdpPortOptions& options);
  // The packet ring of the same interface, before anything is asked of the port. False with error().
  bool set_beside(std::unique_ptr<Port> ring);
  const PortError& error() const { return error_; }

  // By the number of their queue.
  std::vector<int> sockets() const;
  uint32_t longest_received() const { return longest_received_; }
  bool is_zero_copy() const { return sockets_.front()->is_zero_copy(); }

  size_t receive(std::span<director::Frame> frames) override;
  void release() override;
  void transmit(const director::Frame& frame) override;
  void flush() override;
  int fd() const override { return waiting_; }
  bool prepare_to_wait() override;
  PortStatistics statistics() override;

 private:
  enum class Way : uint8_t { none, sockets, beside };

  bool open_socket(const XdpPortOptions& options, int interface_index, uint32_t queue, uint32_t queues);
  bool watch(int fd);
  // Frames leave in their order: what waits on the other way goes first.
  void turn_to(Way way);
  XdpSocket& socket_for(const director::Frame& frame);

  PortError error_;
  std::vector<std::unique_ptr<XdpSocket>> sockets_;
  std::unique_ptr<Port> beside_;
  uint32_t longest_received_ = 0, longest_sent_ = 0;
  size_t first_ = 0;  // whose turn it is to be looked at first: a socket's, or behind them the ring's
  Way unsent_ = Way::none;
  uint64_t send_failures_ = 0;
  int waiting_ = -1;  // an epoll of all of them
};

}  // namespace sluice::port
