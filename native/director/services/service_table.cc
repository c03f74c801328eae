// SPDX-License-Identifier: Apache-2.0
#include "director/services/service_table.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <type_traits>

namespace sluice::director {

namespace {

constexpr uint8_t protocol_tcp = 6;
constexpr uint16_t ftp_port = 21;
constexpr uint16_t ftp_data_port = 20;
constexpr uint16_t first_unprivileged_port = 1024;

template <class Map, class Key>
void drop_from(Map& map, const Key& key, const Destination* destination) {
  const auto found = map.find(key);
  if (found == map.end()) return;
  std::erase(found->second, destination);
  if (found->second.empty()) map.erase(found);
}

// The key that a reply of a NAT real server has.
ServiceKey reply_key(uint8_t protocol, const wire::Address& address, uint16_t port) {
  ServiceKey key;
  key.protocol = protocol;
  key.address = address;
  key.port = port;
  return key;
}

// Only a tunnel carries a packet of one family to an address of the other.
bool is_reachable(const ServiceKey& key, const DestinationSettings& settings) {
  return settings.address.family == key.address.family || settings.forwarding == Forwarding::tunnel;
}

}  // namespace

Service::Service() = default;
Service::~Service() = default;

Counters Service::counters() const {
  Counters sum = counted_apart;
  for (const Destination* destination : destinations) sum += destination->counters;
  return sum;
}

size_t ServiceTable::KeyHash::operator()(const ServiceKey& key) const {
  const uint64_t rest = (uint64_t{key.mark} << 24) ^ (uint64_t{key.port} << 8) ^ key.protocol;
  return AddressHash{}(key.address) ^ static_cast<size_t>(rest * 0x9e3779b97f4a7c15ULL);
}

void update_overload(Destination& destination, int direction) {
  const uint32_t upper = destination.upper_threshold;
  if (upper == 0) {
    destination.overloaded = false;
    return;
  }
  const uint32_t lower = destination.lower_threshold != 0 ? destination.lower_threshold : upper - (upper >> 2);
  if (destination.total() >= (direction > 0 ? lower : upper)) {
    destination.overloaded = true;
  } else if (destination.total() < (direction < 0 ? upper : lower)) {
    destination.overloaded = false;
  }
}

void ServiceTable::reserve(size_t services, size_t real_servers) {
  services_.reserve(services);
  virtual_addresses_.reserve(services);
  removed_.reserve(services);
  nat_servers_.reserve(real_servers);
  tunnels_.reserve(real_servers);
  real_servers_.reserve(real_servers);
}

EditResult ServiceTable::bind_scheduler(Service& service, const ServiceSettings& settings) {
  auto scheduler = make_scheduler(settings.scheduler, {service.destinations, settings.scheduler_flags, random_});
  if (!scheduler) return EditResult::unknown_scheduler;
  service.scheduler = std::move(scheduler);
  service.scheduler->destinations_changed(nullptr);
  return EditResult::done;
}

// If the limit does not change, it keeps its state of the sources.
void ServiceTable::set_source_limit(Service& service, const SourceLimitSettings& settings) {
  SourceLimitOptions options;
  options.rate = settings.rate;
  options.burst = settings.burst;
  options.prefix = settings.prefix;
  options.seed = random_();
  service.source_limit = {};
  if (settings.rate == 0) return;
  if (service.key.address.family == wire::Family::ipv4) {
    service.source_limit.v4 = std::make_unique<SourceLimit<wire::Ipv4Address>>(options);
  } else {
    service.source_limit.v6 = std::make_unique<SourceLimit<wire::Ipv6Address>>(options);
  }
}

EditResult ServiceTable::add_service(const ServiceKey& key, const ServiceSettings& settings) {
  if (services_.contains(key)) return EditResult::service_exists;
  auto service = std::make_unique<Service>();
  service->key = key;
  service->settings = settings;
  const EditResult bound = bind_scheduler(*service, settings);
  if (bound != EditResult::done) return bound;
  set_source_limit(*service, settings.source_limit);
  if (key.mark != 0) {
    mark_services_++;
  } else {
    virtual_addresses_[key.address]++;
    if (key.port == 0) port_zero_services_++;
    if (key.port == ftp_port) ftp_services_++;
  }
  services_.emplace(key, std::move(service));
  return EditResult::done;
}

EditResult ServiceTable::edit_service(const ServiceKey& key, const ServiceSettings& settings) {
  Service* service = find(key);
  if (service == nullptr) return EditResult::no_such_service;
  // The same scheduler with the same flags keeps its place in its round.
  if (settings.scheduler != service->settings.scheduler ||
      settings.scheduler_flags != service->settings.scheduler_flags) {
    const EditResult bound = bind_scheduler(*service, settings);
    if (bound != EditResult::done) return bound;
  }
  if (settings.source_limit != service->settings.source_limit) set_source_limit(*service, settings.source_limit);
  service->settings = settings;
  return EditResult::done;
}

EditResult ServiceTable::remove_service(const ServiceKey& key) {
  const auto found = services_.find(key);
  if (found == services_.end()) return EditResult::no_such_service;
  Service& service = *found->second;
  while (!service.destinations.empty()) {
    Destination* last = service.destinations.back();
    service.destinations.pop_back();
    detach(*last);
  }
  if (const auto orphans = removed_.find(key); orphans != removed_.end()) {
    for (Destination* destination : orphans->second) destination->service = nullptr;
  }
  if (key.mark != 0) {
    mark_services_--;
  } else {
    if (--virtual_addresses_[key.address] == 0) virtual_addresses_.erase(key.address);
    if (key.port == 0) port_zero_services_--;
    if (key.port == ftp_port) ftp_services_--;
  }
  services_.erase(found);
  return EditResult::done;
}

Destination* ServiceTable::find_destination(const Service& service, const wire::Address& address, uint16_t port) const {
  for (Destination* destination : service.destinations) {
    if (destination->port == port && destination->address == address) return destination;
  }
  return nullptr;
}

Destination* ServiceTable::take_removed(const ServiceKey& key, const wire::Address& address, uint16_t port) {
  const auto found = removed_.find(key);
  if (found == removed_.end()) return nullptr;
  for (Destination* destination : found->second) {
    if (destination->port != port || !(destination->address == address)) continue;
    drop_from(removed_, key, destination);
    return destination;
  }
  return nullptr;
}

bool ServiceTable::has_flows(const ServiceKey& home, const wire::Address& address, uint16_t port,
                             Forwarding mode) const {
  const Service* const service = find(home);
  const Destination* const present = service == nullptr ? nullptr : find_destination(*service, address, port);
  if (present != nullptr) return present->flows_by_mode[static_cast<size_t>(mode)] != 0;
  const auto found = removed_.find(home);
  return found != removed_.end() && std::ranges::any_of(found->second, [&](const Destination* destination) {
           return destination->port == port && destination->address == address &&
                  destination->flows_by_mode[static_cast<size_t>(mode)] != 0;
         });
}

void ServiceTable::apply(Destination& destination, const DestinationSettings& settings) {
  forget(destination);
  destination.forwarding = settings.forwarding;
  destination.tunnel = settings.tunnel;
  destination.set_weight(settings.weight);
  destination.hop_generation = 0;
  const ServiceKey& key = destination.home;
  if (settings.forwarding == Forwarding::nat) {
    nat_servers_[reply_key(key.protocol, destination.address, destination.port)].push_back(&destination);
  } else if (settings.forwarding == Forwarding::tunnel) {
    tunnels_[destination.address].push_back(&destination);
  }
  const uint32_t upper = share_.of(settings.upper_threshold), lower = share_.of(settings.lower_threshold);
  if (destination.upper_threshold != upper || destination.lower_threshold != lower) {
    destination.upper_threshold = upper;
    destination.lower_threshold = lower;
    update_overload(destination, 0);
  }
}

// Removes the real server from the indexes by which packets find it.
void ServiceTable::forget(Destination& destination) {
  drop_from(nat_servers_, reply_key(destination.home.protocol, destination.address, destination.port), &destination);
  drop_from(tunnels_, destination.address, &destination);
}

EditResult ServiceTable::add_destination(const ServiceKey& key, const DestinationSettings& settings) {
  Service* service = find(key);
  if (service == nullptr) return EditResult::no_such_service;
  if (!is_reachable(key, settings)) return EditResult::family_mismatch;
  if (find_destination(*service, settings.address, settings.port)) return EditResult::destination_exists;
  Destination* destination = take_removed(key, settings.address, settings.port);
  if (destination == nullptr) {
    const uint32_t id = take_id();
    destination = &this->destination(id);
    destination->id = id;
    destination->address = settings.address;
    destination->port = settings.port;
    real_servers_[settings.address]++;
  }
  if (destination->service != service) service->proxy.half_open += destination->half_open;
  destination->service = service;
  destination->home = key;
  identify(*destination);
  destination->available = true;
  service->counted_apart -= destination->counters;
  apply(*destination, settings);
  service->destinations.insert(service->destinations.begin(), destination);
  service->scheduler->destinations_changed(nullptr);
  return EditResult::done;
}

EditResult ServiceTable::edit_destination(const ServiceKey& key, const DestinationSettings& settings) {
  Service* service = find(key);
  if (service == nullptr) return EditResult::no_such_service;
  Destination* destination = find_destination(*service, settings.address, settings.port);
  if (destination == nullptr) return EditResult::no_such_destination;
  if (!is_reachable(key, settings)) return EditResult::family_mismatch;
  apply(*destination, settings);
  service->scheduler->destinations_changed(nullptr);
  return EditResult::done;
}

EditResult ServiceTable::remove_destination(const ServiceKey& key, const wire::Address& address, uint16_t port) {
  Service* service = find(key);
  if (service == nullptr) return EditResult::no_such_service;
  Destination* destination = find_destination(*service, address, port);
  if (destination == nullptr) return EditResult::no_such_destination;
  std::erase(service->destinations, destination);
  service->scheduler->destinations_changed(destination);
  service->counted_apart += destination->counters;
  detach(*destination);
  return EditResult::done;
}

EditResult ServiceTable::order_destinations(const ServiceKey& key, const std::vector<DestinationSettings>& order) {
  Service* service = find(key);
  if (service == nullptr) return EditResult::no_such_service;
  // Each server is looked up once: the worker stands still meanwhile, and a service may have thousands of servers.
  std::unordered_map<ServiceKey, size_t, KeyHash> ranks(order.size());
  for (const DestinationSettings& settings : order) {
    ranks.try_emplace(reply_key(key.protocol, settings.address, settings.port), ranks.size());
  }
  std::vector<std::pair<size_t, Destination*>> ranked;
  ranked.reserve(service->destinations.size());
  for (Destination* destination : service->destinations) {
    const auto rank = ranks.find(reply_key(key.protocol, destination->address, destination->port));
    ranked.emplace_back(rank == ranks.end() ? ranks.size() : rank->second, destination);
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t i = 0; i < ranked.size(); i++) service->destinations[i] = ranked[i].second;
  service->scheduler->destinations_changed(nullptr);
  return EditResult::done;
}

// Called after the server has left its service's list: frees it, or keeps it for the flows that still point at it.
void ServiceTable::detach(Destination& destination) {
  forget(destination);
  destination.available = false;
  if (destination.flows == 0) {
    free(destination);
  } else {
    removed_[destination.home].push_back(&destination);
  }
}

void ServiceTable::release(Destination& destination) {
  if (--destination.flows > 0 || destination.available) return;
  drop_from(removed_, destination.home, &destination);
  free(destination);
}

static_assert(std::is_trivially_destructible_v<Destination>, "the registry's memory is given back as it is");

uint32_t ServiceTable::take_id() {
  if (!free_ids_.empty()) {
    const uint32_t id = free_ids_.back();
    free_ids_.pop_back();
    return id;
  }
  if (!registry_.reach(known_ids_ + 1)) std::abort();  // as `new` does without exceptions
  new (&registry_[known_ids_]) Destination();
  return known_ids_++;
}

void ServiceTable::identify(const Destination& destination) {
  if (!identities_ || destination.id >= identity_limit || !identities_->reach(destination.id + 1)) return;
  (*identities_)[destination.id] = {destination.home, destination.address, destination.port};
}

void ServiceTable::free(Destination& destination) {
  const uint32_t id = destination.id;
  if (--real_servers_[destination.address] == 0) real_servers_.erase(destination.address);
  this->destination(id) = Destination{};
  free_ids_.push_back(id);
}

Service* ServiceTable::find(const ServiceKey& key) const {
  const auto found = services_.find(key);
  return found == services_.end() ? nullptr : found->second.get();
}

Service* ServiceTable::find(uint8_t protocol, const wire::Address& address, uint16_t port, uint32_t mark) const {
  ServiceKey key;
  if (mark != 0 && mark_services_ > 0) {
    key.address.family = address.family;
    key.mark = mark;
    if (Service* service = find(key)) return service;
    key.mark = 0;
  }
  key.protocol = protocol;
  key.address = address;
  key.port = port;
  if (Service* service = find(key)) return service;
  if (protocol == protocol_tcp && ftp_services_ > 0 && (port == ftp_data_port || port >= first_unprivileged_port)) {
    key.port = ftp_port;
    if (Service* service = find(key)) return service;
  }
  if (port_zero_services_ == 0) return nullptr;
  key.port = 0;
  return find(key);
}

const Destination* ServiceTable::find_real_server(uint8_t protocol, const wire::Address& address, uint16_t port) const {
  // Servers of services by firewall mark accept every protocol: they are listed under protocol 0.
  for (const uint8_t listed : {protocol, uint8_t{0}}) {
    const auto found = nat_servers_.find(reply_key(listed, address, port));
    if (found != nat_servers_.end()) return found->second.front();
  }
  return nullptr;
}

const Destination* ServiceTable::find_tunnel(const wire::Address& address, Encapsulation encapsulation) const {
  const auto found = tunnels_.find(address);
  if (found == tunnels_.end()) return nullptr;
  for (const Destination* destination : found->second) {
    if (destination->tunnel.encapsulation == encapsulation) return destination;
  }
  return nullptr;
}

}  // namespace sluice::director
