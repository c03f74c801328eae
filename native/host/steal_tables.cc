// SPDX-License-Identifier: Apache-2.0
#include "host/steal_tables.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace sluice::host {

namespace {

size_t index_of(wire::Family family) {
  return family == wire::Family::ipv4 ? 0 : 1;
}

size_t index_of(const bpf::steal_address& address) {
  const bool is_ipv4 = (address.words[0] | address.words[1]) == 0 && address.words[2] == __builtin_bswap32(0xffff);
  return is_ipv4 ? 0 : 1;
}

bool equal(const bpf::steal_steering& a, const bpf::steal_steering& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

bpf::steal_steerings twice(const bpf::steal_steering& steering) {
  return {{steering, steering}};
}

bool is_ordinary_in_both(const bpf::steal_steerings& steerings) {
  const bpf::steal_steering ordinary = steering_for({});
  return equal(steerings.edition[0], ordinary) && equal(steerings.edition[1], ordinary);
}

// Whether they send every client to the same worker.
bool divide_alike(const bpf::steal_steering& a, const bpf::steal_steering& b) {
  return std::ranges::equal(a.bits, b.bits) && (a.flags & bpf::STEAL_BY_PORT) == (b.flags & bpf::STEAL_BY_PORT);
}

// Takes an element out of a list whose order does not matter. `moved` is told the element that has its place now.
template <class T, class Moved>
void take_out(std::vector<T>& list, size_t at, Moved moved) {
  if (at + 1 < list.size()) {
    list[at] = list.back();
    moved(list[at]);
  }
  list.pop_back();
}

template <class Use>
void for_each_protocol(uint8_t protocol, Use use) {
  for (const uint8_t one : protocols_with_ports) {
    if (protocol == 0 || protocol == one) use(one);
  }
}

}  // namespace

template <class T>
size_t StealTables::HashBytes::operator()(const T& key) const {
  constexpr size_t words = sizeof(T) / sizeof(uint32_t);
  static_assert(sizeof(T) % sizeof(uint32_t) == 0);
  std::array<uint32_t, words> content;
  std::memcpy(content.data(), &key, sizeof key);
  uint64_t hash = 0;
  for (const uint32_t word : content) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
    hash ^= hash >> 32;
  }
  return hash;
}

bool StealTables::Place::has(bpf::steal_place_flag flag) const {
  return counts[static_cast<size_t>(std::countr_zero(static_cast<uint32_t>(flag)))] != 0;
}

bpf::steal_place StealTables::Place::value() const {
  bpf::steal_place place{};
  for (size_t bit = 0; bit < counts.size(); bit++) place.flags |= uint32_t{counts[bit] != 0} << bit;
  if (ranges.empty()) return place;
  place.flags |= bpf::STEAL_POOL;
  place.first_port = std::ranges::min(ranges, {}, &Range::first).first;
  place.last_port = std::ranges::max(ranges, {}, &Range::last).last;
  return place;
}

void StealTables::want(const OwnedTraffic& traffic) {
  if (traffic.marks != rules_) {
    rules_ = traffic.marks;
    for (auto& [part, member] : members_) carry(member);
  }
  wanted_++;
  size_t wanted = 0;
  for (const auto& part : traffic.parts) {
    const auto [place, is_new] = members_.try_emplace(part.get());
    Member& member = place->second;
    if (std::exchange(member.wanted, wanted_) != wanted_) wanted++;
    if (!is_new) continue;
    member.part = part;
    add(member);
  }
  for (auto next = members_.begin(); members_.size() > wanted && next != members_.end();) {
    const auto member = next++;
    if (member->second.wanted == wanted_) continue;
    remove(member->second);
    members_.erase(member);
  }
  want_pools(traffic.pools);
  want_host_addresses(traffic.host_addresses);
}

