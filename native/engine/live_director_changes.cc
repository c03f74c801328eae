// SPDX-License-Identifier: Apache-2.0
// How a plan is prepared and carried out, and what of the host's traffic belongs to the directors meanwhile.
//
//   prepare()   the plan is tried on a copy of the configuration             a step may be refused
//               the ingress takes what belongs to either configuration       the kernel may refuse, and all is undone
//   commit()    worker after worker carries the steps out, some in a visit   every step was tried
//               the ingress lets go of what belongs to the new one no more   leftovers are tried again
//
// Between prepare() and commit() packets of a service to come are the director's already, and it has no service for
// them. That is why commit() should follow soon.
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "engine/live_director.h"
#include "engine/ownership.h"

namespace sluice::engine {

namespace {

// A visit ends with the step during which this time is over. Steps take a few microseconds each, but for schedulers
// that compute a table of a large service.
constexpr Time longest_part = 200'000;

// Addresses that are announced in one visit: a few frames each.
constexpr size_t announced_a_visit = 32;

// Questions about removed servers that are asked in one visit: some microseconds.
constexpr size_t questions_a_visit = 64;

// Flows of removed servers that are there for long are looked for this often.
constexpr Time ended_flows_interval = 10 * second;

// Leaves those of `all` that the worker does not use.
template <class T, class IsUsed>
void drop_used(std::vector<T>& all, DirectorWorker& worker, IsUsed is_used) {
  std::vector<T> unused;
  for (size_t next = 0; next < all.size();) {
    DirectorWorker::Visit visit(worker);
    for (const size_t end = std::min(next + questions_a_visit, all.size()); next < end; next++) {
      if (!is_used(visit.director(), all[next])) unused.push_back(all[next]);
    }
  }
  all = std::move(unused);
}

}  // namespace

bool LiveDirector::prepare(std::vector<PlanStep> steps, Refusal& refusal) {
  const std::lock_guard lock(host_);
  if (staged_) {
    refusal = {std::nullopt, "a plan is prepared already", "commit or abort it first"};
    return false;
  }
  Staged staged{{}, configuration_};
  for (size_t number = 0; number < steps.size(); number++) {
    std::vector<PlanStep> parts;
    if (const auto* const pool = std::get_if<SetPool>(&steps[number])) {
      parts = in_small_steps(*pool, staged.next.find_pool(pool->id));
    }
    if (const auto refused = staged.next.apply(steps[number])) {
      refusal = {number, refused->reason, refused->remedy};
      return false;
    }
    if (parts.empty()) parts.push_back(std::move(steps[number]));
    std::move(parts.begin(), parts.end(), std::back_inserter(staged.steps));
  }
  host::Failure failure;
  if (is_stealing_ && !staged.steps.empty() &&
      !serve(std::array{&std::as_const(configuration_), &std::as_const(staged.next)}, failure)) {
    refusal = {std::nullopt, failure.message, {}};
    if (!update_ingress(in_force(), failure)) note_ingress_failure(failure);
    return false;
  }
  staged_ = std::move(staged);
  return true;
}

void LiveDirector::commit() {
  if (!staged_) return;
  for (const PlanStep& step : staged_->steps) {
    const auto* const added = std::get_if<AddService>(&step);
    if (added != nullptr && added->key.mark == 0) to_announce_.push_back(added->key.address);
  }
  for (const auto& worker : workers_) carry_out_plan(*worker, staged_->steps);
  bool is_changed;
  {
    const std::lock_guard lock(host_);
    is_changed = !staged_->steps.empty();
    configuration_ = std::move(staged_->next);
    staged_.reset();
  }
  if (!is_changed) return;
  forget_removed();
  const std::lock_guard lock(host_);
  host::Failure failure;
  if (is_stealing_ && !update_ingress(in_force(), failure)) note_ingress_failure(failure);
}

// Only one worker announces: the network needs to be told once.
void LiveDirector::announce() {
  std::vector<wire::Address> addresses = std::exchange(to_announce_, {});
  // Many services share an address.
  const auto order = [](const wire::Address& a, const wire::Address& b) {
    return std::pair(a.family, a.bytes) < std::pair(b.family, b.bytes);
  };
  std::ranges::sort(addresses, order);
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  for (size_t next = 0; next < addresses.size(); next += announced_a_visit) {
    DirectorWorker::Visit visit(*workers_.front());
    const size_t count = std::min(announced_a_visit, addresses.size() - next);
    visit.director().introduce(std::span(addresses).subspan(next, count), visit.out());
  }
}

void LiveDirector::abort() {
  const std::lock_guard lock(host_);
  if (!staged_) return;
  staged_.reset();
  host::Failure failure;
  if (is_stealing_ && !update_ingress(in_force(), failure)) note_ingress_failure(failure);
}

void LiveDirector::carry_out_plan(DirectorWorker& worker, const std::vector<PlanStep>& steps) {
  std::string refused;
  for (size_t next = 0; next < steps.size();) {
    DirectorWorker::Visit visit(worker);
    const Time begun = visit.now();
    director::Director& director = visit.change_services();
    do {
      const std::string_view outcome = carry_out(steps[next++], director);
      if (outcome != "done") [[unlikely]]
        refused = outcome;
    } while (next < steps.size() && visit.now() - begun < longest_part);
  }
  if (refused.empty()) return;
  // After the visit: the follower visits workers while it holds this lock.
  const std::lock_guard lock(host_);
  notices_.set("refused step",
               "a worker has refused a step that was tried before (" + refused + "): report this, and restart sluice");
}

bool LiveDirector::steal(host::Failure& failure) {
  const std::lock_guard lock(host_);
  const bool is_first = !std::exchange(is_stealing_, true);
  if (!serve(in_force(), failure)) return false;
  return !is_first || keep_links(failure);
}

bool LiveDirector::take_over(host::Failure& failure) {
  const std::lock_guard lock(host_);
  return options_.crash_state == nullptr || options_.crash_state->take_over(failure);
}

std::vector<const Configuration*> LiveDirector::in_force() const {
  std::vector<const Configuration*> all = {&configuration_};
  if (staged_) all.push_back(&staged_->next);
  return all;
}

bool LiveDirector::serve(Configurations configurations, host::Failure& failure) {
  return serve_local_node(configurations, failure) && update_ingress(configurations, failure);
}

bool LiveDirector::update_ingress(Configurations configurations, host::Failure& failure) {
  host::OwnedTraffic owned_traffic =
      owned_traffic_of(configurations, static_cast<uint16_t>(workers_.size()), attached_);
  addresses_by_route_ = addresses_by_route(configurations, routes());
  owned_traffic.host_addresses = host_addresses_;
  owned_traffic.host_addresses.insert(owned_traffic.host_addresses.end(), addresses_by_route_.begin(),
                                      addresses_by_route_.end());
  const uint64_t lost_before = steal_->lost_strays();
  const auto placed_flows = [this](const auto& visit_flow) { visit_placed_flows(visit_flow); };
  is_ingress_behind_ = !steal_->update(owned_traffic, failure, placed_flows);
  if (steal_->lost_strays() != lost_before) {
    notices_.set("strays",
                 "services were divided among the workers in another way: " + std::to_string(steal_->lost_strays()) +
                     " of their connections could not be kept where they were");
  }
  if (!is_ingress_behind_) notices_.clear("ingress");
  return !is_ingress_behind_;
}

void LiveDirector::visit_placed_flows(const std::function<void(const host::PlacedFlow&)>& visit_flow) {
  std::vector<host::PlacedFlow> flows;
  for (uint16_t number = 0; number < workers_.size(); number++) {
    FlowCursor cursor;
    for (bool has_more = true; has_more; flows.clear()) {
      has_more = placed_flows(DirectorWorker::Visit(*workers_[number]).director(), number, cursor, flows);
      for (const host::PlacedFlow& flow : flows) visit_flow(flow);
    }
  }
}

void LiveDirector::note_ingress_failure(const host::Failure& failure) {
  eventfd_write(alarm_, 1);
  notices_.set("ingress",
               "what is kept from the host's stack is not up to date, which is tried again: " + failure.message);
}

// Forgets removed servers and addresses of pools of which no worker has a flow any more. False where there were none.
bool LiveDirector::forget_removed() {
  std::vector<Configuration::Destination> destinations;
  std::vector<Configuration::PoolRange> ranges;
  {
    const std::lock_guard lock(host_);
    destinations = configuration_.removed_destinations();
    ranges = configuration_.removed_ranges();
  }
  for (const auto& worker : workers_) {
    drop_used(destinations, *worker, [](const director::Director& director, const Configuration::Destination& one) {
      return director.services().has_flows(one.home, one.address, one.port, one.forwarding);
    });
    drop_used(ranges, *worker, [](const director::Director& director, const Configuration::PoolRange& one) {
      return director.pools().has_flows(one.address, one.first_port, one.last_port);
    });
  }
  const std::lock_guard lock(host_);
  configuration_.forget_removed(destinations, ranges);
  return !destinations.empty() || !ranges.empty();
}

void LiveDirector::look_for_ended_flows(Time now) {
  if (now - ended_flows_looked_for_ < ended_flows_interval) return;
  ended_flows_looked_for_ = now;
  {
    const std::lock_guard lock(host_);
    if (staged_ || !configuration_.has_removed()) return;
  }
  if (!forget_removed()) return;
  const std::lock_guard lock(host_);
  host::Failure failure;
  if (is_stealing_ && !staged_ && !update_ingress(in_force(), failure)) note_ingress_failure(failure);
}

}  // namespace sluice::engine
