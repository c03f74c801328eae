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
uint32_t clock_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const uint64_t nanoseconds = static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
  return static_cast<uint32_t>(nanoseconds >> bpf::STEAL_CLOCK_SHIFT);
}
// Whether the kernel has the value already.
template <class Value>
bool is_held(const std::optional<Value>& held, const Value& value) {
  return held && std::memcmp(&*held, &value, sizeof value) == 0;
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
    if (!apply(owned_traffic, flows, failure)) return false;
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
bool Steal::apply(const OwnedTraffic& owned_traffic, const FlowSource& flows, Failure& failure) {
  const RuleTables next = rule_tables_of(owned_traffic);
  uint16_t marks_edition = 0;
  tables_.want(owned_traffic);
  const bool is_changing = begin_change(next.settings, flows);
  if (!add_marks(next, marks_edition, failure)) return false;
  bpf::steal_settings settings = next.settings;
  settings.marks = next.marks.empty() ? 0 : marks_edition;
  settings.steering = steering_edition_ | (is_changing ? bpf::STEAL_CHANGING : 0);
  const bool is_added = add_tuples(failure) && add_new(bpf::inside, current_.inside, next.inside, failure) &&
                        add_new(bpf::egress, current_.egress, next.egress, failure) && add_places(failure) &&
                        hold_settings(settings, failure);
  if (!is_added) return false;
  if (std::exchange(marks_edition_, marks_edition) != marks_edition) std::swap(current_.marks, other_marks_);
  if (is_changing) {
    const uint32_t edition = steering_edition_ ^ bpf::STEAL_EDITION;
    if (flows) {
      flows([&](const PlacedFlow& flow) { static_cast<void>(keep_if_stray(flow, edition, settings.workers)); });
    }
    settings.steering = edition;
    if (!hold_settings(settings, failure)) return false;
    steering_edition_ = edition;
  }
  const bool is_removed = remove_places(failure) && remove_old(bpf::egress, current_.egress, next.egress, failure) &&
                          remove_old(bpf::inside, current_.inside, next.inside, failure) && remove_tuples(failure) &&
                          remove_old(bpf::marks, other_marks_, {}, failure);
  if (is_removed) tables_.finish();
  return is_removed;
}

// True when clients are to be divided differently, so that the change takes three steps (bpf/steering.h).
bool Steal::begin_change(const bpf::steal_settings& settings, const FlowSource& flows) {
  const bool is_divided = settings.workers > 1;
  const bool is_changing = tables_.settle(steering_edition_, is_divided);
  // Flows that a process before has left are where its strays were.
  const bool is_first = current_.settings.workers == 0;
  if (is_first && is_divided && flows) {
    tables_.begin_strays();
    flows([&](const PlacedFlow& flow) {
      if (keep_if_stray(flow, 0, settings.workers)) tables_.note_stray(flow);
    });
  }
  if (is_changing) forget_strays();
  return is_changing;
}

bool Steal::hold_settings(const bpf::steal_settings& settings, Failure& failure) {
  const bpf::u32 only = 0;
  bpf::steal_settings next = settings;
  for (size_t family = 0; family < 2; family++) next.mark_steering[family] = tables_.marks(family).value;
  if (!programs_.maps[bpf::settings].set(&only, &next, failure)) return false;
  current_.settings = next;
  tables_.hold_marks();
  return true;
}

bool Steal::add_tuples(Failure& failure) {
  for (StealTables::Tuple* const tuple : tables_.touched_tuples()) {
    if (!tuple->is_wanted() || is_held(tuple->held, tuple->value)) continue;
    if (!programs_.maps[bpf::tuples].set_one_of_many(&tuple->key, &tuple->value, failure)) return false;
    tables_.hold(*tuple, tuple->value);
  }
  return true;
}

bool Steal::add_places(Failure& failure) {
  for (StealTables::Place* const place : tables_.touched_places()) {
    const bpf::steal_place value = place->value();
    if (!place->is_wanted() || is_held(place->held, value)) continue;
    if (!programs_.maps[bpf::places].set_one_of_many(&place->key, &value, failure)) return false;
    place->held = value;
  }
  return true;
}

bool Steal::remove_places(Failure& failure) {
  for (StealTables::Place* const place : tables_.touched_places()) {
    if (place->is_wanted() || !place->held) continue;
    if (!programs_.maps[bpf::places].remove(&place->key, failure)) return false;
    place->held.reset();
  }
  return true;
}

bool Steal::remove_tuples(Failure& failure) {
  for (StealTables::Tuple* const tuple : tables_.touched_tuples()) {
    if (tuple->is_wanted() || !tuple->held) continue;
    if (!programs_.maps[bpf::tuples].remove(&tuple->key, failure)) return false;
    tables_.hold(*tuple, std::nullopt);
  }
  return true;
}

// Notes the flow if an edition of the steering would send it elsewhere.
bool Steal::keep_if_stray(const PlacedFlow& flow, uint32_t edition, uint32_t workers) {
  const bpf::steal_steerings* const steerings = tables_.steering_of(flow);
  if (steerings == nullptr || worker_of(steerings->edition[edition], flow, workers) == flow.worker) return false;
  const bpf::steal_client client = {key_of(flow.client), flow.client_port, flow.protocol, 0};
  const bpf::steal_stray stray = {flow.worker, clock_now()};
  Failure ignored;  // told by the count
  BpfMap& strays = programs_.maps[bpf::strays];
  // Memory that was out for one stray is out for the next ones.
  const bool is_kept =
      lost_strays_ == 0 ? strays.set_one_of_many(&client, &stray, ignored) : strays.set(&client, &stray, ignored);
  if (!is_kept) lost_strays_++;
  return true;
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
bool Steal::add_marks(const RuleTables& next, uint16_t& edition, Failure& failure) {
  const auto with_edition = [](const RuleTables::Marks& marks, uint16_t edition) {
    RuleTables::Marks of_edition;
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
  const RuleTables::Marks wanted = with_edition(next.marks, edition);
  return remove_old(bpf::marks, other_marks_, wanted, failure) && add_new(bpf::marks, other_marks_, wanted, failure);
}

template <class Table>
bool Steal::add_new(bpf::Map map, Table& current, const Table& next, Failure& failure) {
  for (const auto& [key, value] : next) {
    const auto found = current.find(key);
    if (found != current.end() && equal(found->second, value)) continue;
    if (!programs_.maps[map].set_one_of_many(&key, &value, failure)) return false;
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
