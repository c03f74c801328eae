// SPDX-License-Identifier: Apache-2.0
// The life of flows: what they hold while they live (a real server, a template, a place in a pool), and when they end.
//
// A flow counts as active or inactive at its real server; a template counts as persistent. A template whose time is
// over lives on while it holds flows: it is checked again a minute later, as in the kernel.
#pragma once

#include "director/flows/flow_table.h"
#include "director/flows/spliced_flows.h"
#include "director/flows/trace.h"
#include "director/flows/verdict.h"
#include "director/pools/local_pools.h"
#include "director/services/service_table.h"

namespace sluice::director {

// The director's bits of Flow::flags. Three bits are the forwarding mode.
namespace flow_flag {
inline constexpr uint16_t inactive = 0x0001;      // counts among its server's inactive flows
inline constexpr uint16_t no_output = 0x0002;     // no packet of the server has been seen
inline constexpr uint16_t one_packet = 0x0004;    // lives for one packet (ipvsadm -o)
inline constexpr uint16_t egress = 0x0008;        // opened by a server behind the NAT gateway; has no real server
inline constexpr uint16_t has_local = 0x0080;     // its local address and port belong to the pool that `mark` names
inline constexpr uint16_t tells_client = 0x0100;  // TOA: the real server has not yet got the client's address
inline constexpr uint16_t spliced = 0x0200;       // its place in SplicedFlows holds how its two ends differ
inline constexpr uint16_t announces = 0x0400;     // PROXY protocol: a header tells the real server the client's address
inline constexpr unsigned mode_shift = 4;
inline constexpr uint16_t mode_mask = 0x0070;
}  // namespace flow_flag

// How long a flow without a state lives, until its first packet sets one.
inline constexpr Time opening_time = 3 * second;

// A template's state: whether any of its flows was ever established.
namespace template_state {
inline constexpr uint8_t none = 0, assured = 1;
}

// What happens to the template of a flow that ends, if no other flow uses it.
enum class Template : uint8_t {
  stays,             // until its deadline
  goes_if_unproven,  // ends unless one of its flows was ever established: for flows that a defence ends
  goes,              // ends: for flows of a removed server
};

// The mode as a flow has it: 4 and above if the packet does not leave in the frame that it came in (tunnel, local).
inline constexpr uint16_t mode_bits(Forwarding forwarding) {
  const unsigned mode = static_cast<unsigned>(forwarding);
  return static_cast<uint16_t>((mode + (forwarding >= Forwarding::tunnel)) << flow_flag::mode_shift);
}

template <class A>
Forwarding forwarding_of(const Flow<A>& flow) {
  const unsigned mode = (flow.flags & flow_flag::mode_mask) >> flow_flag::mode_shift;
  return static_cast<Forwarding>(mode - (mode >= 4));
}

template <class A>
class FlowKeeper {
 public:
  FlowKeeper(const FlowTableOptions& options, ServiceTable& services, LocalPools& pools, SplicedFlows& spliced)
      : table_(options), services_(services), pools_(pools), spliced_(spliced) {}

  // Beyond this number no flow is opened. The table also has a limit of its own, by memory.
  void set_limit(uint32_t flows) { limit_ = flows; }

  FlowTable<A>& table() { return table_; }
  const FlowTable<A>& table() const { return table_; }

  // Opens a flow or a template that lives until `deadline`. nullptr if there is no room; then its place in a pool is
  // free again. `destination` is nullptr for flows without a real server (egress).
  Flow<A>* open(const Flow<A>& flow, Destination* destination, Tick deadline) {
    Flow<A>* opened = begin(flow, destination, deadline);
    if (opened != nullptr) table_.list_reverse(*opened);
    return opened;
  }
  // As open(), but the caller must call table().list_reverse().
  Flow<A>* begin(const Flow<A>& flow, Destination* destination, Tick deadline);
  // From now on the flow counts at its real server.
  void bind(Flow<A>& flow, Destination& destination);
  // The flow no longer counts, and releases its template and its place in a pool. `fate`: what happens to the template
  // if no other flow uses it.
  void release(Flow<A>& flow, Template fate = Template::stays);
  void hold_template(Flow<A>& flow, Flow<A>& control);

  // Takes a source for the flow's outgoing side from a pool and puts it into flow.reverse. The flow's mark becomes the
  // edition of the pool. Returns Reason::scheduled, or why there is no source.
  Reason take_local_port(uint32_t pool, Flow<A>& flow, Trace* trace);

  // Ends a flow before its deadline.
  void end(Flow<A>& flow, Template fate = Template::stays) {
    release(flow, fate);
    table_.erase(flow);
  }
  // The flow of a packet, unless the flow has expired.
  FoundFlow<A> find(uint64_t hash, const FlowKey<A>& key, Tick now);
  Flow<A>* find_template(const FlowKey<A>& key, Tick now);

  // For a template that leads to no server any more: no packet finds it, and it expires.
  void retire_template(Flow<A>& control);

  void set_active(Flow<A>& flow, bool active);
  // The flow's state is no longer half open (-1), or has become half open (+1). Flows that the SYN proxy has opened do
  // not count: they do not belong to a flood.
  void count_half_open(const Flow<A>& flow, int change);
  bool advance(Tick now, uint32_t budget);

  // From now on sweep() ends flows whose real server was removed (expire_nodest_conn).
  void begin_sweep() { swept_ = 0; }
  // Scans a part of the table. True when the sweep is complete.
  bool sweep(uint32_t budget);

 private:
  bool on_due(Flow<A>& flow, Tick now);
  void release_local(const Flow<A>& flow);

  FlowTable<A> table_;
  ServiceTable& services_;
  LocalPools& pools_;
  SplicedFlows& spliced_;
  uint32_t limit_ = UINT32_MAX;
  uint32_t swept_ = UINT32_MAX;  // position of the sweep; the sweep is complete when it is past the table
};

// The keepers of both families, for stages that handle both.
class FlowKeepers {
 public:
  FlowKeepers(FlowKeeper<wire::Ipv4Address>& v4, FlowKeeper<wire::Ipv6Address>& v6) : v4_(v4), v6_(v6) {}
  template <class A>
  FlowKeeper<A>& of() const {
    if constexpr (A::family == wire::Family::ipv4) {
      return v4_;
    } else {
      return v6_;
    }
  }

 private:
  FlowKeeper<wire::Ipv4Address>& v4_;
  FlowKeeper<wire::Ipv6Address>& v6_;
};

}  // namespace sluice::director
