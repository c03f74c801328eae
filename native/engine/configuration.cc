// SPDX-License-Identifier: Apache-2.0
#include "engine/configuration.h"

#include <algorithm>

namespace sluice::engine {

namespace {

using director::DestinationSettings, director::EditResult, director::Forwarding, director::ServiceKey;

std::optional<Configuration::Refusal> refused(EditResult result) {
  return Configuration::Refusal{std::string(text_of(result)), {}};
}

bool is_scheduler(std::string_view name) {
  const auto names = director::scheduler_names();
  return std::find(names.begin(), names.end(), name) != names.end();
}

// As in service_table.cc: only a tunnel carries a packet of one family to an address of the other.
bool is_reachable(const ServiceKey& key, const DestinationSettings& server) {
  return server.address.family == key.address.family || server.forwarding == Forwarding::tunnel;
}

auto find_server(auto& servers, const wire::Address& address, uint16_t port) {
  return std::find_if(servers.begin(), servers.end(), [&](const DestinationSettings& server) {
    return server.port == port && server.address == address;
  });
}

// Flows of other modes have no replies or errors that must be kept from the host.
bool is_seen_from(Forwarding forwarding) {
  return forwarding == Forwarding::nat || forwarding == Forwarding::tunnel;
}

}  // namespace

size_t Configuration::KeyHash::operator()(const ServiceKey& key) const {
  const uint64_t rest = (uint64_t{key.mark} << 24) ^ (uint64_t{key.port} << 8) ^ key.protocol;
  return director::AddressHash{}(key.address) ^ static_cast<size_t>(rest * 0x9e3779b97f4a7c15ULL);
}

std::optional<Configuration::Refusal> Configuration::apply(const PlanStep& step) {
  return std::visit([this](const auto& one) { return change(one); }, step);
}

const Configuration::Entry* Configuration::find(const ServiceKey& key) const {
  const auto found = services_.find(key);
  return found == services_.end() || found->second->is_removed ? nullptr : found->second.get();
}

Configuration::Entry* Configuration::own(const ServiceKey& key) {
  const auto found = services_.find(key);
  return found == services_.end() || found->second->is_removed ? nullptr : &own(found->second);
}

Configuration::Entry& Configuration::own(std::shared_ptr<Entry>& entry) {
  if (entry.use_count() > 1) entry = std::make_shared<Entry>(*entry);
  entry->derived = {};
  return *entry;
}

void Configuration::remember(Entry& entry, const DestinationSettings& server) {
  if (!is_seen_from(server.forwarding)) return;
  const ServiceKey& home = entry.service.key;
  const Destination removed = {home, server.address, server.port, server.forwarding};
  with_removed_.insert(home);
  if (std::ranges::find(entry.removed, removed) == entry.removed.end()) entry.removed.push_back(removed);
}

void Configuration::forget(Entry& entry, const Destination& destination) {
  std::erase(entry.removed, destination);
  if (entry.removed.empty()) with_removed_.erase(entry.service.key);
}

Configuration::Edit Configuration::change(const AddService& step) {
  if (find(step.key) != nullptr) return refused(EditResult::service_exists);
  if (!is_scheduler(step.settings.scheduler)) return refused(EditResult::unknown_scheduler);
  std::shared_ptr<Entry>& place = services_[step.key];
  if (place == nullptr) place = std::make_shared<Entry>();
  Entry& entry = own(place);
  entry.service = {step.key, step.settings};
  entry.is_removed = false;
  return std::nullopt;
}

Configuration::Edit Configuration::change(const EditService& step) {
  Entry* const entry = own(step.key);
  if (entry == nullptr) return refused(EditResult::no_such_service);
  if (!is_scheduler(step.settings.scheduler)) return refused(EditResult::unknown_scheduler);
  entry->service.settings = step.settings;
  return std::nullopt;
}

Configuration::Edit Configuration::change(const RemoveService& step) {
  Entry* const entry = own(step.key);
  if (entry == nullptr) return refused(EditResult::no_such_service);
  for (const DestinationSettings& server : entry->servers) remember(*entry, server);
  entry->servers.clear();
  entry->is_removed = true;
  if (entry->removed.empty()) services_.erase(step.key);
  return std::nullopt;
}

Configuration::Edit Configuration::change(const AddServer& step) {
  Entry* const entry = own(step.key);
  if (entry == nullptr) return refused(EditResult::no_such_service);
  if (!is_reachable(step.key, step.settings)) return refused(EditResult::family_mismatch);
  auto& servers = entry->servers;
  if (find_server(servers, step.settings.address, step.settings.port) != servers.end()) {
    return refused(EditResult::destination_exists);
  }
  servers.push_back(step.settings);
  forget(*entry, {step.key, step.settings.address, step.settings.port, step.settings.forwarding});
  return std::nullopt;
}

Configuration::Edit Configuration::change(const EditServer& step) {
  Entry* const entry = own(step.key);
  if (entry == nullptr) return refused(EditResult::no_such_service);
  const auto server = find_server(entry->servers, step.settings.address, step.settings.port);
  if (server == entry->servers.end()) return refused(EditResult::no_such_destination);
  if (!is_reachable(step.key, step.settings)) return refused(EditResult::family_mismatch);
  if (server->forwarding != step.settings.forwarding) remember(*entry, *server);
  forget(*entry, {step.key, step.settings.address, step.settings.port, step.settings.forwarding});
  *server = step.settings;
  return std::nullopt;
}

Configuration::Edit Configuration::change(const RemoveServer& step) {
  Entry* const entry = own(step.key);
  if (entry == nullptr) return refused(EditResult::no_such_service);
  const auto server = find_server(entry->servers, step.address, step.port);
  if (server == entry->servers.end()) return refused(EditResult::no_such_destination);
  remember(*entry, *server);
  entry->servers.erase(server);
  return std::nullopt;
}

Configuration::Edit Configuration::change(const OrderServers& step) {
  return find(step.key) == nullptr ? refused(EditResult::no_such_service) : std::nullopt;
}

Configuration::Edit Configuration::change(const ZeroCounters& step) {
  return find(step.key) == nullptr ? refused(EditResult::no_such_service) : std::nullopt;
}

Configuration::Edit Configuration::change(const SetTimeouts& step) {
  timeouts_ = step.timeouts;
  return std::nullopt;
}

Configuration::Edit Configuration::change(const SetSwitches&) {
  return std::nullopt;
}

Configuration::Edit Configuration::change(const SetLimits& step) {
  if (step.flows > fixed_.flows) {
    return Refusal{"limits.flows: " + std::to_string(step.flows) + " is more than the " + std::to_string(fixed_.flows) +
                       " that the flow tables were made for when the director started",
                   "restart sluice to have more, or give at most " + std::to_string(fixed_.flows)};
  }
  if (step.fragments != fixed_.fragments) {
    return Refusal{"limits.fragments: " + std::to_string(step.fragments) + " is not the " +
                       std::to_string(fixed_.fragments) + " that the director started with",
                   "restart sluice to change it"};
  }
  return std::nullopt;
}

Configuration::Edit Configuration::change(const SetPool& step) {
  const auto has = [](const director::PoolSettings& pool, const PoolRange& range) {
    return pool.first_port == range.first_port && pool.last_port == range.last_port &&
           std::find(pool.addresses.begin(), pool.addresses.end(), range.address) != pool.addresses.end();
  };
  if (const auto before = pools_.find(step.id); before != pools_.end()) {
    const director::PoolSettings& pool = before->second;
    for (const wire::Address& address : pool.addresses) {
      const PoolRange range{address, pool.first_port, pool.last_port};
      const bool is_known = std::find(removed_ranges_.begin(), removed_ranges_.end(), range) != removed_ranges_.end();
      if (!is_known && !has(step.settings, range)) removed_ranges_.push_back(range);
    }
  }
  std::erase_if(removed_ranges_, [&](const PoolRange& range) { return has(step.settings, range); });
  if (step.settings.addresses.empty()) {
    pools_.erase(step.id);
  } else {
    pools_[step.id] = step.settings;
  }
  return std::nullopt;
}

Configuration::Edit Configuration::change(const SetEgress& step) {
  egress_ = step.rules;
  return std::nullopt;
}

Configuration::Edit Configuration::change(const SetMarks& step) {
  marks_ = step.rules;
  return std::nullopt;
}

std::vector<Configuration::Destination> Configuration::removed_destinations() const {
  std::vector<Destination> all;
  for (const ServiceKey& key : with_removed_) {
    const std::vector<Destination>& removed = services_.at(key)->removed;
    all.insert(all.end(), removed.begin(), removed.end());
  }
  return all;
}

void Configuration::for_each_range(const std::function<void(const PoolRange&)>& visit) const {
  for (const auto& [id, pool] : pools_) {
    for (const wire::Address& address : pool.addresses) visit({address, pool.first_port, pool.last_port});
  }
  for (const PoolRange& range : removed_ranges_) visit(range);
}

void Configuration::forget_removed(const std::vector<Destination>& destinations, const std::vector<PoolRange>& ranges) {
  for (const Destination& one : destinations) {
    const auto found = services_.find(one.home);
    if (found == services_.end()) continue;
    Entry& entry = own(found->second);
    forget(entry, one);
    if (entry.is_removed && entry.removed.empty()) services_.erase(found);
  }
  for (const PoolRange& one : ranges) std::erase(removed_ranges_, one);
}

}  // namespace sluice::engine
