// SPDX-License-Identifier: Apache-2.0
// Local addresses and ports for FULLNAT and egress SNAT: it chooses the source that a flow has for its remote end.
//
// Theory of operation
//
// A pool has N places: every port of a range on every one of its addresses, less those of other workers (a worker has
// the ports with port % workers == worker, so that steering needs only the port). Not the place must be unique but the
// reply's tuple: protocol, remote address and port, local address and port. So one place serves any number of remote
// ends, and a remote end can have N flows at a time. The flow table knows every tuple in use and decides.
//
// Sparse remote ends (nearly all, for egress) cost no memory here. Two places are drawn at random and looked up in the
// flow table; for a remote end with u flows the first draw is taken with probability u/N. Random ports also make
// guessing harder for off-path attackers (RFC 6056).
//
// If both draws are taken, which for 64512 places happens at about 2300 flows (in general at the cube root of 3 N^2),
// the remote end is dense and gets a map: one bit per place, set if the place is known to be taken, with a summary of
// full words. A place that is free in the map is still looked up, because the map lacks flows from before it began; if
// the place is taken, the bit is set, so no place is found taken twice. In addition, every allocation looks up two more
// places in order: the map is complete after N/2 allocations, long before the remote end can be exhausted. From then on
// a free place is found whenever there is one, in one step of a scan over N/4096 words. The search begins at a random
// place, so a port that has just become free is no more likely to be next than the other free ones. A tuple is not used
// again while the remote end remembers it, because the flow's own TIME_WAIT holds its place.
//
//   flows to one remote end   0 ......... 2300 ............................. 64512
//                             two draws   map                                miss
//
// A miss is checked, too: a call that finds the map full looks up eight of its places in order. So the map recovers
// from flows that took a place without this pool (another pool with the same address) and ended without notice to this
// pool.
//
// A map takes N/8 bytes, between 2 and 16 bytes per flow. It is dropped when the remote end has fallen below N/256
// flows.
//
// Limits, each with a counter: maps (dense_limit; beyond it a remote end gets 64 draws), and lookups per call
// (check_limit: matters only to a remote end that has no map yet and is nearly exhausted, e.g. after set_addresses();
// the next call continues with what this call has learnt).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/reserved_array.h"
#include "director/flows/flow_table.h"
#include "director/services/scheduler.h"

namespace sluice::director {

struct PortPoolOptions {
  uint16_t first_port = 1024, last_port = 65535;
  uint16_t worker = 0, workers = 1;
  uint32_t dense_limit = 4096;  // remote ends with a map; mostly real servers
  uint8_t warn_percent = 80;    // of a remote end's places
};

template <class Address>
struct LocalEndpoint {
  Address address;
  uint16_t port = 0;
  bool operator==(const LocalEndpoint&) const = default;
};

// The remote end of the flow's outgoing side: real server (FULLNAT) or remote host (egress).
template <class Address>
struct RemoteEndpoint {
  Address address;
  uint16_t port = 0;
  uint8_t protocol = 0;
  bool operator==(const RemoteEndpoint&) const = default;
};

template <class Address>
struct AddressUse {
  Address address;
  bool draining = false;    // no longer in the pool's list, kept until its last flow ends
  uint64_t flows = 0;       // flows that have it as their source
  uint32_t used_ports = 0;  // by at least one flow
  uint32_t free_ports = 0;
};

struct PortPoolCounters {
  uint64_t allocated = 0;
  uint64_t released = 0;
  uint64_t misses = 0;    // no place was free for a remote end
  uint64_t gave_up = 0;   // of the misses: not all places were looked up (check_limit, or no map)
  uint64_t warnings = 0;  // a remote end exceeded warn_percent
  uint32_t dense = 0;     // remote ends that have a map now
};

template <class Address>
class PortPool {
 public:
  // `memory`: for the maps and the counters of ports.
  PortPool(std::span<const Address> addresses, const PortPoolOptions& options, RandomSource random,
           const core::MemorySource& memory);

  // Sets the pool's addresses. Removed addresses are not allocated any more; release() knows them until their flows
  // have ended. The others keep their counts. At most address_limit addresses are used.
  void set_addresses(std::span<const Address> addresses);

  // A source for a new flow to `remote`; nullopt if every place is taken. The place counts as used at once: insert the
  // flow into `flows`, or release() the place, before the next call.
  std::optional<LocalEndpoint<Address>> allocate(const FlowTable<Address>& flows,
                                                 const RemoteEndpoint<Address>& remote);
  // Takes the place for a flow that is inserted with it. False if the place does not belong to this pool.
  bool claim(const LocalEndpoint<Address>& local);
  // The flow that had the place has ended. Call it once per allocation, together with the flow's FlowTable::erase(),
  // without an allocate() in between.
  void release(const RemoteEndpoint<Address>& remote, const LocalEndpoint<Address>& local);

