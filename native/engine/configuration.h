// SPDX-License-Identifier: Apache-2.0
// What the workers' directors are configured with, as plain values and once for all workers.
//
// The thread that configures keeps it, and no worker stands still for it. It serves two purposes:
//   - A plan is tried on a copy. Whatever a director would refuse is refused here, so that a plan that was accepted can
//     be carried out on every worker (decision 18). The conditions are those of director/services/service_table.cc;
//     a test holds the two against each other.
//   - What belongs to the director, and is kept away from the host's stack, follows from it (ownership.h).
//
// A copy shares its services with the original until one of them is edited, so copying ten thousand services costs ten
// thousand pointers.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/plan.h"
#include "host/owned_traffic.h"

namespace sluice::engine {

// What the directors were made with and cannot change later.
struct FixedLimits {
  uint32_t flows = 0, fragments = 0;  // of all workers together
};

class Configuration {
 public:
  struct Service {
    director::ServiceKey key;
    director::ServiceSettings settings;
    bool is_persistent() const { return settings.persistence != 0; }
  };
  struct Destination {
    director::ServiceKey home;
    wire::Address address;
    uint16_t port = 0;
    director::Forwarding forwarding = director::Forwarding::dr;
    bool operator==(const Destination&) const = default;
  };
  // Real servers that are this host itself, as of one route table.
  struct LocalServers {
    bool any = false;
    bool translated = false;  // by nat or fullnat, and no loopback address
    bool fullnat = false;     // likewise
  };
  // A service with its servers. Configurations share it until one of them changes its own copy. So what follows from it
  // alone is computed once, by ownership.h.
  struct Entry {
    Service service;
    bool is_removed = false;  // there is no such service any more
    std::vector<director::DestinationSettings> servers;
    std::vector<Destination> removed;  // or had another mode, while flows may still have that mode
    struct Derived {
      std::shared_ptr<const host::OwnedTraffic::Part> part;
      uint64_t routes = 0;  // the number of the route table that the following is of; 0: of none
      bool has_local_address = false;
      LocalServers local_servers;
    };
    mutable Derived derived;
  };
  struct PoolRange {
    wire::Address address;
    uint16_t first_port = 0, last_port = 0;
    bool operator==(const PoolRange&) const = default;
  };

  explicit Configuration(const FixedLimits& fixed) : fixed_(fixed) {}

  // Nothing, or why the step is refused; the configuration is then as before.
  struct Refusal {
    std::string reason, remedy;
  };
  std::optional<Refusal> apply(const PlanStep& step);

  bool has_service(const director::ServiceKey& key) const { return find(key) != nullptr; }
  // nullptr where there is none.
  const director::PoolSettings* find_pool(uint32_t id) const {
    const auto found = pools_.find(id);
    return found == pools_.end() ? nullptr : &found->second;
  }
  template <class Visit>
  void for_each_entry(Visit visit) const {
    for (const auto& [key, entry] : services_) visit(*entry);
  }
  // Addresses that are in a pool, and those that were removed and that flows may still have.
  void for_each_range(const std::function<void(const PoolRange&)>& visit) const;
  const std::vector<director::EgressRule>& egress() const { return egress_; }
  const std::vector<director::MarkRule>& marks() const { return marks_; }
  const director::Timeouts& timeouts() const { return timeouts_; }

  // What was removed stays known until nothing uses it any more, which is for the caller to find out. A server whose
  // mode was changed is removed in its old mode: flows keep the mode that they were opened in.
  std::vector<Destination> removed_destinations() const;
  const std::vector<PoolRange>& removed_ranges() const { return removed_ranges_; }
  bool has_removed() const { return !with_removed_.empty() || !removed_ranges_.empty(); }
  void forget_removed(const std::vector<Destination>& destinations, const std::vector<PoolRange>& ranges);

 private:
  struct KeyHash {
    size_t operator()(const director::ServiceKey& key) const;
  };
  using Edit = std::optional<Refusal>;
  Edit change(const AddService& step);
  Edit change(const EditService& step);
  Edit change(const RemoveService& step);
  Edit change(const AddServer& step);
  Edit change(const EditServer& step);
  Edit change(const RemoveServer& step);
  Edit change(const OrderServers& step);
  Edit change(const ZeroCounters& step);
  Edit change(const SetTimeouts& step);
  Edit change(const SetSwitches& step);
  Edit change(const SetLimits& step);
  Edit change(const SetPool& step);
  Edit change(const SetEgress& step);
  Edit change(const SetMarks& step);

  // For changes: no other configuration shares what is given. nullptr where there is no such service.
  Entry* own(const director::ServiceKey& key);
  Entry& own(std::shared_ptr<Entry>& entry);
  const Entry* find(const director::ServiceKey& key) const;
  void remember(Entry& entry, const director::DestinationSettings& server);
  void forget(Entry& entry, const Destination& destination);

  FixedLimits fixed_;
  std::unordered_map<director::ServiceKey, std::shared_ptr<Entry>, KeyHash> services_;  // and removed ones
  std::map<uint32_t, director::PoolSettings> pools_;
  std::vector<director::EgressRule> egress_;
  std::vector<director::MarkRule> marks_;
  director::Timeouts timeouts_;
  std::unordered_set<director::ServiceKey, KeyHash> with_removed_;  // entries that have removed servers
  std::vector<PoolRange> removed_ranges_;
};

}  // namespace sluice::engine
