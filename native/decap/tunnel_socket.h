// SPDX-License-Identifier: Apache-2.0
// A socket that takes the packets of one tunnel and one outer family from the host's stack.
//
// It is the host's own: packets come after the stack has checked the outer header, put fragments together and asked the
// firewall; and because a socket takes them, the stack does not answer that it knows no such protocol or port. A raw
// socket takes an IP protocol, a UDP socket GUE's port, with the datagrams of a flow in one piece where the network
// card or the stack has put them together (UDP_GRO).
#pragma once

#include <netinet/in.h>

#include <functional>
#include <string>

#include "decap/decapsulate.h"
#include "host/descriptor.h"
#include "host/failure.h"

namespace sluice::decap {

struct TunnelSocketOptions {
  wire::Family family = wire::Family::ipv4;
  uint8_t protocol = 0;   // ipip, ipv6, gre; udp for GUE
  uint16_t port = 0;      // GUE's
  std::string interface;  // that packets arrive on; any where empty
};

// The memory that batches are received into, shared by the sockets of one thread.
class ReceiveBuffers {
 public:
  static constexpr size_t count = 32;

  ReceiveBuffers();

 private:
  friend class TunnelSocket;
  // The longest IP packet, or UDP payload. Before it there is room for what the TUN device wants before an inner packet
  // that begins where the payload does.
  static constexpr size_t length = 65536, headroom = 64;
  static constexpr size_t control_length = 128;  // traffic class, segment size and drops, with their headers

  std::vector<uint8_t> bytes_;
  std::vector<uint8_t> control_;
  std::vector<iovec> places_;
  std::vector<mmsghdr> messages_;
};

class TunnelSocket {
 public:
  using Take = std::function<void(const Arrived&)>;

  // False with a failure; where the host does not have the family, its errno is EAFNOSUPPORT.
  bool open(const TunnelSocketOptions& options, host::Failure& failure);
  // Hands on what has arrived, at most a batch; the bytes are the receiver's until the next call. Gives the number of
  // datagrams; `unreadable` grows by those that are none.
  size_t receive(ReceiveBuffers& buffers, const Take& take, uint64_t& unreadable);
  int fd() const { return socket_.get(); }
  // Datagrams that found no room in the socket: the agent was too slow.
  uint32_t overflows() const { return overflows_; }

 private:
  void take_message(const msghdr& message, size_t received, const Take& take, uint64_t& unreadable);

  host::Descriptor socket_;
  wire::Family family_ = wire::Family::ipv4;
  uint8_t protocol_ = 0;
  uint32_t overflows_ = 0;
};

}  // namespace sluice::decap
