// SPDX-License-Identifier: Apache-2.0
// Tables that are kept up by differences hold what a computation from scratch gives, whatever changes came before, also
// where a change was given up or the kernel refused a part of it.
#include "host/steal_tables.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "packet_builder.h"

using namespace sluice;
using host::Division;
using host::key_of;
using host::LessBytes;
using host::OwnedTraffic;
using host::StealTables;
using test::address;

namespace {

using Part = OwnedTraffic::Part;
using Parts = std::vector<std::shared_ptr<const Part>>;
using TupleSet = std::set<host::bpf::steal_tuple, LessBytes>;

size_t index_of(wire::Family family) {
  return family == wire::Family::ipv4 ? 0 : 1;
}

// The maps, computed from scratch.
struct Reference {
  std::map<host::bpf::steal_address, host::bpf::steal_place, LessBytes> places;
  std::map<host::bpf::steal_tuple, Division, LessBytes> tuples;
  std::map<host::bpf::steal_tuple, size_t, LessBytes> groups;
  std::array<Division, 2> marks;

  explicit Reference(const OwnedTraffic& all) : parents_(all.parts.size() + 2) {
    std::iota(parents_.begin(), parents_.end(), 0);
    for (size_t i = 0; i < all.parts.size(); i++) add(*all.parts[i], i, all);
    for (const auto& pool : all.pools) {
      auto& place = places[key_of(pool.address)];
      const bool is_new = (place.flags & host::bpf::STEAL_POOL) == 0;
      place.flags |= host::bpf::STEAL_POOL;
      place.first_port = is_new ? pool.first_port : std::min(place.first_port, pool.first_port);
      place.last_port = is_new ? pool.last_port : std::max(place.last_port, pool.last_port);
    }
    for (const auto& one : all.host_addresses) places[key_of(one)].flags |= host::bpf::STEAL_HOST;
    for (const auto& [tuple, member] : members_) {
      if (tuple.role != host::bpf::STEAL_FROM_SERVER) continue;
      auto every_port = tuple;
      every_port.port = 0;
      if (const auto other = members_.find(every_port); other != members_.end()) join(other->second, member);
      if (const auto marked = keeping_.find(tuple.address); marked != keeping_.end()) join(marked->second, member);
    }
    std::map<size_t, Division> divisions;
    for (size_t i = 0; i < all.parts.size(); i++) {
      const Part& part = *all.parts[i];
      if (part.is_removed) continue;
      auto& of_group = divisions[group(i)];
      of_group = stricter(of_group, division_in(part.address.family, part.steering));
    }
    for (auto& [tuple, division] : tuples) {
      const auto member = members_.find(tuple);
      if (member == members_.end()) continue;
      groups[tuple] = group(member->second);
      division = divisions[group(member->second)];
    }
    for (size_t family = 0; family < 2; family++) marks[family] = divisions[group(all.parts.size() + family)];
  }

 private:
  void add(const Part& part, size_t number, const OwnedTraffic& all) {
    const size_t of_marks = all.parts.size() + index_of(part.address.family);
    if (part.is_marked) join(number, of_marks);
    if (!part.is_marked && !part.is_removed) {
      auto& flags = places[key_of(part.address)].flags;
      flags |= host::bpf::STEAL_SERVICE;
      if (part.port == 0 && part.protocol == 0) flags |= host::bpf::STEAL_WHOLE;
      add_tuples(part.address, part.port, part.protocol, host::bpf::STEAL_TO_SERVICE, number);
      for (const auto& rule : all.marks) {
        if (may_carry(rule, part)) join(number, of_marks);
      }
    }
    for (const auto& server : part.nat_servers) {
      if (part.is_marked && server.port == 0) {
        places[key_of(server.address)].flags |= host::bpf::STEAL_MARKED;
        keeping_[key_of(server.address)] = of_marks;
        continue;
      }
      places[key_of(server.address)].flags |= host::bpf::STEAL_SERVER;
      const bool joins = part.is_marked || !part.is_removed;
      add_tuples(server.address, server.port, part.protocol, host::bpf::STEAL_FROM_SERVER,
                 joins ? std::optional(number) : std::nullopt);
    }
    for (const auto& server : part.tunnel_servers) places[key_of(server)].flags |= host::bpf::STEAL_TUNNEL;
  }
  void add_tuples(const wire::Address& to, uint16_t port, uint8_t protocol, host::bpf::steal_role role,
                  std::optional<size_t> member) {
    for (const uint8_t one : host::protocols_with_ports) {
      if (protocol != 0 && protocol != one) continue;
      const host::bpf::steal_tuple tuple = {key_of(to), port, one, static_cast<uint8_t>(role)};
      tuples[tuple] = {};
      if (!member) continue;
      const auto [entry, is_new] = members_.try_emplace(tuple, *member);
      if (!is_new) join(entry->second, *member);
    }
  }
  size_t group(size_t member) const {
    while (parents_[member] != member) member = parents_[member];
    return member;
  }
  void join(size_t a, size_t b) { parents_[group(a)] = group(b); }

