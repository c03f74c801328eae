// SPDX-License-Identifier: Apache-2.0
// A port whose frames are the packets of one tunnel and one outer family, which a socket takes from the host's stack.
//
// The socket is the host's own: packets come after the stack has checked the outer header, put fragments together and
// asked the firewall; and because a socket takes them, the stack does not answer that it knows no such protocol or
// port. A raw socket takes an IP protocol, a UDP socket GUE's port, with the datagrams of a flow in one piece where the
// network card or the stack has put them together (UDP_GRO). Such a frame says so by its segmentation.
//
// A frame is what the outer IP or UDP header carries, with a TunnelHead in front. Nothing leaves by such a port.
#pragma once

#include <netinet/in.h>

#include <memory>
#include <string>
#include <vector>

#include "decap/decapsulate.h"
#include "host/descriptor.h"
#include "host/failure.h"
#include "port/port.h"

namespace sluice::decap {

struct TunnelSocketOptions {
  wire::Family family = wire::Family::ipv4;
  uint8_t protocol = 0;   // ipip, ipv6, gre; udp for GUE
  uint16_t port = 0;      // GUE's
  std::string interface;  // that packets arrive on; any where empty
};

// What the host has told of a packet. It stands in front of what the outer header carries.
struct TunnelHead {
  uint8_t protocol = 0;  // as Arrived has them
  uint8_t traffic_class = 0;
};

// The memory that batches are received into, shared by the ports of one worker: it has done with a batch before it asks
// the next port for one.
class ReceiveBuffers {
 public:
  static constexpr size_t count = 32;

  ReceiveBuffers();

 private:
  friend class TunnelPort;
  // The longest IP packet, or UDP payload, and room for the head before it.
  static constexpr size_t length = 65536, headroom = 16;
  static constexpr size_t control_length = 128;  // traffic class, segment size and drops, with their headers

  std::vector<uint8_t> bytes_;
  std::vector<uint8_t> control_;
  std::vector<iovec> places_;
  std::vector<mmsghdr> messages_;
};

class TunnelPort final : public port::Port {
 public:
  explicit TunnelPort(std::shared_ptr<ReceiveBuffers> buffers) : buffers_(std::move(buffers)) {}

  // False with a failure; where the host does not have the family, its errno is EAFNOSUPPORT.
  bool open(const TunnelSocketOptions& options, host::Failure& failure);

  size_t receive(std::span<director::Frame> frames) override;
  void release() override {}
  void transmit(const director::Frame&) override { counted_.send_failures++; }
  void flush() override {}
  int fd() const override { return socket_.get(); }
  bool prepare_to_wait() override { return true; }
  port::PortStatistics statistics() override { return counted_; }

 private:
  bool take_message(const msghdr& message, size_t received, director::Frame& frame);

  std::shared_ptr<ReceiveBuffers> buffers_;
  host::Descriptor socket_;
  wire::Family family_ = wire::Family::ipv4;
  uint8_t protocol_ = 0;
  port::PortStatistics counted_;
};

}  // namespace sluice::decap