  std::vector<AddressUse<Address>> use() const;
  // The part of the places, 0 to 1, that one remote end has taken: of the remote end that has taken most, as far as its
  // map knows. 0 while no remote end has a map.
  double fullest() const;
  const PortPoolCounters& counters() const { return counters_; }
  uint32_t places() const { return places_; }
  size_t memory_bytes() const;

  // 256 x 64512 places: a map of 2 MiB per dense remote end.
  static constexpr uint32_t address_limit = 256;
  // With those that are draining. An address beyond it is not used.
  static constexpr uint32_t slot_limit = 16 * address_limit;

 private:
  struct LocalAddress {
    Address address;
    bool draining = false;
    uint64_t flows = 0;
    uint32_t used_ports = 0;
    uint32_t* port_flows = nullptr;  // indexed by port / workers; its slot in port_flows_
  };
  struct Dense {
    RemoteEndpoint<Address> remote;
    uint32_t map = 0;      // number of its map
    uint32_t taken = 0;    // number of set bits
    uint32_t checked = 0;  // places below this one were looked up since the map began
    uint32_t swept = 0;    // the next place that sweep() looks up
    bool warned = false;
    bool in_use = false;
  };

  static constexpr uint32_t nowhere = ~uint32_t{0};

  LocalEndpoint<Address> place_at(uint32_t place) const;
  uint32_t place_of(uint32_t address_index, uint16_t port) const;
  uint32_t index_of(const Address& address) const;
  uint32_t* take_slot();
  void count(uint32_t address_index, uint16_t port, bool begins);
  bool is_taken(const FlowTable<Address>& flows, const RemoteEndpoint<Address>& remote, uint32_t place) const;
  uint32_t draw() { return static_cast<uint32_t>(uint64_t{random_()} * places_ >> 32); }

  uint32_t find_place_by_draws(const FlowTable<Address>& flows, const RemoteEndpoint<Address>& remote, uint32_t draws);
  uint32_t find_place(const FlowTable<Address>& flows, const RemoteEndpoint<Address>& remote);
  uint32_t find_in_map(const FlowTable<Address>& flows, Dense& dense);
  uint32_t sweep(const FlowTable<Address>& flows, Dense& dense);

  uint64_t hash(const RemoteEndpoint<Address>& remote) const;
  Dense* find_dense(const RemoteEndpoint<Address>& remote);
  size_t dense_home(const RemoteEndpoint<Address>& remote) const { return hash(remote) & (dense_.size() - 1); }
  Dense* add_dense(const RemoteEndpoint<Address>& remote);
  void drop_dense(Dense* dense);

  uint64_t* map_words(const Dense& dense) const;
  bool is_marked(const Dense& dense, uint32_t place) const;
  void set_taken(Dense& dense, uint32_t place);
  void set_free(Dense& dense, uint32_t place);
  uint32_t next_free(const Dense& dense, uint32_t from) const;

  PortPoolOptions options_;
  RandomSource random_;
  uint64_t seed_[2];
  uint32_t ports_;      // of this worker, per address
  uint16_t first_own_;  // the first port of this worker
  uint32_t places_ = 0;
  uint32_t words_ = 0, summary_words_ = 0;  // length of a map
  std::vector<LocalAddress> addresses_;     // those in the list, in its order, then those that are draining
  uint32_t serving_ = 0;                    // number of addresses in the list
  std::vector<uint32_t> by_address_;        // indexes of addresses_, sorted by address

  // A slot of `ports_` counters for each address. The kernel clears the memory when a counter is first used: clearing
  // 256 KiB for an address would hold up the worker. When an address ends, all its counters are zero again.
  std::optional<core::ReservedArray<uint32_t>> port_flows_;
  uint32_t slots_begun_ = 0;
  std::vector<uint32_t*> free_slots_;

  std::vector<Dense> dense_;         // open addressing, linear probing, twice as many as dense_limit
  std::vector<uint32_t> free_maps_;  // capacity for all of them
  uint32_t maps_begun_ = 0;
  const core::MemorySource& memory_;
  std::optional<core::ReservedArray<uint64_t>> maps_;
  PortPoolCounters counters_;
};

extern template class PortPool<wire::Ipv4Address>;
extern template class PortPool<wire::Ipv6Address>;

}  // namespace sluice::director
