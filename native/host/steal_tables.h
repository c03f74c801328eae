// SPDX-License-Identifier: Apache-2.0
// The maps of places and tuples: what is wanted in them, and what the kernel has of it.
//
// Theory of operation
//
// A director with 10,000 services of 10 real servers owns 100,000 tuples, and a change concerns a few of them. So the
// tables are not computed anew: they count.
//
//   want(traffic)   parts that were not there add to the places and tuples that they own, parts that are there no more
//                   take from them. An entry that somebody counts on is wanted
//   settle()        gives tuples their steering, where it may be different from before
//   the owner       writes what of the touched entries is wanted in another way than it is held, and says so with
//   hold() finish()        all was written: nothing is touched any more
//
// What was touched stays touched until finish(), so that an update that the kernel refuses half-way is gone on with by
// the next one, whatever that one wants.
//
// Steering. A reply says from which real server it comes, and not of which service, so services that share a tuple are
// steered in one way, the strictest of theirs (bpf/steering.h). Such groups are the connected parts of this graph:
//
//   part ── its tuples                             a service and its real servers
//   tuple of a server's port ── the tuple of all its ports
//   part ── marks of its family                    by firewall mark, or carried by a rule of marks
//   tuple of a server ── marks of its family       where a service by firewall mark keeps ports of this server
//
// Groups are not stored. settle() walks through those that have been touched, from the tuples of parts that came or
// went: every group that has changed has such a tuple. It walks nowhere as long as all steering is the ordinary one:
// no service is persistent or limits its sources, and nothing is left of one that did.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "host/owned_traffic.h"
#include "host/steering.h"

namespace sluice::host {

class StealTables {
 public:
  struct Member;
  struct Place;

  // A vertex of the graph. A walk notes in it that it was there.
  struct Vertex {
    uint64_t walk = 0;
  };
  struct Tuple : Vertex {
    // A part that joins its tuples, and which of its edges leads here.
    struct User {
      Member* member;
      uint32_t edge;
    };
    bpf::steal_tuple key{};
    bpf::steal_steerings value{};              // as it is wanted
    std::optional<bpf::steal_steerings> held;  // by the kernel
    uint32_t count = 0;
    std::vector<User> users;
    Place* place = nullptr;  // of a real server's tuple
    uint32_t at_place = 0;   // where it is among the tuples of the place
    bool is_touched = false;
    bool is_wanted() const { return count != 0; }
  };
  struct Place {
    struct Range {
      uint16_t first, last;
    };
    bpf::steal_address key{};
    std::optional<bpf::steal_place> held;
    std::array<uint32_t, 8> counts{};  // by the number of the flag's bit
    std::vector<Range> ranges;         // of pools
    std::vector<Tuple*> tuples;        // of a real server
    uint32_t at_marks = 0;             // where it is among the places of marks, if it keeps ports
    bool is_touched = false;
    bpf::steal_place value() const;
    bool is_wanted() const { return value().flags != 0; }
    bool has(bpf::steal_place_flag flag) const;
  };
  // Services by firewall mark of a family.
  struct Marks : Vertex {
    bpf::steal_steerings value{};              // as it is wanted
    std::optional<bpf::steal_steerings> held;  // in the settings
    std::vector<Member*> members;
    std::vector<Place*> places;  // that keep ports
    bool is_touched = true;
  };
  // A part that is there.
  struct Member : Vertex {
    struct Edge {
      Tuple* tuple;
      uint32_t at_tuple;  // where it is among the users of the tuple; no_user: it does not join
    };
    std::shared_ptr<const OwnedTraffic::Part> part;
    std::vector<Edge> edges;
    uint64_t wanted = 0;               // by the latest call of want() with this number
    std::optional<uint32_t> at_marks;  // where it is among the members of marks
    Division division;
  };

  StealTables() = default;
  StealTables(const StealTables&) = delete;
  StealTables& operator=(const StealTables&) = delete;

