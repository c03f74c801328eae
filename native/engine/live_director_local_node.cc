// SPDX-License-Identifier: Apache-2.0
// What the live director sets up for real servers that are this host (decision 17). It is made when the first such
// server is there, follows the ports, and stays until the process ends:
//
//   TUN device       by which the host's stack gets packets                                            every mode
//   egress programs  which bring back what the stack answers: at the ports, the loopback device        nat, fullnat
//                    and the TUN device
//   routes           to local addresses that the host has not, by the TUN device: else the stack       fullnat
//                    would look for their owner on the network
#include <net/if.h>

#include <algorithm>

#include "engine/host_port.h"
#include "engine/live_director.h"
#include "engine/ownership.h"

namespace sluice::engine {

bool LiveDirector::serve_local_node(Configurations configurations, host::Failure& failure) {
  const LocalNodes nodes = local_nodes_of(configurations, routes());
  if (!nodes.any) return true;
  if (!host_device_ && !open_host_device(failure)) return false;
  if (nodes.translated && !bring_replies_back(failure)) return false;
  return std::ranges::all_of(nodes.local_addresses, [&](const wire::Address& address) {
    return host_device_->add_route(address, smallest_mtu(), failure);
  });
}

bool LiveDirector::open_host_device(host::Failure& failure) {
  auto device = std::make_shared<host::TunDevice>();
  // Another process of this host may have one, and the one before this may not have ended yet.
  if (!device->open("sluice-" + std::to_string(getpid()), {}, failure, options_.tun_device)) return false;
  // Such a packet comes from a local address of a pool.
  if (!device->accept_own_sources(failure)) return false;
  host_device_ = std::move(device);
  for (const auto& worker : workers_) {
    DirectorWorker::Visit(*worker).replace_port(options_.interfaces.size(), std::make_unique<HostPort>(host_device_));
  }
  return true;
}

bool LiveDirector::bring_replies_back(host::Failure& failure) {
  host::HostReplyPrograms* const programs = steal_->host_replies(failure);
  if (programs == nullptr) {
    failure.message = "a real server that is this host itself, by nat or fullnat: " + failure.message +
                      "; use mode dr for it, or give sluice BPF (stealing tcx or clsact)";
    return false;
  }
  const auto way_by = [&](director::PortId port, bool has_link_header) {
    return host::HostReplyPrograms::Way{opened_[port], route_table_->ports()[port].mac, has_link_header};
  };
  const size_t before = programs->interfaces().size();
  std::optional<director::PortId> any;
  for (director::PortId port = 0; port < opened_.size(); port++) {
    if (opened_[port] == 0) continue;
    if (!any || (up_[port] && !up_[*any])) any = port;
    if (!programs->bring_back(opened_[port], way_by(port, true), failure)) return false;
  }
  const bool is_done = !any || (programs->bring_back(if_nametoindex("lo"), way_by(*any, true), failure) &&
                                programs->bring_back(host_device_->index(), way_by(*any, false), failure));
  if (!is_done) return false;
  if (before == 0) begin_to_expect(*programs);
  return programs->interfaces().size() == before || keep_links(failure);
}

// Flows that are there already: those of the process before, and those whose real server has become this host.
void LiveDirector::begin_to_expect(host::HostReplyPrograms& programs) {
  host::Failure ignored;  // told again with the next packet
  std::vector<director::HostReply> replies;
  for (size_t number = 0; number < workers_.size(); number++) {
    {
      const DirectorWorker::Visit stands_still(*workers_[number]);
      expected_replies_[number]->use(programs);
    }
    FlowCursor cursor;
    for (bool has_more = true; has_more; replies.clear()) {
      has_more = replies_to_expect(DirectorWorker::Visit(*workers_[number]).director(), cursor, replies);
      for (const director::HostReply& reply : replies) static_cast<void>(programs.expect(reply, ignored));
    }
  }
}

uint32_t LiveDirector::smallest_mtu() const {
  uint32_t smallest = UINT32_MAX;
  for (const director::Port& port : route_table_->ports()) smallest = std::min(smallest, port.mtu);
  return smallest;
}

}  // namespace sluice::engine
