// SPDX-License-Identifier: Apache-2.0
#include "host/steal.h"

#include <net/if.h>

#include <algorithm>
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
  if (!are_there(interfaces, failure) || !remove_left_overs(failure)) return nullptr;
  std::unique_ptr<Steal> steal(new Steal);
  steal->programs_ = StealPrograms::take_prepared();
  const bool chooses = way == StealWay::automatic;
  for (const StealWay next : {StealWay::tcx, StealWay::clsact, StealWay::nftables}) {
    if (!chooses && next != way) continue;
    steal->way_ = next;
    if (steal->attach_all(interfaces, failure)) return steal;
    steal->attachments_.clear();
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
  bool is_done = true;
  if (way_ == StealWay::tcx) {
    is_done = link_at_ingress(programs_.ingress.get(), interface, attachment.link, failure);
  } else if (way_ == StealWay::clsact) {
    is_done = add_classifier(interface, programs_.ingress.get(), attachment.made_qdisc, failure);
  }
  if (!is_done) {
    failure.message = "interface " + name_of(interface) + ": " + failure.message;
    return false;
  }
  attachments_.insert_or_assign(interface, std::move(attachment));
  return way_ != StealWay::nftables || update(OwnedTraffic(owned_traffic_), failure);
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
  return links;
}

void Steal::remove(uint32_t interface) {
  if (diversion_) diversion_->remove(interface);
  const auto found = attachments_.find(interface);
  if (found == attachments_.end()) return;
  if (way_ == StealWay::clsact) remove_classifier(interface, found->second.made_qdisc);
  attachments_.erase(found);
  Failure ignored;  // the interface is gone, or its rules go with the next change
  if (way_ == StealWay::nftables) update(OwnedTraffic(owned_traffic_), ignored);
}

Steal::~Steal() {
  Failure ignored;  // what stays is removed by the next process
  if (way_ == StealWay::nftables && !attachments_.empty()) remove_rules(ignored);
  if (way_ != StealWay::clsact) return;
  for (const auto& [interface, attachment] : attachments_) remove_classifier(interface, attachment.made_qdisc);
}

bool Steal::update(const OwnedTraffic& owned_traffic, Failure& failure) {
  if (owned_traffic.marks.size() > bpf::STEAL_MOST_MARKS) {
    return fail(failure, std::to_string(owned_traffic.marks.size()) + " rules of firewall marks are more than the " +
                             std::to_string(bpf::STEAL_MOST_MARKS) + " that live traffic is held against");
  }
  if (way_ != StealWay::nftables) return apply(tables_of(owned_traffic), failure);
  std::vector<std::string> names;
  for (const auto& [interface, attachment] : attachments_) {
    std::string name = name_of(interface);
    if (!name.empty()) names.push_back(std::move(name));
  }
  if (!apply_rules(rules_of(owned_traffic, names), failure)) return false;
  owned_traffic_ = owned_traffic;
  return true;
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
  const auto fanout = run_program(programs_.fanout.get(), seen, 1, interface);
  if (!ingress || !socket || !fanout) return std::nullopt;
  Judgement judgement;
  judgement.worker = fanout->result;
  constexpr uint32_t dropped = 2;  // TC_ACT_SHOT
  if (socket->result != 0) judgement.owner = ingress->result == dropped ? bpf::STEAL_TAKEN : bpf::STEAL_SEEN;
  return judgement;
}

// First all that is new, from what is looked up last to what is looked up first; then away with what is old, the other
// way round. A packet between any two steps finds the old tables, the new ones, or more than either.
bool Steal::apply(const StealTables& next, Failure& failure) {
  const bpf::u32 only = 0;
  StealTables::Marks old_marks;
  if (!add_marks(next, old_marks, failure)) return false;
  bpf::steal_settings settings = next.settings;
  settings.marks = current_.marks.empty() ? 0 : marks_edition_;
  return add_new(bpf::tuples, current_.tuples, next.tuples, failure) &&
         add_new(bpf::inside, current_.inside, next.inside, failure) &&
         add_new(bpf::egress, current_.egress, next.egress, failure) &&
         add_new(bpf::places, current_.places, next.places, failure) &&
         programs_.maps[bpf::settings].set(&only, &settings, failure) &&
         remove_old(bpf::places, current_.places, next.places, failure) &&
         remove_old(bpf::egress, current_.egress, next.egress, failure) &&
         remove_old(bpf::inside, current_.inside, next.inside, failure) &&
         remove_old(bpf::tuples, current_.tuples, next.tuples, failure) &&
         remove_old(bpf::marks, old_marks, {}, failure);
}

// Rules count in their order: the next ones are an edition of their own, which the settings name once it is whole.
// What the maps hold of the one before becomes `old`.
bool Steal::add_marks(const StealTables& next, StealTables::Marks& old, Failure& failure) {
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
  if (std::ranges::equal(current_.marks, with_edition(next.marks, marks_edition_), are_equal)) return true;
  const uint16_t edition = marks_edition_ == 1 ? 2 : 1;
  StealTables::Marks added;
  if (!add_new(bpf::marks, added, with_edition(next.marks, edition), failure)) return false;
  old = std::exchange(current_.marks, std::move(added));
  marks_edition_ = edition;
  return true;
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
  return remove_classifiers(failure) && remove_rules(failure);
}

}  // namespace sluice::host
