// SPDX-License-Identifier: Apache-2.0
#include "host/steal.h"

#include <net/if.h>

#include <algorithm>
#include <ctime>
#include <vector>

#include "host/clsact.h"
#include "host/steal_rules.h"

namespace sluice::host {

namespace {

bool equal(const bpf::u64& a, const bpf::u64& b) {
  return a == b;
}
bool equal(const bpf::u32& a, const bpf::u32& b) {
  return a == b;
}
bool equal(const bpf::steal_steering& a, const bpf::steal_steering& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}
bool equal(const bpf::steal_steerings& a, const bpf::steal_steerings& b) {
  return equal(a.edition[0], b.edition[0]) && equal(a.edition[1], b.edition[1]);
}
// Whether they send every client to the same worker.
bool divide_alike(const bpf::steal_steering& a, const bpf::steal_steering& b) {
  return std::ranges::equal(a.bits, b.bits) && (a.flags & bpf::STEAL_BY_PORT) == (b.flags & bpf::STEAL_BY_PORT);
}
uint32_t clock_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const uint64_t nanoseconds = static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
  return static_cast<uint32_t>(nanoseconds >> bpf::STEAL_CLOCK_SHIFT);
}
bool equal(const bpf::steal_place& a, const bpf::steal_place& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

// Empty where there is none.
std::string name_of(uint32_t interface) {
  char name[IF_NAMESIZE];
  return if_indextoname(interface, name) != nullptr ? name : "";
}

bool are_there(std::span<const uint32_t> interfaces, Failure& failure) {
  for (const uint32_t interface : interfaces) {
    if (name_of(interface).empty()) return fail(failure, "there is no interface number " + std::to_string(interface));
  }
  return true;
}

}  // namespace

std::unique_ptr<Steal> Steal::attach(std::span<const uint32_t> interfaces, StealWay way, Failure& failure) {
  if (!are_there(interfaces, failure)) return nullptr;
  std::unique_ptr<Steal> steal(new Steal);
  steal->programs_ = StealPrograms::take_prepared();
  const bool chooses = way == StealWay::automatic;
  for (const StealWay next : {StealWay::tcx, StealWay::clsact, StealWay::nftables}) {
    if (!chooses && next != way) continue;
    steal->way_ = next;
    if (steal->attach_all(interfaces, failure)) return steal;
    steal->detach_all();
    steal->notice_ = failure.message;
  }
  return nullptr;
}

bool Steal::attach_all(std::span<const uint32_t> interfaces, Failure& failure) {
  if (way_ != StealWay::nftables && !programs_.ingress && !programs_.load(failure)) return false;
  if (way_ == StealWay::nftables) programs_ = StealPrograms();
  for (const uint32_t interface : interfaces) {
    if (!add(interface, failure)) return false;
  }
  return true;
}

bool Steal::add(uint32_t interface, Failure& failure) {
  if (!are_there({&interface, 1}, failure)) return false;
  Attachment attachment;
  if (!attach_one(interface, attachment, failure)) {
    failure.message = "interface " + name_of(interface) + ": " + failure.message;
    return false;
  }
  attachments_.insert_or_assign(interface, std::move(attachment));
  return way_ != StealWay::nftables || !is_filled_ || update(OwnedTraffic(owned_traffic_), failure);
}

// A classifier that was left behind still keeps connections from the host's stack, with the tables of its process. It
// is replaced when ours are filled.
bool Steal::attach_one(uint32_t interface, Attachment& attachment, Failure& failure) {
  if (way_ == StealWay::tcx) return link_at_ingress(programs_.ingress.get(), interface, attachment.link, failure);
  if (way_ == StealWay::nftables) return is_filled_ || can_apply_rules(failure);
  if (!has_classifier(interface, attachment.is_left_over, failure)) return false;
  attachment.is_waiting = attachment.is_left_over && !is_filled_;
  return attachment.is_waiting ||
         add_classifier(interface, End::ingress, programs_.ingress.get(), attachment.made_qdisc, failure);
}

void Steal::detach_one(uint32_t interface, const Attachment& attachment) {
  if (way_ != StealWay::clsact || attachment.is_waiting) return;
  if (!attachment.is_left_over) return remove_classifier(interface, End::ingress, attachment.made_qdisc);
  Failure ignored;  // the interface is gone, or the next process removes it
  static_cast<void>(clean_classifier(interface, ignored));
}

void Steal::detach_all() {
  host_replies_.reset();
  for (const auto& [interface, attachment] : attachments_) detach_one(interface, attachment);
  attachments_.clear();
}

// What was left behind, in whichever way, has served its time.
bool Steal::replace_left_overs(Failure& failure) {
  std::vector<uint32_t> replaced;
  for (auto& [interface, attachment] : attachments_) {
    if (way_ != StealWay::clsact) break;
    if (attachment.is_waiting &&
        !add_classifier(interface, End::ingress, programs_.ingress.get(), attachment.made_qdisc, failure))
      return false;
    attachment.is_waiting = false;
    replaced.push_back(interface);
  }
  const std::vector<uint32_t> bringing_back = host_replies_ ? host_replies_->interfaces() : std::vector<uint32_t>();
  return clean_classifiers({.ingress = replaced, .egress = bringing_back}, failure) &&
         (way_ == StealWay::nftables || remove_rules(failure));
}

bool Steal::load_fanout(Failure& failure) {
  if (!programs_.ingress) return fail(failure, "several workers need BPF, which is not used: use one worker");
  return programs_.load_fanout(failure);
}

bool Steal::divert(const Diversion::Lane& lane, Failure& failure) {
  if (!programs_.ingress) return fail(failure, "AF_XDP needs BPF, which this host refuses");
  if (!diversion_) {
    Diversion loaded;
    if (!Diversion::load(programs_.maps, loaded, failure)) return false;
    diversion_ = std::move(loaded);
  }
  return diversion_->add(lane, failure);
}

HostReplyPrograms* Steal::host_replies(Failure& failure) {
  if (!programs_.ingress) {
    fail(failure, "what the host's stack answers can be brought back by BPF alone, which is not used");
    return nullptr;
  }
  if (!host_replies_) host_replies_ = HostReplyPrograms::load(programs_.maps, way_ == StealWay::tcx, failure);
  return host_replies_.get();
}

// A failure means that frames to the new address take the ordinary way.
void Steal::readdress(uint32_t interface, const wire::MacAddress& mac) {
  Failure ignored;
  if (diversion_) diversion_->readdress(interface, mac, ignored);
}

std::vector<int> Steal::links() const {
  std::vector<int> links;
  for (const auto& [interface, attachment] : attachments_) {
    if (attachment.link) links.push_back(attachment.link.get());
  }
  if (host_replies_) std::ranges::copy(host_replies_->links(), std::back_inserter(links));
  return links;
}

void Steal::remove(uint32_t interface) {
  if (diversion_) diversion_->remove(interface);
  if (host_replies_) host_replies_->remove(interface);
  const auto found = attachments_.find(interface);
  if (found == attachments_.end()) return;
  detach_one(interface, found->second);
  attachments_.erase(found);
  Failure ignored;  // the interface is gone, or its rules go with the next change
  if (way_ == StealWay::nftables && is_filled_) update(OwnedTraffic(owned_traffic_), ignored);
}

Steal::~Steal() {
  if (is_left_behind_) {
    if (host_replies_) host_replies_->leave_behind();
    return;
  }
  Failure ignored;  // what stays is removed by the next process
  if (way_ == StealWay::nftables && is_filled_) remove_rules(ignored);
  detach_all();
}

void Steal::give_back() {
  Failure ignored;
  detach_all();
  if (!is_filled_) static_cast<void>(remove_left_overs(ignored));
}

bool Steal::update(const OwnedTraffic& owned_traffic, Failure& failure, const FlowSource& flows) {
  if (owned_traffic.marks.size() > bpf::STEAL_MOST_MARKS) {
    return fail(failure, std::to_string(owned_traffic.marks.size()) + " rules of firewall marks are more than the " +
                             std::to_string(bpf::STEAL_MOST_MARKS) + " that live traffic is held against");
  }
  if (way_ != StealWay::nftables) {
    if (!apply(tables_of(owned_traffic), flows, failure)) return false;
    if (!is_filled_) is_filled_ = replace_left_overs(failure);
    return is_filled_;
  }
  std::vector<std::string> names;
  for (const auto& [interface, attachment] : attachments_) {
    std::string name = name_of(interface);
    if (!name.empty()) names.push_back(std::move(name));
  }
  if (!apply_rules(rules_of(owned_traffic, names, next_priority()), failure)) return false;
  owned_traffic_ = owned_traffic;
  return std::exchange(is_filled_, true) || replace_left_overs(failure);
}

std::optional<Steal::Judgement> Steal::judge(wire::Bytes frame, uint32_t interface, const wire::MacAddress& own,
                                             bool is_for_host) const {
  if (!programs_.ingress) return std::nullopt;
  // The kernel runs a program on what fits in a page, and no header that counts lies beyond that.
  constexpr size_t looked_at = 2048, addresses = 12;
  std::vector<uint8_t> seen(frame.begin(), frame.begin() + static_cast<ptrdiff_t>(std::min(frame.size(), looked_at)));
  if (seen.size() < addresses) return std::nullopt;
  constexpr wire::MacAddress of_another = {{2, 2, 2, 2, 2, 2}};
  std::ranges::copy((is_for_host ? own : of_another).bytes, seen.begin());
  const auto ingress = run_program(programs_.ingress.get(), seen, 1, interface);
  const auto socket = run_program(programs_.socket.get(), seen, 1, interface);
  if (!ingress || !socket) return std::nullopt;
  Judgement judgement;
  if (programs_.fanout) {
    const auto fanout = run_program(programs_.fanout.get(), seen, 1, interface);
    if (!fanout) return std::nullopt;
    judgement.worker = fanout->result;
  }
  constexpr uint32_t dropped = 2;  // TC_ACT_SHOT
  if (socket->result != 0) judgement.owner = ingress->result == dropped ? bpf::STEAL_TAKEN : bpf::STEAL_SEEN;
  return judgement;
}

// First all that is new, from what is looked up last to what is looked up first; then away with what is old, the other
// way round. A packet between any two steps finds the old tables, the new ones, or more than either.
bool Steal::apply(StealTables next, const FlowSource& flows, Failure& failure) {
  const bpf::u32 only = 0;
  uint16_t marks_edition = 0;
  const bool is_changing = next.settings.workers > 1 && begin_change(next, flows);
  if (!add_marks(next, marks_edition, failure)) return false;
  bpf::steal_settings settings = next.settings;
  settings.marks = next.marks.empty() ? 0 : marks_edition;
  settings.steering = steering_edition_ | (is_changing ? bpf::STEAL_CHANGING : 0);
  const bool is_added = add_new(bpf::tuples, current_.tuples, next.tuples, failure) &&
                        add_new(bpf::inside, current_.inside, next.inside, failure) &&
                        add_new(bpf::egress, current_.egress, next.egress, failure) &&
                        add_new(bpf::places, current_.places, next.places, failure) &&
                        programs_.maps[bpf::settings].set(&only, &settings, failure);
  if (!is_added) return false;
  if (std::exchange(marks_edition_, marks_edition) != marks_edition) std::swap(current_.marks, other_marks_);
  current_.settings = settings;
  current_.groups = next.groups;
  if (is_changing) {
    const uint32_t edition = steering_edition_ ^ bpf::STEAL_EDITION;
    keep_strays(next, edition, flows);
    settings.steering = edition;
    if (!programs_.maps[bpf::settings].set(&only, &settings, failure)) return false;
    steering_edition_ = edition;
    current_.settings = settings;
  }
  return remove_old(bpf::places, current_.places, next.places, failure) &&
         remove_old(bpf::egress, current_.egress, next.egress, failure) &&
         remove_old(bpf::inside, current_.inside, next.inside, failure) &&
         remove_old(bpf::tuples, current_.tuples, next.tuples, failure) &&
         remove_old(bpf::marks, other_marks_, {}, failure);
}

// Gives `next` both editions: what holds now, and what is to hold. True when they divide clients differently, so that
// the change takes three steps (bpf/steering.h).
bool Steal::begin_change(StealTables& next, const FlowSource& flows) {
  const uint32_t now = steering_edition_, then = now ^ bpf::STEAL_EDITION;
  std::map<uint32_t, bpf::steal_steering> before;  // by group: what holds of those that change
  std::set<uint32_t> strays;
  const auto look = [&](uint32_t group, const bpf::steal_steerings& present, const bpf::steal_steerings& wanted) {
    if (!divide_alike(present.edition[now], wanted.edition[0])) before.try_emplace(group, present.edition[now]);
    if ((present.edition[now].flags & bpf::STEAL_STRAYS) != 0) strays.insert(group);
  };
  const bool is_first = current_.settings.workers == 0;
  for (const auto& [tuple, wanted] : next.tuples) {
    const auto present = current_.tuples.find(tuple);
    if (present != current_.tuples.end()) look(next.groups.at(tuple), present->second, wanted);
  }
  for (size_t family = 0; !is_first && family < 2; family++) {
    look(next.mark_groups[family], current_.settings.mark_steering[family], next.settings.mark_steering[family]);
  }
  // Flows that a process before has left are where its strays were.
  if (is_first) strays = keep_strays(next, 0, flows);
  if (!before.empty()) forget_strays();

  const auto settle = [&](uint32_t group, const bpf::steal_steerings* present, bpf::steal_steerings& value) {
    bpf::steal_steering wanted = value.edition[0];
    const auto changes = before.find(group);
    if (changes != before.end() || strays.contains(group)) wanted.flags |= bpf::STEAL_STRAYS;
    value.edition[then] = wanted;
    value.edition[now] = wanted;
    if (changes != before.end()) value.edition[now] = present != nullptr ? present->edition[now] : changes->second;
  };
  for (auto& [tuple, value] : next.tuples) {
    const auto present = current_.tuples.find(tuple);
    settle(next.groups.at(tuple), present == current_.tuples.end() ? nullptr : &present->second, value);
  }
  for (size_t family = 0; family < 2; family++) {
    const auto* const present = is_first ? nullptr : &current_.settings.mark_steering[family];
    settle(next.mark_groups[family], present, next.settings.mark_steering[family]);
  }
  return !before.empty();
}

// Notes flows that an edition of the steering would send elsewhere. Gives the groups that have such flows.
std::set<uint32_t> Steal::keep_strays(const StealTables& next, uint32_t edition, const FlowSource& flows) {
  std::set<uint32_t> groups;
  if (!flows) return groups;
  const bpf::steal_stray seen_now = {0, clock_now()};
  flows([&](const PlacedFlow& flow) {
    const FlowSteering steering = steering_of(next, flow);
    if (steering.steerings == nullptr) return;
    if (worker_of(steering.steerings->edition[edition], flow, next.settings.workers) == flow.worker) return;
    groups.insert(steering.group);
    const bpf::steal_client client = {key_of(flow.client), flow.client_port, flow.protocol, 0};
    bpf::steal_stray stray = seen_now;
    stray.worker = flow.worker;
    Failure ignored;  // told by the count
    if (!programs_.maps[bpf::strays].set(&client, &stray, ignored)) lost_strays_++;
  });
  return groups;
}

// Those that were silent for too long, to make room.
void Steal::forget_strays() {
  const uint32_t now = clock_now();
  std::vector<bpf::steal_client> old;
  bpf::steal_client client{};
  for (bool has = programs_.maps[bpf::strays].first(&client); has; has = programs_.maps[bpf::strays].next(&client)) {
    bpf::steal_stray stray{};
    if (!programs_.maps[bpf::strays].get(&client, &stray)) continue;
    if (now - stray.seen > current_.settings.stray_lifetime) old.push_back(client);
  }
  Failure ignored;
  for (const bpf::steal_client& one : old) static_cast<void>(programs_.maps[bpf::strays].remove(&one, ignored));
}

// Rules count in their order: the next ones are an edition of their own, which the settings name once it is whole. What
// a change that failed has left in that edition is removed first: it would count, too.
bool Steal::add_marks(const StealTables& next, uint16_t& edition, Failure& failure) {
  const auto with_edition = [](const StealTables::Marks& marks, uint16_t edition) {
    StealTables::Marks of_edition;
    for (const auto& [key, rules] : marks) {
      bpf::steal_mark_key with = key;
      with.edition = edition;
      of_edition[with] = rules;
    }
    return of_edition;
  };
  const auto are_equal = [](const auto& a, const auto& b) {
    return std::memcmp(&a.first, &b.first, sizeof a.first) == 0 && a.second == b.second;
  };
  edition = marks_edition_;
  if (std::ranges::equal(current_.marks, with_edition(next.marks, edition), are_equal)) return true;
  edition = marks_edition_ == 1 ? 2 : 1;
  const StealTables::Marks wanted = with_edition(next.marks, edition);
  return remove_old(bpf::marks, other_marks_, wanted, failure) && add_new(bpf::marks, other_marks_, wanted, failure);
}

template <class Table>
bool Steal::add_new(bpf::Map map, Table& current, const Table& next, Failure& failure) {
  for (const auto& [key, value] : next) {
    const auto found = current.find(key);
    if (found != current.end() && equal(found->second, value)) continue;
    if (!programs_.maps[map].set(&key, &value, failure)) return false;
    current.insert_or_assign(key, value);
  }
  return true;
}

template <class Table>
bool Steal::remove_old(bpf::Map map, Table& current, const Table& next, Failure& failure) {
  for (auto entry = current.begin(); entry != current.end();) {
    if (next.contains(entry->first)) {
      ++entry;
      continue;
    }
    if (!programs_.maps[map].remove(&entry->first, failure)) return false;
    entry = current.erase(entry);
  }
  return true;
}

bool Steal::remove_left_overs(Failure& failure) {
  return clean_classifiers({}, failure) && remove_rules(failure);
}

}  // namespace sluice::host
