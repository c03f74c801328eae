// SPDX-License-Identifier: Apache-2.0
#include "host/host_network.h"

#include <linux/neighbour.h>
#include <sys/socket.h>

#include <algorithm>

namespace sluice::host {

namespace {

// Short for a packet that waits for its neighbour; long enough that a routing daemon, which adds routes one by one,
// does not cause a new table for each route.
constexpr Time settle_interval = second / 50;

// The kernel calls a neighbour stale after about 30 seconds, and probes it again while it is used.
constexpr Time refresh_interval = 5 * second;

// The kernel itself asks three times, at intervals of a second.
constexpr Time ask_interval = second;

// Neighbours that are asked for and kept fresh: real servers, and clients on a link. While as many were asked for
// within refresh_interval, no other neighbour is asked for.
constexpr size_t most_asked = 4096;

// Number of attempts at a dump that changes interrupted. After that the table is used as it was read.
constexpr int dump_attempts = 4;

constexpr uint32_t heard_groups = RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                                  RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | uint32_t{1} << (RTNLGRP_NEXTHOP - 1);

bool is_followed(const RouteRecord& route) {
  if (route.kind == RouteRecord::Kind::local) return route.table == RT_TABLE_LOCAL;
  return route.table == RT_TABLE_MAIN || route.table == RT_TABLE_DEFAULT;
}

template <class Record, class Read>
bool dump_table(NetlinkSocket& socket, NetlinkRequest request, std::vector<Record>& records, Read read,
                Failure& failure) {
  for (int attempt = 1;; attempt++) {
    std::vector<Record> dumped;
    const auto visit = [&](const NetlinkMessage& message) {
      if (auto record = read(message)) dumped.push_back(std::move(*record));
    };
    const bool is_whole = socket.ask(request, visit, failure);
    if (!is_whole && (failure.error != EINTR || attempt < dump_attempts)) {
      if (failure.error == EINTR) continue;
      return false;
    }
    records = std::move(dumped);
    return true;
  }
}

}  // namespace

std::unique_ptr<HostNetwork> HostNetwork::open(std::vector<NetworkPort> ports, Changed changed, Time now,
                                               Failure& failure) {
  std::unique_ptr<HostNetwork> network(new HostNetwork(std::move(ports), std::move(changed)));
  // The socket for notices is opened before the dumps, so that no change in between is lost.
  if (!network->notices_.open(heard_groups, failure) || !network->questions_.open(0, failure)) return nullptr;
  network->dirty_ = links | addresses | routes | neighbours;
  if (!network->settle(now, failure)) return nullptr;
  return network;
}

bool HostNetwork::follow(Time now, Failure& failure) {
  if (!notices_.receive([this](const NetlinkMessage& message) { hear(message); })) {
    overruns_++;
    dirty_ = links | addresses | routes | neighbours;
  }
  if (now - refreshed_ >= refresh_interval) use_doubtful(now);
  return dirty_ == 0 || now - settled_ < settle_interval || settle(now, failure);
}

Time HostNetwork::due() const {
  return dirty_ != 0 ? settled_ + settle_interval : refreshed_ + refresh_interval;
}

void HostNetwork::hear(const NetlinkMessage& message) {
  switch (message.header.nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      // The routes of a link disappear with it, and the kernel sends no notice of that.
      dirty_ |= links | addresses | routes;
      return;
    case RTM_NEWADDR:
    case RTM_DELADDR:
      dirty_ |= addresses | routes;
      return;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
    case RTM_NEWNEXTHOP:
    case RTM_DELNEXTHOP:
      dirty_ |= routes;
      return;
    default:
      break;
  }
  auto heard = neighbour_of(message);
  if (!heard) return;
  const bool is_gone = message.header.nlmsg_type == RTM_DELNEIGH;
  const NeighbourKey key{heard->interface, heard->address};
  NeighbourRecord& known = tables_.neighbours[key];
  // A neighbour that has failed stays failed until it answers, also while it is asked again.
  if (known.state == NeighbourRecord::State::failed && !heard->has_mac() && !is_gone) return;
  const bool is_news =
      known.has_mac() != heard->has_mac() || !(known.mac == heard->mac) ||
      (known.state == NeighbourRecord::State::failed) != (heard->state == NeighbourRecord::State::failed);
  if (is_news) dirty_ |= some_neighbours;
  known = *heard;
  if (is_gone) tables_.neighbours.erase(key);
}

bool HostNetwork::settle(Time now, Failure& failure) {
  settled_ = now;
  if (!dump(dirty_, failure)) return false;
  dirty_ = 0;
  gateways_.clear();
  for (const RouteRecord& route : tables_.routes) {
    for (const RouteWay& way : route.ways) {
      if (!way.via.is_unspecified()) gateways_.insert({way.interface, way.via});
    }
  }
  route_table_ = std::make_shared<const director::RouteTable>(route_table_of(tables_, ports_));
  changed_(route_table_);
  return true;
}

bool HostNetwork::dump(uint8_t what, Failure& failure) {
  if ((what & links) != 0 &&
      !dump_table(questions_, {RTM_GETLINK, NLM_F_DUMP, ifinfomsg{}}, tables_.links, link_of, failure)) {
    return false;
  }
  if ((what & addresses) != 0 &&
      !dump_table(questions_, {RTM_GETADDR, NLM_F_DUMP, ifaddrmsg{}}, tables_.addresses, address_of, failure)) {
    return false;
  }
  if ((what & routes) != 0) {
    const auto read = [](const NetlinkMessage& message) {
      auto route = route_of(message);
      return route && is_followed(*route) ? route : std::nullopt;
    };
    if (!dump_table(questions_, {RTM_GETROUTE, NLM_F_DUMP, rtmsg{}}, tables_.routes, read, failure)) return false;
  }
  if ((what & neighbours) == 0) return true;
  std::vector<NeighbourRecord> records;
  if (!dump_table(questions_, {RTM_GETNEIGH, NLM_F_DUMP, ndmsg{}}, records, neighbour_of, failure)) return false;
  tables_.neighbours.clear();
  for (const NeighbourRecord& record : records) tables_.neighbours[{record.interface, record.address}] = record;
  return true;
}

void HostNetwork::resolve(director::PortId port, const wire::Address& next_hop, Time now) {
  const NeighbourKey key{interface(port), next_hop};
  if (key.interface == 0 || next_hop.is_unspecified()) return;
  if (asked_.size() >= most_asked && !asked_.contains(key)) {
    // Neighbours that were asked long ago have answered, or will never answer.
    std::erase_if(asked_, [now](const auto& entry) { return now - entry.second >= refresh_interval; });
    if (asked_.size() >= most_asked) return;
  }
  const auto [found, is_new] = asked_.try_emplace(key, now);
  if (!is_new && now - found->second < ask_interval) return;
  found->second = now;
  use(key);
}

// Has the same effect on the neighbour's entry as a packet that the host sends to it.
void HostNetwork::use(const NeighbourKey& key) {
  const bool is_ipv4 = key.address.family == wire::Family::ipv4;
  ndmsg fixed{};
  fixed.ndm_family = is_ipv4 ? AF_INET : AF_INET6;
  fixed.ndm_ifindex = static_cast<int>(key.interface);
  fixed.ndm_flags = NTF_USE;
  NetlinkRequest request(RTM_NEWNEIGH, NLM_F_CREATE, fixed);
  request.put(NDA_DST, key.address.bytes.data(), is_ipv4 ? 4 : 16);
  Failure ignored;  // the interface has disappeared, or the kernel's table is full: the neighbour is asked for again
  questions_.ask(request, ignored);
}

void HostNetwork::use_if_doubtful(const NeighbourKey& key) {
  const auto found = tables_.neighbours.find(key);
  if (found == tables_.neighbours.end()) return;
  const NeighbourRecord::State state = found->second.state;
  if (state == NeighbourRecord::State::stale || state == NeighbourRecord::State::failed) use(key);
}

void HostNetwork::use_doubtful(Time now) {
  refreshed_ = now;
  for (const auto& [key, when] : asked_) use_if_doubtful(key);
  for (const NeighbourKey& key : gateways_) use_if_doubtful(key);
}

std::vector<wire::Address> HostNetwork::host_addresses() const {
  std::vector<wire::Address> all;
  for (const AddressRecord& record : tables_.addresses) {
    if (record.is_usable) all.push_back(record.address);
  }
  return all;
}

uint32_t HostNetwork::interface(director::PortId port) const {
  const LinkRecord* link = port < ports_.size() ? tables_.link(ports_[port].interface) : nullptr;
  return link == nullptr ? 0 : link->index;
}

bool HostNetwork::is_up(director::PortId port) const {
  const LinkRecord* link = port < ports_.size() ? tables_.link(ports_[port].interface) : nullptr;
  return link != nullptr && link->is_up;
}

}  // namespace sluice::host
