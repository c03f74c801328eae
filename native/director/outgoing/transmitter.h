// SPDX-License-Identifier: Apache-2.0
// Sends packets: next hops, link headers, fragments and segments, and the ICMP errors that the director sends.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "director/flows/verdict.h"
#include "director/network/icmp_limit.h"
#include "director/network/route_table.h"
#include "director/outgoing/outgoing.h"
#include "director/outgoing/transit.h"
#include "director/services/service.h"

namespace sluice::director {

class Transmitter;

// The pieces of one packet until they leave, in the transmitter's memory. There is room for the pieces of any packet
// from the beginning, so that cutting a packet costs no allocation.
class Pieces : public PieceSink {
 public:
  explicit Pieces(Transmitter& transmitter);
  // Forgets the pieces of the previous packet.
  void begin(wire::Family family) {
    pieces_.clear();
    family_ = family;
    has_run_out_ = false;
  }
  uint8_t* next_piece(uint32_t length) override;
  std::span<IpPacket> all() { return pieces_; }
  // No memory was left for some pieces: the others are not the whole packet.
  bool has_run_out() const { return has_run_out_; }

 private:
  Transmitter& transmitter_;
  std::vector<IpPacket> pieces_;
  wire::Family family_ = wire::Family::ipv4;
  bool has_run_out_ = false;
};

class Transmitter {
 public:
  using Resolve = std::function<void(PortId, const wire::Address&)>;
  Transmitter(bool limits_icmp, Resolve resolve);
  Transmitter(const Transmitter&) = delete;
  Transmitter& operator=(const Transmitter&) = delete;

  void set_route_table(std::shared_ptr<const RouteTable> route_table) { route_table_ = std::move(route_table); }
  const RouteTable& route_table() const { return *route_table_; }
  // From now on the buffers of the last batch's own frames are used again.
  void begin_batch() { used_ = 0; }

  const NextHop& hop_to(Destination& destination, Time now) {
    if (destination.hop_generation != route_table_->generation()) [[unlikely]]
      refresh(destination, now);
    return destination.hop;
  }
  // A router has reported the path MTU to a real server (RFC 1191). The value is used for ten minutes.
  void narrow(Destination& destination, uint32_t mtu, Time now);
  template <class A>
  const NextHop& hop_to(const A& address) {
    const NextHop& hop = route_table_->way_to(address);
    if (hop.state != HopState::no_neighbour || !hop.next.is_unspecified()) [[likely]]
      return hop;
    unresolved_ = hop;
    unresolved_.next = address;
    return unresolved_;
  }

  // Sends an IP packet that lies in the frame's buffer (with room for a link header in front of it). A packet that is
  // longer than the MTU is cut into fragments, if that is allowed. The frame's VLAN tags stay if it leaves by the port
  // that received it. Returns nothing if the packet was sent, otherwise the reason why not.
  [[nodiscard]] std::optional<Reason> send(const Frame& frame, const wire::Packet& packet, const IpPacket& ip,
                                           const NextHop& hop, TransmitQueue& out);
  // Sends `receiver` an error about a packet, if one is allowed, with the rate limit of a host. `source`: if
  // unspecified, the address of this host on the route to the receiver. `frame` and `packet` caused the error.
  void send_error(const IpPacket& about, const IcmpError& error, const wire::Address& source,
                  const wire::Address& receiver, Time now, const Frame& frame, const wire::Packet& packet,
                  TransmitQueue& out);

  // Asks for the link-layer address of a next hop, at most once a second per next hop.
  void ask_neighbour(const NextHop& hop, Time now, const Frame& frame, const wire::Packet& packet, TransmitQueue& out);

  // Sends a gratuitous announcement of an address on the ports whose network holds it; if there is none, on all ports.
  void announce(const wire::Address& address, TransmitQueue& out);
  // Asks for the address on the ports whose network holds it, each time from the port's own address.
  void ask_for_owner(const wire::Address& address, TransmitQueue& out);

  // Sends an answer to a frame back by the same port. `payload` has room for a link header in front of it.
  void answer(const Frame& question, const wire::Packet& packet, uint8_t* payload, uint32_t length, uint16_t type,
              const wire::MacAddress& to, TransmitQueue& out);
  // Memory for a packet of the director's own, with room for headers in front of it; nullptr if the batch has used it
  // up.
  uint8_t* take_buffer(uint32_t length);
  uint16_t next_id() { return static_cast<uint16_t>(++id_); }

  // Limit of what one batch creates: 32 frames of 64 KiB cut into segments, twice.
  static constexpr size_t arena_size = 4 << 20;
  // Buffers begin at multiples of this.
  static constexpr size_t buffer_alignment = 64;
  static constexpr size_t smallest_buffer =
      (required_headroom + buffer_alignment) / buffer_alignment * buffer_alignment;
  static constexpr size_t most_buffers = arena_size / smallest_buffer;

 private:
  void refresh(Destination& destination, Time now);
  void push_resolution(PortId port, const wire::MacAddress& to, wire::Family family, uint8_t* payload, uint32_t length,
                       TransmitQueue& out);
  void push(const Frame& frame, const wire::Packet& packet, uint8_t* payload, uint32_t length, uint16_t type,
            const NextHop& hop, TransmitQueue& out);

  std::shared_ptr<const RouteTable> route_table_ = std::make_shared<RouteTable>();
  NextHop unresolved_;  // next hop without a link-layer address; valid until the next one is looked up
  IcmpLimit limit_;
  IcmpLimit questions_{1};
  bool limits_icmp_;
  Resolve resolve_;
  std::unique_ptr<uint8_t[]> arena_;
  size_t used_ = 0;
  Pieces fragments_{*this};
  uint32_t id_ = 0;  // IPv6 fragments carry all of it, IPv4 the lower half
};

}  // namespace sluice::director