  // From now on this is wanted. No call fails, and none writes to the kernel.
  void want(const OwnedTraffic& traffic);
  // Gives tuples both editions of their steering: what holds `now`, and what is to hold. True when they divide clients
  // differently, so that the change takes three steps. With one worker nobody is divided.
  bool settle(uint32_t now, bool is_divided);
  // Before a number of calls of note_stray().
  void begin_strays() { walk_++; }
  // A flow is not where the steering has it: the map of strays is to be asked about its group.
  void note_stray(const PlacedFlow& flow);
  // The kernel has this value now, or none.
  void hold(Tuple& tuple, const std::optional<bpf::steal_steerings>& value);
  void hold_marks();
  void finish();

  const std::vector<Tuple*>& touched_tuples() const { return touched_tuples_; }
  const std::vector<Place*>& touched_places() const { return touched_places_; }
  const Marks& marks(size_t family) const { return marks_[family]; }
  // As wanted. nullptr for a flow whose service is gone.
  const bpf::steal_steerings* steering_of(const PlacedFlow& flow) const;

  template <class Visit>
  void for_each_tuple(Visit visit) const {
    for (const auto& [key, tuple] : tuples_) visit(tuple);
  }
  template <class Visit>
  void for_each_place(Visit visit) const {
    for (const auto& [key, place] : places_) visit(place);
  }

 private:
  static constexpr uint32_t no_user = UINT32_MAX;
  struct HashBytes {
    template <class T>
    size_t operator()(const T& key) const;
  };
  struct EqualBytes {
    template <class T>
    bool operator()(const T& a, const T& b) const {
      return std::memcmp(&a, &b, sizeof a) == 0;
    }
  };
  struct Group {
    std::vector<Tuple*> tuples;
    std::vector<Marks*> marks;
    std::vector<Member*> members;
    Division division;
  };

  void add(Member& member);
  void remove(Member& member);
  void join(Member& member, const bpf::steal_tuple& key, bool is_joining);
  void leave(const Member::Edge& edge);
  void count(const wire::Address& address, bpf::steal_place_flag flag, int by);
  void carry(Member& member);
  void leave_marks(Member& member);
  void keep_ports(Place& place);
  void let_ports_go(Place& place);
  Place& place_of(const bpf::steal_address& key);
  void touch(Place& place);
  void touch(Tuple& tuple);
  static bpf::steal_tuple tuple_of(const PlacedFlow& flow);
  void want_pools(const std::vector<OwnedTraffic::Pool>& pools);
  void want_host_addresses(const std::vector<wire::Address>& addresses);
  Tuple* user_of_every_port(const Tuple& tuple);

  bool is_ordinary() const;
  Group group_of(Tuple* tuple, Marks* marks);
  void reach(Group& group, Tuple& tuple) const;
  void reach(Group& group, Marks& marks) const;
  void reach(Group& group, Member& member) const;
  bool settle(Group& group, uint32_t now);
  template <class Use>
  void for_each_touched_group(Use use);

  std::unordered_map<bpf::steal_tuple, Tuple, HashBytes, EqualBytes> tuples_;
  std::unordered_map<bpf::steal_address, Place, HashBytes, EqualBytes> places_;
  std::unordered_map<const OwnedTraffic::Part*, Member> members_;
  std::array<Marks, 2> marks_;  // IPv4, IPv6
  std::vector<OwnedTraffic::Mark> rules_;
  std::vector<OwnedTraffic::Pool> pools_;
  std::vector<wire::Address> host_addresses_;
  std::vector<Tuple*> touched_tuples_;
  std::vector<Place*> touched_places_;
  size_t restricted_ = 0;       // parts whose division is not the ordinary one
  size_t held_restricted_ = 0;  // tuples whose steering is held and not the ordinary one
  uint64_t walk_ = 0, wanted_ = 0;
};

}  // namespace sluice::host
