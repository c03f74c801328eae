// SPDX-License-Identifier: Apache-2.0
// The life of flows: what they hold while they live (a real server, a template, a place in a pool) and when they end.
//
// A flow counts among its real server's active or inactive flows; a template counts among the persistent ones. A
// template outlives its time while it holds flows: then it is looked at again a minute later, as the kernel does.
#pragma once

#include "director/flows/flow_table.h"
#include "director/flows/spliced_flows.h"
#include "director/flows/trace.h"
#include "director/flows/verdict.h"
#include "director/pools/local_pools.h"
#include "director/services/service_table.h"

namespace sluice::director {

// The director's bits of Flow::flags. The forwarding mode has three of them.
namespace flow_flag {
inline constexpr uint16_t inactive = 0x0001;      // counts among its server's inactive flows
inline constexpr uint16_t no_output = 0x0002;     // no packet of the server has been seen
inline constexpr uint16_t one_packet = 0x0004;    // lives for one packet (ipvsadm -o)
inline constexpr uint16_t egress = 0x0008;        // opened by a server behind the NAT gateway; has no real server
inline constexpr uint16_t has_local = 0x0080;     // its local address and port are of the pool that `mark` names
inline constexpr uint16_t tells_client = 0x0100;  // TOA: the real server is still to learn the client's address
inline constexpr uint16_t spliced = 0x0200;       // its place among the spliced flows tells how its two ends differ
inline constexpr uint16_t announces = 0x0400;     // PROXY protocol: a header tells the real server the client's address
inline constexpr unsigned mode_shift = 4;
inline constexpr uint16_t mode_mask = 0x0070;
}  // namespace flow_flag

// How long a flow lives that has no state yet: until its first packet has one.
inline constexpr Time opening_time = 3 * second;

// A template's state: whether a flow that it opened was ever established.
namespace template_state {
inline constexpr uint8_t none = 0, assured = 1;
}

// What becomes of the template of a flow that ends, once nothing else holds it.
enum class Template : uint8_t {
  stays,             // until its time is over
  goes_if_unproven,  // unless a flow of its was ever established: flows that a defence drops
  goes,              // flows of a server that was removed
};

// The mode as a flow has it: 4 and above where the packet does not leave in the frame in which it came (tunnel, local).
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

  // Flows beyond which none is opened; the table has a limit of its own, by memory.
  void set_limit(uint32_t flows) { limit_ = flows; }

  FlowTable<A>& table() { return table_; }
  const FlowTable<A>& table() const { return table_; }

  // A flow, or template, that lives until `deadline`; nullptr where there is no room for it, and then its place in a
  // pool is free again. `destination` is nullptr for flows without a real server (egress).
  Flow<A>* open(const Flow<A>& flow, Destination* destination, Tick deadline) {
    Flow<A>* opened = begin(flow, destination, deadline);
    if (opened != nullptr) table_.list_reverse(*opened);
    return opened;
  }
  // The same, but for table().list_reverse(), which is left to the caller.
  Flow<A>* begin(const Flow<A>& flow, Destination* destination, Tick deadline);
  // It starts to count for its real server.
  void bind(Flow<A>& flow, Destination& destination);
  // It stops to count, lets go of its template and of its place in a pool. `fate` says what becomes of
  // the template where nothing else holds it.
  void release(Flow<A>& flow, Template fate = Template::stays);
  void hold_template(Flow<A>& flow, Flow<A>& control);

  // Puts a source for the flow's outgoing side, out of a pool, into flow.reverse. The flow remembers the edition of the
  // pool in its mark. Reason::scheduled, or why there is no such source.
  Reason take_local_port(uint32_t pool, Flow<A>& flow, Trace* trace);

  // Ends a flow before its time.
  void end(Flow<A>& flow, Template fate = Template::stays) {
    release(flow, fate);
    table_.erase(flow);
  }
  // The flow for a packet, unless its time is over.
  FoundFlow<A> find(uint64_t hash, const FlowKey<A>& key, Tick now);
  Flow<A>* find_template(const FlowKey<A>& key, Tick now);

  // A template that leads nowhere any more: no packet finds it, its time runs out.
  void retire_template(Flow<A>& control);

  void set_active(Flow<A>& flow, bool active);
  // Its state was half open and is no more (-1), or the other way round (+1). Flows that the SYN proxy has opened are
  // none of a flood's.
  void count_half_open(const Flow<A>& flow, int change);
  bool advance(Tick now, uint32_t budget);

  // From here on sweep() ends the flows whose real server was removed (expire_nodest_conn).
  void begin_sweep() { swept_ = 0; }
  // Looks at a part of the table; true when the sweep is done.
  bool sweep(uint32_t budget);

 private:
  bool on_due(Flow<A>& flow, Tick now);
  void release_local(const Flow<A>& flow);

  FlowTable<A> table_;
  ServiceTable& services_;
  LocalPools& pools_;
  SplicedFlows& spliced_;
  uint32_t limit_ = UINT32_MAX;
  uint32_t swept_ = UINT32_MAX;  // where the sweep is; it is done when this is past the table
};

// The keepers of both families: what a stage that handles both is given.
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