  std::vector<size_t> parents_;
  std::map<host::bpf::steal_tuple, size_t, LessBytes> members_;
  std::map<host::bpf::steal_address, size_t, LessBytes> keeping_;
};

// Writes as Steal does, into a kernel that may refuse.
class Written {
 public:
  // False when a write was refused; `writes` are those that are not.
  bool update(const OwnedTraffic& wanted, size_t writes = SIZE_MAX) {
    writes_ = writes;
    tables_.want(wanted);
    const bool is_changing = tables_.settle(edition_, wanted.workers > 1);
    for (StealTables::Tuple* const tuple : tables_.touched_tuples()) {
      if (tuple->is_wanted() && !has(*tuple)) {
        if (!write()) return false;
        tables_.hold(*tuple, tuple->value);
      }
    }
    for (StealTables::Place* const place : tables_.touched_places()) {
      if (!place->is_wanted()) continue;
      if (!write()) return false;
      place->held = place->value();
    }
    if (!write()) return false;
    tables_.hold_marks();
    if (is_changing) edition_ ^= 1;
    for (StealTables::Place* const place : tables_.touched_places()) {
      if (place->is_wanted() || !place->held) continue;
      if (!write()) return false;
      place->held.reset();
    }
    for (StealTables::Tuple* const tuple : tables_.touched_tuples()) {
      if (tuple->is_wanted() || !tuple->held) continue;
      if (!write()) return false;
      tables_.hold(*tuple, std::nullopt);
    }
    tables_.finish();
    return true;
  }
  // The kernel has exactly what the computation from scratch says.
  void check(const OwnedTraffic& wanted) const {
    const Reference reference(wanted);
    size_t tuples = 0, places = 0;
    std::map<size_t, host::bpf::steal_steering> of_groups;
    tables_.for_each_tuple([&](const StealTables::Tuple& tuple) {
      tuples++;
      const auto expected = reference.tuples.find(tuple.key);
      REQUIRE(expected != reference.tuples.end());
      REQUIRE(tuple.held);
      const auto& steering = tuple.held->edition[edition_];
      check_division(steering, wanted.workers > 1 ? expected->second : Division());
      const auto group = reference.groups.find(tuple.key);
      if (group == reference.groups.end()) return;
      const auto& of_group = of_groups.try_emplace(group->second, steering).first->second;
      CHECK(std::memcmp(&of_group, &steering, sizeof steering) == 0);
    });
    tables_.for_each_place([&](const StealTables::Place& place) {
      places++;
      const auto expected = reference.places.find(place.key);
      REQUIRE(expected != reference.places.end());
      REQUIRE(place.held);
      CHECK(std::memcmp(&*place.held, &expected->second, sizeof *place.held) == 0);
    });
    CHECK(tuples == reference.tuples.size());
    CHECK(places == reference.places.size());
    for (size_t family = 0; family < 2; family++) {
      const auto& held = tables_.marks(family).held;
      REQUIRE(held);
      check_division(held->edition[edition_], wanted.workers > 1 ? reference.marks[family] : Division());
    }
  }
  TupleSet held() const {
    TupleSet all;
    tables_.for_each_tuple([&](const StealTables::Tuple& tuple) {
      if (tuple.held) all.insert(tuple.key);
    });
    return all;
  }

 private:
  static void check_division(const host::bpf::steal_steering& steering, const Division& expected) {
    const auto wanted = steering_for(expected);
    CHECK(std::ranges::equal(steering.bits, wanted.bits));
    CHECK((steering.flags & host::bpf::STEAL_BY_PORT) == wanted.flags);
  }
  static bool has(const StealTables::Tuple& tuple) {
    return tuple.held && std::memcmp(&*tuple.held, &tuple.value, sizeof tuple.value) == 0;
  }
  bool write() { return writes_ > 0 && writes_-- > 0; }

  StealTables tables_;
  uint32_t edition_ = 0;
  size_t writes_ = 0;
};

// Few addresses and ports, so that many services share them.
class RandomTraffic {
 public:
  explicit RandomTraffic(uint32_t seed) : numbers_(seed) {}

  uint32_t number(uint32_t below) { return static_cast<uint32_t>(numbers_()) % below; }
  bool one_in(uint32_t count) { return number(count) == 0; }

