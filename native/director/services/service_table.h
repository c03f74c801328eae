// SPDX-License-Identifier: Apache-2.0
// The director's virtual services and real servers: packets find them, edits change them.
//
// An edit costs only what it changes: a service or real server is found by its key, nothing else is touched, and flows
// keep pointing at their real server. A real server that is removed while flows point at it stays in the registry, but
// is no longer available. If it is added again meanwhile, it is the same object with its counts (as in the kernel's
// "trash").
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/reserved_array.h"
#include "core/share.h"
#include "director/services/scheduler.h"
#include "director/services/service.h"

namespace sluice::director {

struct DestinationSettings {
  wire::Address address;
  uint16_t port = 0;
  Forwarding forwarding = Forwarding::dr;
  Tunnel tunnel;
  int32_t weight = 1;
  uint32_t upper_threshold = 0;
  uint32_t lower_threshold = 0;
};

// Identifies a real server for another process that finds its number in a flow.
struct DestinationIdentity {
  ServiceKey home;
  wire::Address address;
  uint16_t port = 0;
};

// The result of an edit. The caller chooses ipvsadm's words for it.
enum class EditResult : uint8_t {
  done,
  service_exists,
  no_such_service,
  destination_exists,
  no_such_destination,
  unknown_scheduler,
  family_mismatch,
};

class ServiceTable {
 public:
  // `memory` holds the real servers. `identities` tells another process which real server has which number; nullptr:
  // none.
  ServiceTable(RandomSource random, const core::MemorySource& memory, const core::MemorySource* identities,
               const core::Share& share)
      : random_(std::move(random)), share_(share), registry_(registry_limit, false, memory) {
    if (identities != nullptr) identities_.emplace(identity_limit, false, *identities);
  }

  // From now on no other process sees changes.
  bool make_private() { return !identities_ || identities_->make_private(); }
  // Takes memory for the indexes of so many services and real servers, so that no later edit has to move all entries to
  // a larger index.
  void reserve(size_t services, size_t real_servers);
  EditResult add_service(const ServiceKey& key, const ServiceSettings& settings);
  EditResult edit_service(const ServiceKey& key, const ServiceSettings& settings);
  EditResult remove_service(const ServiceKey& key);
  EditResult add_destination(const ServiceKey& key, const DestinationSettings& settings);
  EditResult edit_destination(const ServiceKey& key, const DestinationSettings& settings);
  EditResult remove_destination(const ServiceKey& key, const wire::Address& address, uint16_t port);

  // Orders the service's list; settings stay. Servers that `order` does not name go to the end.
  EditResult order_destinations(const ServiceKey& key, const std::vector<DestinationSettings>& order);

  // The kernel's order of search: firewall mark, full address, FTP data of an FTP service, port 0.
  Service* find(uint8_t protocol, const wire::Address& address, uint16_t port, uint32_t mark) const;
  Service* find(const ServiceKey& key) const;
  // A server in a service's list; nullptr if there is none.
  Destination* find_destination(const Service& service, const wire::Address& address, uint16_t port) const;
  // Whether a service listens on the address: then the director answers for it on the network.
  bool is_virtual_address(const wire::Address& address) const { return virtual_addresses_.contains(address); }
  // Whether the address belongs to a real server of any service and mode.
  bool is_real_server(const wire::Address& address) const { return real_servers_.contains(address); }
  // Whether flows may still point at real servers of removed services, or at removed real servers.
  bool has_removed() const { return !removed_.empty(); }
  // Whether flows of that mode point at a real server that is or was in that service.
  bool has_flows(const ServiceKey& home, const wire::Address& address, uint16_t port, Forwarding mode) const;
  // A real server in NAT mode at that address and port, of any service; nullptr if there is none.
  const Destination* find_real_server(uint8_t protocol, const wire::Address& address, uint16_t port) const;
  // A real server behind a tunnel of that kind (ICMP errors about tunnelled packets only name its address).
  const Destination* find_tunnel(const wire::Address& address, Encapsulation encapsulation) const;

  Destination& destination(uint32_t id) { return registry_[id]; }
  const Destination& destination(uint32_t id) const { return registry_[id]; }

  // Flows hold and release their real server. When the last flow releases a removed server, the server is freed.
  void hold(Destination& destination) { destination.flows++; }
  void release(Destination& destination);
  // The number of its flows has changed, or its overload flag.
  void load_changed(const Destination& destination) {
    if (destination.available) destination.service->scheduler->load_changed(destination);
  }
  // One more (+1) or one less (-1) half-open flow.
  void count_half_open(Destination& destination, int change) {
    destination.half_open += static_cast<uint32_t>(change);
    if (destination.service != nullptr) destination.service->proxy.half_open += static_cast<uint32_t>(change);
  }

  template <class Visit>
  void for_each_service(Visit visit) const {
    for (const auto& entry : services_) visit(*entry.second);
  }
  template <class Visit>
  void for_each_virtual_address(Visit visit) const {
    for (const auto& entry : virtual_addresses_) visit(entry.first);
  }
  size_t service_count() const { return services_.size(); }
  // Those in services, and removed ones that flows still point at.
  template <class Visit>
  void for_each_destination(Visit visit) const {
    for (uint32_t id = 0; id < known_ids_; id++) {
      if (destination(id).id == id) visit(destination(id));
    }
  }

 private:
  struct KeyHash {
    size_t operator()(const ServiceKey& key) const;
  };

  Destination* take_removed(const ServiceKey& key, const wire::Address& address, uint16_t port);
  void apply(Destination& destination, const DestinationSettings& settings);
  void detach(Destination& destination);
  uint32_t take_id();
  void identify(const Destination& destination);
  void free(Destination& destination);
  void forget(Destination& destination);
  void set_source_limit(Service& service, const SourceLimitSettings& settings);
  EditResult bind_scheduler(Service& service, const ServiceSettings& settings);

  RandomSource random_;
  const core::Share share_;  // of the real servers' thresholds
  std::unordered_map<ServiceKey, std::unique_ptr<Service>, KeyHash> services_;
  std::unordered_map<wire::Address, uint32_t, AddressHash> virtual_addresses_;  // → number of services at the address
  std::unordered_map<ServiceKey, std::vector<Destination*>, KeyHash> nat_servers_;  // by protocol, address, port
  std::unordered_map<wire::Address, std::vector<Destination*>, AddressHash> tunnels_;
  std::unordered_map<wire::Address, uint32_t, AddressHash> real_servers_;  // → number of destinations at the address
  std::unordered_map<ServiceKey, std::vector<Destination*>, KeyHash> removed_;  // by the key of their former service
  // By number. Addresses are reserved for more real servers than a machine's memory holds.
  static constexpr uint32_t registry_limit = 1 << 24;
  core::ReservedArray<Destination> registry_;
  uint32_t known_ids_ = 0;  // smaller ids are in use or free
  std::vector<uint32_t> free_ids_;
  // Real servers with a larger id are not known to another process.
  static constexpr uint32_t identity_limit = 1 << 20;
  std::optional<core::ReservedArray<DestinationIdentity>> identities_;  // by number
  uint32_t mark_services_ = 0, port_zero_services_ = 0, ftp_services_ = 0;
};

// Updates the overload flag after a change of the number of flows or of a threshold. `direction`: +1 one more flow, -1
// one less, 0 a new threshold. Between the two thresholds the flag stays as it was.
void update_overload(Destination& destination, int direction);

}  // namespace sluice::director