void StealTables::want_pools(const std::vector<OwnedTraffic::Pool>& pools) {
  if (pools == pools_) return;
  for (const OwnedTraffic::Pool& pool : pools_) {
    Place& place = place_of(key_of(pool.address));
    touch(place);
    place.ranges.erase(std::ranges::find_if(place.ranges, [&](const Place::Range& range) {
      return range.first == pool.first_port && range.last == pool.last_port;
    }));
  }
  pools_ = pools;
  for (const OwnedTraffic::Pool& pool : pools_) {
    Place& place = place_of(key_of(pool.address));
    touch(place);
    place.ranges.push_back({pool.first_port, pool.last_port});
  }
}

void StealTables::want_host_addresses(const std::vector<wire::Address>& addresses) {
  if (addresses == host_addresses_) return;
  for (const wire::Address& address : host_addresses_) count(address, bpf::STEAL_HOST, -1);
  host_addresses_ = addresses;
  for (const wire::Address& address : host_addresses_) count(address, bpf::STEAL_HOST, 1);
}

void StealTables::add(Member& member) {
  const OwnedTraffic::Part& part = *member.part;
  const bool is_service = !part.is_marked && !part.is_removed;
  if (!part.is_removed) member.division = division_in(part.address.family, part.steering);
  if (member.division != Division()) restricted_++;
  if (is_service) {
    count(part.address, bpf::STEAL_SERVICE, 1);
    if (part.protocol == 0 && part.port == 0) count(part.address, bpf::STEAL_WHOLE, 1);
    for_each_protocol(part.protocol, [&](uint8_t protocol) {
      join(member, {key_of(part.address), part.port, protocol, bpf::STEAL_TO_SERVICE}, true);
    });
  }
  for (const OwnedTraffic::NatServer& server : part.nat_servers) {
    if (part.is_marked && server.port == 0) {
      count(server.address, bpf::STEAL_MARKED, 1);
      continue;
    }
    count(server.address, bpf::STEAL_SERVER, 1);
    for_each_protocol(part.protocol, [&](uint8_t protocol) {
      join(member, {key_of(server.address), server.port, protocol, bpf::STEAL_FROM_SERVER},
           is_service || part.is_marked);
    });
  }
  for (const wire::Address& server : part.tunnel_servers) count(server, bpf::STEAL_TUNNEL, 1);
  carry(member);
}

void StealTables::remove(Member& member) {
  const OwnedTraffic::Part& part = *member.part;
  if (member.division != Division()) restricted_--;
  if (member.at_marks) leave_marks(member);
  for (const Member::Edge& edge : member.edges) leave(edge);
  if (!part.is_marked && !part.is_removed) {
    count(part.address, bpf::STEAL_SERVICE, -1);
    if (part.protocol == 0 && part.port == 0) count(part.address, bpf::STEAL_WHOLE, -1);
  }
  for (const OwnedTraffic::NatServer& server : part.nat_servers) {
    const bool keeps_ports = part.is_marked && server.port == 0;
    count(server.address, keeps_ports ? bpf::STEAL_MARKED : bpf::STEAL_SERVER, -1);
  }
  for (const wire::Address& server : part.tunnel_servers) count(server, bpf::STEAL_TUNNEL, -1);
}

void StealTables::join(Member& member, const bpf::steal_tuple& key, bool is_joining) {
  const auto [entry, is_new] = tuples_.try_emplace(key);
  Tuple& tuple = entry->second;
  if (is_new) {
    tuple.key = key;
    tuple.value = twice(steering_for({}));
    if (key.role == bpf::STEAL_FROM_SERVER) {
      tuple.place = &place_of(key.address);
      tuple.at_place = static_cast<uint32_t>(tuple.place->tuples.size());
      tuple.place->tuples.push_back(&tuple);
    }
  }
  tuple.count++;
  touch(tuple);
  Member::Edge edge = {&tuple, no_user};
  if (is_joining) {
    edge.at_tuple = static_cast<uint32_t>(tuple.users.size());
    tuple.users.push_back({&member, static_cast<uint32_t>(member.edges.size())});
  }
  member.edges.push_back(edge);
}

