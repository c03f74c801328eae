// SPDX-License-Identifier: Apache-2.0
// The host's links, addresses, routes and neighbours, as the kernel has them, made into the director's route table.
//
// Theory of operation. One netlink socket hears the kernel's notices, another asks. A notice of a link, an address or a
// route says only that its table is to be dumped again: what a dump says needs no knowledge of the order of changes, of
// routes that vanish with their link without a word, or of how siblings of one prefix are announced. Neighbours change
// all the time, one by one, and are followed by their notices. After an overrun everything is dumped again.
//
//   notices ─▶ follow() ─▶ what is dirty ─▶ settle: dump, build, call back
//
// Many changes at once (a routing daemon that starts) are one: between two settlements lies at least settle_interval.
// due() says when to come again. Routes are those of the tables main and local; policy routing is not followed.
//
// Neighbours. The kernel resolves, for the director only asks it to (NTF_USE). Packets that the director sends are not
// seen by the kernel's neighbour table, which would forget its entries, and would not notice that a host has gone:
// therefore gateways, and neighbours that were asked for with resolve(), are used every now and then while they are
// stale.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/time.h"
#include "director/network/route_table.h"
#include "host/failure.h"
#include "host/netlink.h"
#include "host/route_messages.h"

namespace sluice::host {

struct NetworkPort {
  std::string interface;  // its name; it may be missing, come, go and come back
  uint16_t vlan = 0;      // tag to put on what leaves
  bool cuts_tunnelled = false;
};

struct NeighbourKey {
  uint32_t interface = 0;
  wire::Address address;
  bool operator==(const NeighbourKey&) const = default;
};
struct NeighbourKeyHash {
  size_t operator()(const NeighbourKey& key) const { return director::AddressHash()(key.address) ^ key.interface; }
};

// All that was heard of the kernel's tables.
struct HostTables {
  std::vector<LinkRecord> links;
  std::vector<AddressRecord> addresses;
  std::vector<RouteRecord> routes;
  std::unordered_map<NeighbourKey, NeighbourRecord, NeighbourKeyHash> neighbours;

  const LinkRecord* link(const std::string& name) const;
};

// The route table of a director with these ports; the number of a port is its place. A port without a link that is up
// has no addresses, and no route goes there.
director::RouteTable route_table_of(const HostTables& tables, const std::vector<NetworkPort>& ports);

class HostNetwork {
 public:
  using Changed = std::function<void(std::shared_ptr<const director::RouteTable>)>;

  // Dumps everything and calls `changed` for the first time. nullptr with a failure.
  static std::unique_ptr<HostNetwork> open(std::vector<NetworkPort> ports, Changed changed, Time now, Failure& failure);

  // Readable when there are notices to follow.
  int fd() const { return notices_.fd(); }
  // Takes what has arrived, and settles when it is time. A failure leaves the route table as they were; it is tried
  // again.
  bool follow(Time now, Failure& failure);
  // When follow() has to be called though nothing has arrived.
  Time due() const;

  // Makes the kernel find out the link-layer address of a neighbour; answers come as changes. Repeated requests cost
  // nothing until it is time to ask again.
  void resolve(director::PortId port, const wire::Address& next_hop, Time now);

  std::shared_ptr<const director::RouteTable> route_table() const { return route_table_; }
  // All of the host's, on all interfaces: what is not to be stolen (OwnedTraffic::host_addresses).
  std::vector<wire::Address> host_addresses() const;
  // 0: there is no such interface now.
  uint32_t interface(director::PortId port) const;
  bool is_up(director::PortId port) const;
  uint64_t overruns() const { return overruns_; }

 private:
  // What has to be dumped again, or, of neighbours, only to be built again.
  enum Dirty : uint8_t { links = 1, addresses = 2, routes = 4, neighbours = 8, some_neighbours = 16 };
  HostNetwork(std::vector<NetworkPort> ports, Changed changed)
      : ports_(std::move(ports)), changed_(std::move(changed)) {}
  void hear(const NetlinkMessage& message);
  bool settle(Time now, Failure& failure);
  bool dump(uint8_t what, Failure& failure);
  void use_doubtful(Time now);
  void use_if_doubtful(const NeighbourKey& key);
  void use(const NeighbourKey& key);

  std::vector<NetworkPort> ports_;
  Changed changed_;
  NetlinkSocket notices_, questions_;
  HostTables tables_;
  uint8_t dirty_ = 0;
  Time settled_ = 0, refreshed_ = 0;
  uint64_t overruns_ = 0;
  std::unordered_map<NeighbourKey, Time, NeighbourKeyHash> asked_;  // → when last
  std::unordered_set<NeighbourKey, NeighbourKeyHash> gateways_;
  std::shared_ptr<const director::RouteTable> route_table_;
};

}  // namespace sluice::host
