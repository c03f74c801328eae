// SPDX-License-Identifier: Apache-2.0
// The express lane: the packets of which most traffic consists, at a fraction of the full decision's cost.
//
// Theory of operation
//
// A batch is gone through four times, so that what one frame needs from memory is on its way while others are looked
// at. look_up() makes three passes: (1) read the headers, fetch the bucket of the flow; (2) read the bucket, fetch the
// flow; (3) read the flow, fetch the real server. forward() makes the fourth, in the order of the frames: it forwards
// packets until it comes to one that is not for the express lane. The director gives that packet the full decision and
// calls forward() again for the packets behind it.
//
// The express lane takes the packets that change nothing but counters, the flow's deadline and bytes of headers:
// packets of established TCP connections and of UDP flows, by NAT, FULLNAT, DR or a tunnel, in plain frames
// (wire/plain.h) that are whole, fit, and have a reachable next hop; checksums and segments may be left to a device. It
// makes no decision of its own. A packet of which anything at all is out of the ordinary stays untouched for the full
// decision, which handles every packet, these too, in the kernel's order. Only the full decision explains itself, so
// with a trace there is no express lane. The express lane comes before checks whose outcome is the same for all of its
// packets:
//
//   the full decision                    the express lane
//   flow due                             left to the full decision
//   bad IPv4 checksum, other MAC         left
//   starts_anew: SYN                     left, as FIN and RST: established and ACK stay established
//   server removed or overridden         left
//   no_output cleared by a reply         left, once
//   a template assured by UDP's reply    left: UDP flows with a template
//   TTL, MTU, route, neighbour, VLAN     left
//   tunnel: segments to cut, a checksum  left
//   over the tunnel's packet
//
// What (3) found counts only while the table of flows is as it was then: a full decision may change the table under the
// packets behind it, and forward() looks their flows up again.
//
// director_express_test.cc compares the express lane with the full decision on random packets.
#pragma once

#include <array>
#include <span>

#include "director/flows/flow_table.h"
#include "director/flows/verdict.h"
#include "director/outgoing/transmitter.h"
#include "director/services/service_table.h"
#include "director/stages/settings.h"
#include "director/states/timeouts.h"
#include "wire/packet.h"

namespace sluice::director {

using ReasonCounts = std::array<uint64_t, reason_count>;

// What the look-up yields of one frame.
struct LookedUp {
  enum class Lane : uint8_t { none, ipv4, ipv6 };

  struct Kind {
    Lane lane = Lane::none;     // on which the packet may still go
    bool has_key = false;       // it may have a flow of its own
    bool is_dissected = false;  // whether `packet` is filled in
    Direction direction = Direction::forward;
  };

  uint64_t hash = 0;                   // of the flow's key, if has_key
  const void* bucket = nullptr;        // of the hash
  void* flow = nullptr;                // of the packet's family: what the bucket names, until pass (3)
  Destination* destination = nullptr;  // of the flow, on either lane after pass (3)
  uint32_t length = 0;                 // of a plain frame's packet, without padding …
  uint32_t ports = 0;                  // … and its ports as Endpoints::ports() has them
  Kind kind;
  wire::Packet packet;
};

class ExpressLane {
 public:
  static constexpr uint32_t batch_size = 32;

  // Frames on their way through the express lane.
  struct Batch {
    std::span<Frame> frames;
    Decision* decisions;  // one a frame
    uint32_t cause;       // the number of the first frame, for TransmitQueue::Entry
    TransmitQueue& out;
    Time now;
    Tick tick, established_until, udp_until;
    uint32_t changes4, changes6;  // of the tables, when the flows were looked up
    const RouteTable& route_table;
  };

  ExpressLane(FlowTable<wire::Ipv4Address>& flows4, FlowTable<wire::Ipv6Address>& flows6, ServiceTable& services,
              Transmitter& transmitter, const Switches& switches, ReasonCounts& counts)
      : flows4_(flows4),
        flows6_(flows6),
        services_(services),
        transmitter_(transmitter),
        switches_(switches),
        counts_(counts) {}

  void set_timeouts(const Timeouts& timeouts) {
    established_ticks_ = ticks(timeouts.of(TcpState::established));
    udp_ticks_ = ticks(timeouts.of(UdpState::normal));
  }

  // Passes (1) to (3), of at most batch_size frames.
  Batch look_up(std::span<Frame> frames, Decision* decisions, uint32_t cause, Time now, TransmitQueue& out);
  // Pass (4): forwards the packets from number `at` on. Returns the number of the first that is left to the full
  // decision, or how many frames there are.
  uint32_t forward(const Batch& batch, uint32_t at);
  // For the full decision, dissected.
  const LookedUp& whole(const Frame& frame, uint32_t at) {
    if (!looked_up_[at].kind.is_dissected) dissect(frame, looked_up_[at]);
    return looked_up_[at];
  }
  // The same for a single frame that is not for the express lane.
  const LookedUp& look_up_for_decision(const Frame& frame);

 private:
  using Lane = LookedUp::Lane;
  // A frame in pass (4).
  struct Arrival {
    const Frame& frame;
    const LookedUp& found;
    Decision& decision;
    TransmitQueue::Entry& leaving;
    uint32_t cause;
  };
  template <class A>
  static constexpr Lane lane_of = A::family == wire::Family::ipv4 ? Lane::ipv4 : Lane::ipv6;

  template <class A>
  FlowTable<A>& table() {
    if constexpr (A::family == wire::Family::ipv4) {
      return flows4_;
    } else {
      return flows6_;
    }
  }

  // (1)
  template <class A>
  bool read_plain(const Frame& frame, LookedUp& found);
  void read_other(const Frame& frame, LookedUp& found);
  static void dissect(const Frame& frame, LookedUp& found);
  // (2)
  template <class A>
  bool fetch_flow(LookedUp& found);
  template <class A>
  void fetch_plain_flow(const Frame& frame, LookedUp& found);
  void fetch_other_flow(const Frame& frame, LookedUp& found);
  // (3)
  template <class A>
  void fetch_destination(const Frame& frame, LookedUp& found);
  template <class A>
  void find(const Frame& frame, LookedUp& found);
  void fetch_other_destination(const Frame& frame, LookedUp& found);
  // (4)
  template <class A>
  bool has_changed(const Batch& batch);
  template <class A>
  uint32_t forward_family(const Batch& batch, uint32_t at);
  template <class A, bool may_be_offloaded>
  uint32_t forward_run(const Batch& batch, uint32_t at);
  template <class A, Direction direction, bool is_tcp, bool may_be_offloaded>
  bool forward_packet(const Batch& batch, const Arrival& arrival);
  template <class A, bool is_tcp, bool may_be_offloaded>
  bool forward_by_tunnel(const Batch& batch, Arrival arrival, Flow<A>& flow, const NextHop& hop);
  template <class A, Direction direction, bool is_tcp>
  Frame& leave(const Batch& batch, const Arrival& arrival, Flow<A>& flow, const NextHop& hop, uint32_t length,
               uint8_t* bytes, uint32_t leaving_length);

  FlowTable<wire::Ipv4Address>& flows4_;
  FlowTable<wire::Ipv6Address>& flows6_;
  ServiceTable& services_;
  Transmitter& transmitter_;
  const Switches& switches_;
  ReasonCounts& counts_;
  Tick established_ticks_ = 0, udp_ticks_ = 0;      // how long flows live after a packet
  std::array<LookedUp, batch_size + 1> looked_up_;  // of the batch under way, and one that ends it
};

}  // namespace sluice::director