void StealTables::leave(const Member::Edge& edge) {
  Tuple& tuple = *edge.tuple;
  tuple.count--;
  touch(tuple);
  if (edge.at_tuple == no_user) return;
  take_out(tuple.users, edge.at_tuple,
           [&](const Tuple::User& moved) { moved.member->edges[moved.edge].at_tuple = edge.at_tuple; });
  if (!tuple.users.empty() || tuple.place == nullptr) return;
  // What it has held together.
  if (tuple.place->has(bpf::STEAL_MARKED)) marks_[index_of(tuple.key.address)].is_touched = true;
  if (tuple.key.port == 0) {
    for (Tuple* const one : tuple.place->tuples) touch(*one);
  } else if (Tuple* const all = user_of_every_port(tuple)) {
    touch(*all);
  }
}

void StealTables::count(const wire::Address& address, bpf::steal_place_flag flag, int by) {
  Place& place = place_of(key_of(address));
  touch(place);
  const bool had = place.has(flag);
  place.counts[static_cast<size_t>(std::countr_zero(static_cast<uint32_t>(flag)))] += static_cast<uint32_t>(by);
  if (flag != bpf::STEAL_MARKED || had == place.has(flag)) return;
  if (had) {
    let_ports_go(place);
  } else {
    keep_ports(place);
  }
}

void StealTables::keep_ports(Place& place) {
  Marks& marks = marks_[index_of(place.key)];
  marks.is_touched = true;
  place.at_marks = static_cast<uint32_t>(marks.places.size());
  marks.places.push_back(&place);
  for (Tuple* const tuple : place.tuples) touch(*tuple);
}

void StealTables::let_ports_go(Place& place) {
  Marks& marks = marks_[index_of(place.key)];
  marks.is_touched = true;
  take_out(marks.places, place.at_marks, [&](Place* moved) { moved->at_marks = place.at_marks; });
  for (Tuple* const tuple : place.tuples) touch(*tuple);
}

// Notes whether packets of the member may be those of a service by firewall mark.
void StealTables::carry(Member& member) {
  const OwnedTraffic::Part& part = *member.part;
  const bool is_carried =
      part.is_marked ||
      (!part.is_removed && std::ranges::any_of(rules_, [&](const auto& rule) { return may_carry(rule, part); }));
  if (is_carried == member.at_marks.has_value()) return;
  if (!is_carried) return leave_marks(member);
  Marks& marks = marks_[index_of(part.address.family)];
  marks.is_touched = true;
  member.at_marks = static_cast<uint32_t>(marks.members.size());
  marks.members.push_back(&member);
  for (const Member::Edge& edge : member.edges) touch(*edge.tuple);
}

void StealTables::leave_marks(Member& member) {
  Marks& marks = marks_[index_of(member.part->address.family)];
  marks.is_touched = true;
  take_out(marks.members, *member.at_marks, [&](Member* moved) { moved->at_marks = member.at_marks; });
  member.at_marks.reset();
  for (const Member::Edge& edge : member.edges) touch(*edge.tuple);
}

StealTables::Place& StealTables::place_of(const bpf::steal_address& key) {
  Place& place = places_[key];
  place.key = key;
  return place;
}

void StealTables::touch(Place& place) {
  if (!std::exchange(place.is_touched, true)) touched_places_.push_back(&place);
}

void StealTables::touch(Tuple& tuple) {
  if (!std::exchange(tuple.is_touched, true)) touched_tuples_.push_back(&tuple);
}

// The tuple of all ports of the same real server, if a part joins it.
StealTables::Tuple* StealTables::user_of_every_port(const Tuple& tuple) {
  bpf::steal_tuple key = tuple.key;
  key.port = 0;
  const auto found = tuples_.find(key);
  return found == tuples_.end() || found->second.users.empty() ? nullptr : &found->second;
}

