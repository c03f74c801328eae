// SPDX-License-Identifier: Apache-2.0
// The way out: next hops, link headers, fragments and segments, and the ICMP errors that the director sends.
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

// Where the pieces of one packet lie until they leave, in the transmitter's memory. It has room for the pieces of any
// packet from the begin on, so that a packet that is cut costs no allocation.
class Pieces : public PieceSink {
 public:
  explicit Pieces(Transmitter& transmitter);
  // Forgets the pieces of the packet before.
  void begin(wire::Family family) {
    pieces_.clear();
    family_ = family;
    has_run_out_ = false;
  }
  uint8_t* next_piece(uint32_t length) override;
  std::span<IpPacket> all() { return pieces_; }
  // Some pieces found no memory: the others are not all of the packet.
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
  // Buffers of the frames that the director made for the last batch are used again from here on.
  void begin_batch() { used_ = 0; }

  const NextHop& hop_to(Destination& destination, Time now) {
    if (destination.hop_generation != route_table_->generation()) [[unlikely]]
      refresh(destination, now);
    return destination.hop;
  }
  // A router has said what the way to a real server carries (RFC 1191): believed for ten minutes.
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

  // Sends an IP packet that lies in the frame's buffer (with room for a link header before it): cut into fragments
  // where it is longer than the way carries and may be. The frame's VLAN tags stay on the port on which it came.
  // Nothing: it is on its way; otherwise why none of it is.
  [[nodiscard]] std::optional<Reason> send(const Frame& frame, const wire::Packet& packet, const IpPacket& ip,
                                           const NextHop& hop, TransmitQueue& out);
  // Tells `receiver` of an error about a packet, where one may be told, at the rate at which hosts are told of errors.
  // `source` unspecified: the address that this host has on the way there. `frame` and `packet` caused it.
  void send_error(const IpPacket& about, const IcmpError& error, const wire::Address& source,
                  const wire::Address& receiver, Time now, const Frame& frame, const wire::Packet& packet,
                  TransmitQueue& out);

  // Asks for the link-layer address of a next hop whose address is not known, at most once a second each.
  void ask_neighbour(const NextHop& hop, Time now, const Frame& frame, const wire::Packet& packet, TransmitQueue& out);

  // A gratuitous announcement of an address on the ports whose network holds it, or on all where none does.
  void announce(const wire::Address& address, TransmitQueue& out);
  // Asks for the address on the ports whose network holds it, each from the port's own address there.
  void ask_for_owner(const wire::Address& address, TransmitQueue& out);

  // An answer to a frame, back where it came from: `payload` has room for a link header before it.
  void answer(const Frame& question, const wire::Packet& packet, uint8_t* payload, uint32_t length, uint16_t type,
              const wire::MacAddress& to, TransmitQueue& out);
  // Memory for a packet of the director's own, with room for headers before it; nullptr when a batch has used it up.
  uint8_t* take_buffer(uint32_t length);
  uint16_t next_id() { return static_cast<uint16_t>(++id_); }

  // What one batch may make: 32 frames of 64 KiB cut into segments, twice over.
  static constexpr size_t arena_size = 4 << 20;
  // Buffers begin at multiples of it.
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
  NextHop unresolved_;  // the way to a host on a link whose link-layer address is not known, until the next one
  IcmpLimit limit_;
  IcmpLimit questions_{1};
  bool limits_icmp_;
  Resolve resolve_;
  std::unique_ptr<uint8_t[]> arena_;
  size_t used_ = 0;
  Pieces fragments_{*this};
  uint32_t id_ = 0;  // IPv6 fragments show all of it, IPv4 the lower half
};

}  // namespace sluice::director