  OwnedTraffic after(const OwnedTraffic& before) {
    OwnedTraffic next = before;
    for (uint32_t changes = 1 + number(3); changes > 0; changes--) {
      const size_t at = next.parts.empty() ? 0 : number(static_cast<uint32_t>(next.parts.size()));
      if (next.parts.size() < 12 && !one_in(3)) {
        next.parts.push_back(std::make_shared<const Part>(part()));
      } else if (!next.parts.empty() && one_in(2)) {
        next.parts.erase(next.parts.begin() + static_cast<ptrdiff_t>(at));
      } else if (!next.parts.empty()) {
        Part edited = *next.parts[at];
        if (one_in(2)) edited.steering = steering();
        edited.nat_servers.push_back({server(), port()});
        next.parts[at] = std::make_shared<const Part>(std::move(edited));
      }
    }
    if (one_in(4)) next.marks = marks();
    if (one_in(4)) next.pools = pools();
    if (one_in(4)) next.host_addresses = {service(), server()};
    return next;
  }
  static OwnedTraffic both(const OwnedTraffic& now, const OwnedTraffic& next) {
    OwnedTraffic all = next;
    all.parts.insert(all.parts.end(), now.parts.begin(), now.parts.end());
    all.pools.insert(all.pools.end(), now.pools.begin(), now.pools.end());
    return all;
  }

 private:
  Part part() {
    Part part;
    part.is_marked = one_in(6);
    part.is_removed = one_in(6);
    part.address = part.is_marked ? wire::Address() : service();
    part.port = part.is_marked ? 0 : port();
    part.protocol = part.is_marked || one_in(4) ? 0 : one_in(2) ? wire::protocol::tcp : wire::protocol::udp;
    part.steering = steering();
    for (uint32_t servers = number(4); servers > 0; servers--) part.nat_servers.push_back({server(), port()});
    if (one_in(5)) part.tunnel_servers.push_back(server());
    return part;
  }
  wire::Address service() { return address("10.0.1." + std::to_string(number(6))); }
  wire::Address server() { return address("10.0.2." + std::to_string(number(8))); }
  uint16_t port() { return static_cast<uint16_t>(number(3) * 80); }
  OwnedTraffic::Steering steering() {
    OwnedTraffic::Steering steering;
    if (one_in(4)) steering = {.by_port = false, .ipv4_prefix = static_cast<uint8_t>(one_in(2) ? 32 : 24)};
    return steering;
  }
  std::vector<OwnedTraffic::Mark> marks() {
    std::vector<OwnedTraffic::Mark> all(number(3));
    for (OwnedTraffic::Mark& mark : all) {
      mark.destination = {service(), 32};
      mark.has_ipv4_service = one_in(2);
    }
    return all;
  }
  std::vector<OwnedTraffic::Pool> pools() {
    std::vector<OwnedTraffic::Pool> all(number(3));
    for (OwnedTraffic::Pool& pool : all) {
      const auto first = static_cast<uint16_t>(1024 + number(4) * 100);
      pool = {server(), first, static_cast<uint16_t>(first + 50 * number(4))};
    }
    return all;
  }

  std::mt19937 numbers_;
};

}  // namespace

TEST_CASE("tables kept up by differences are those computed from scratch, through prepare, commit and abort") {
  for (uint32_t seed = 1; seed <= 60; seed++) {
    CAPTURE(seed);
    RandomTraffic random(seed);
    Written written;
    OwnedTraffic now;
    now.workers = seed % 4 == 0 ? 1 : 2;
    for (int change = 0; change < 60; change++) {
      CAPTURE(change);
      const OwnedTraffic next = random.after(now), both = RandomTraffic::both(now, next);
      REQUIRE(written.update(both));
      written.check(both);
      if (!random.one_in(3)) now = next;
      REQUIRE(written.update(now));
      written.check(now);
    }
  }
}

TEST_CASE(
    "a kernel that refuses in the middle of a change keeps what both configurations have, and takes the rest later") {
  for (uint32_t seed = 1; seed <= 60; seed++) {
    CAPTURE(seed);
    RandomTraffic random(seed);
    Written written;
    OwnedTraffic now;
    now.workers = 2;
    REQUIRE(written.update(now));
    for (int change = 0; change < 60; change++) {
      CAPTURE(change);
      const OwnedTraffic next = random.after(now);
      const TupleSet before = written.held();
      if (!written.update(RandomTraffic::both(now, next), random.number(12))) {
        const TupleSet after = written.held();
        CHECK(std::ranges::includes(after, before, LessBytes()));
        // Another change instead, or the one before, is refused, too.
        static_cast<void>(written.update(random.one_in(2) ? now : random.after(now), random.number(6)));
      }
      now = random.one_in(2) ? now : next;
      REQUIRE(written.update(now));
      written.check(now);
    }
  }
}