bool StealTables::is_ordinary() const {
  const auto is_held_ordinary = [](const Marks& marks) { return !marks.held || is_ordinary_in_both(*marks.held); };
  return restricted_ == 0 && held_restricted_ == 0 && std::ranges::all_of(marks_, is_held_ordinary);
}

bool StealTables::settle(uint32_t now, bool is_divided) {
  if (!is_divided || is_ordinary()) {
    for (Tuple* const tuple : touched_tuples_) tuple->value = twice(steering_for({}));
    for (Marks& marks : marks_) marks.value = twice(steering_for({}));
    return false;
  }
  bool is_changing = false;
  for_each_touched_group([&](Group& group) { is_changing |= settle(group, now); });
  return is_changing;
}

// Those of tuples that are wanted, and of marks: services by firewall mark need not have a tuple.
template <class Use>
void StealTables::for_each_touched_group(Use use) {
  walk_++;
  for (Marks& marks : marks_) {
    if (!marks.is_touched || marks.walk == walk_) continue;
    Group group = group_of(nullptr, &marks);
    use(group);
  }
  // use() touches more of the same group.
  for (size_t next = 0; next < touched_tuples_.size(); next++) {
    Tuple* const tuple = touched_tuples_[next];
    if (!tuple->is_wanted() || tuple->walk == walk_) continue;
    Group group = group_of(tuple, nullptr);
    use(group);
  }
}

StealTables::Group StealTables::group_of(Tuple* tuple, Marks* marks) {
  Group group;
  if (tuple != nullptr) reach(group, *tuple);
  if (marks != nullptr) reach(group, *marks);
  size_t tuples = 0, all_marks = 0, members = 0;
  for (;;) {
    if (tuples < group.tuples.size()) {
      const Tuple& one = *group.tuples[tuples++];
      if (one.users.empty()) continue;
      for (const Tuple::User& user : one.users) reach(group, *user.member);
      if (one.place == nullptr) continue;
      if (one.place->has(bpf::STEAL_MARKED)) reach(group, marks_[index_of(one.key.address)]);
      if (one.key.port != 0) {
        if (Tuple* const every = user_of_every_port(one)) reach(group, *every);
        continue;
      }
      for (Tuple* const other : one.place->tuples) {
        if (other->key.protocol == one.key.protocol && !other->users.empty()) reach(group, *other);
      }
    } else if (members < group.members.size()) {
      Member& one = *group.members[members++];
      group.division = stricter(group.division, one.division);
      for (const Member::Edge& edge : one.edges) {
        if (edge.at_tuple != no_user) reach(group, *edge.tuple);
      }
      if (one.at_marks) reach(group, marks_[index_of(one.part->address.family)]);
    } else if (all_marks < group.marks.size()) {
      const Marks& one = *group.marks[all_marks++];
      for (Member* const member : one.members) reach(group, *member);
      for (Place* const place : one.places) {
        for (Tuple* const other : place->tuples) {
          if (!other->users.empty()) reach(group, *other);
        }
      }
    } else {
      return group;
    }
  }
}

void StealTables::reach(Group& group, Tuple& tuple) const {
  if (std::exchange(tuple.walk, walk_) != walk_) group.tuples.push_back(&tuple);
}
void StealTables::reach(Group& group, Marks& marks) const {
  if (std::exchange(marks.walk, walk_) != walk_) group.marks.push_back(&marks);
}
void StealTables::reach(Group& group, Member& member) const {
  if (std::exchange(member.walk, walk_) != walk_) group.members.push_back(&member);
}

