// SPDX-License-Identifier: Apache-2.0
// A port whose frames are the packets of one kind of tunnel and one outer family. A socket takes them from the host's
// stack.
//
// The socket is an ordinary one: packets come after the stack has checked the outer header, reassembled fragments and
// applied the firewall. Because a socket takes them, the stack does not answer that it knows no such protocol or port.
// A raw socket receives an IP protocol, a UDP socket receives GUE's port. The network card or the stack may have joined
// the datagrams of a flow (UDP_GRO); then the frame's segmentation says so.
//
// A frame is the payload of the outer IP or UDP header, with a TunnelHead in front. Nothing is transmitted by such a
// port.
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
  std::string interface;  // on which packets arrive; empty: any
};

// What the host told about a packet. It stands in front of the frame's bytes.
struct TunnelHead {
  uint8_t protocol = 0;  // both as in Arrived
  uint8_t traffic_class = 0;
};

// The memory that batches are received into. The ports of one worker share it: the worker has finished a batch before
// it asks the next port for one.
class ReceiveBuffers {
 public:
  static constexpr size_t count = 32;

  ReceiveBuffers();

 private:
  friend class TunnelPort;
  // Room for the longest IP packet or UDP payload, and for the TunnelHead.
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

  // False with a failure. If the host does not have the address family, the errno of the failure is EAFNOSUPPORT.
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