bool StealTables::settle(Group& group, uint32_t now) {
  bpf::steal_steering wanted = steering_for(group.division);
  std::optional<bpf::steal_steering> before;  // where it divides differently
  bool has_strays = false;
  const auto look = [&](const auto& entry) {
    if (!entry->held) return;
    const bpf::steal_steering& present = entry->held->edition[now];
    if (!before && !divide_alike(present, wanted)) before = present;
    has_strays |= (present.flags & bpf::STEAL_STRAYS) != 0;
  };
  std::ranges::for_each(group.tuples, look);
  std::ranges::for_each(group.marks, look);
  if (before || has_strays) wanted.flags |= bpf::STEAL_STRAYS;
  const auto give = [&](auto* entry) {
    entry->value = twice(wanted);
    if (before) entry->value.edition[now] = entry->held ? entry->held->edition[now] : *before;
  };
  for (Tuple* const tuple : group.tuples) {
    give(tuple);
    touch(*tuple);
  }
  for (Marks* const marks : group.marks) {
    give(marks);
    marks->is_touched = true;
  }
  return before.has_value();
}

void StealTables::note_stray(const PlacedFlow& flow) {
  Tuple* tuple = nullptr;
  Marks* marks = nullptr;
  if (flow.is_marked) {
    marks = &marks_[index_of(flow.client.family)];
    if (marks->walk == walk_) return;
  } else {
    const auto found = tuples_.find(tuple_of(flow));
    if (found == tuples_.end() || found->second.walk == walk_) return;
    tuple = &found->second;
  }
  const auto note = [](bpf::steal_steerings& value) {
    for (bpf::steal_steering& edition : value.edition) edition.flags |= bpf::STEAL_STRAYS;
  };
  const Group group = group_of(tuple, marks);
  for (Tuple* const one : group.tuples) {
    note(one->value);
    touch(*one);
  }
  for (Marks* const one : group.marks) note(one->value);
}

void StealTables::hold(Tuple& tuple, const std::optional<bpf::steal_steerings>& value) {
  const auto is_restricted = [](const std::optional<bpf::steal_steerings>& one) {
    return one && !is_ordinary_in_both(*one);
  };
  if (is_restricted(tuple.held)) held_restricted_--;
  if (is_restricted(value)) held_restricted_++;
  tuple.held = value;
}

void StealTables::hold_marks() {
  for (Marks& marks : marks_) marks.held = marks.value;
}

// An entry in which the editions differ is looked at again by the next change, which needs both.
void StealTables::finish() {
  const auto is_settled = [](const bpf::steal_steerings& value) { return equal(value.edition[0], value.edition[1]); };
  std::vector<Tuple*> unsettled;
  for (Tuple* const tuple : touched_tuples_) {
    if (tuple->held && !is_settled(*tuple->held)) {
      unsettled.push_back(tuple);
      continue;
    }
    tuple->is_touched = false;
    if (tuple->is_wanted() || tuple->held) continue;
    if (tuple->place != nullptr) {
      take_out(tuple->place->tuples, tuple->at_place, [&](Tuple* moved) { moved->at_place = tuple->at_place; });
    }
    tuples_.erase(bpf::steal_tuple(tuple->key));
  }
  touched_tuples_ = std::move(unsettled);
  for (Marks& marks : marks_) marks.is_touched = !is_settled(marks.value);
  for (Place* const place : touched_places_) {
    place->is_touched = false;
    if (!place->is_wanted() && !place->held) places_.erase(bpf::steal_address(place->key));
  }
  touched_places_.clear();
}

bpf::steal_tuple StealTables::tuple_of(const PlacedFlow& flow) {
  return {key_of(flow.service), flow.service_port, flow.protocol, bpf::STEAL_TO_SERVICE};
}

const bpf::steal_steerings* StealTables::steering_of(const PlacedFlow& flow) const {
  if (flow.is_marked) return &marks_[index_of(flow.client.family)].value;
  const auto found = tuples_.find(tuple_of(flow));
  return found == tuples_.end() || !found->second.is_wanted() ? nullptr : &found->second.value;
}

}  // namespace sluice::host
