// SPDX-License-Identifier: Apache-2.0
// ring: consistent hashing with bounded loads. Not one of the kernel's.
//
// Every server stands at many points of a ring of 32-bit numbers, as many as its weight says. A client hashes to a
// number and gets the server of the next point up. If a server leaves, its arcs go to the points after them, and no
// other client moves. The number of points depends only on the server's own weight and on the power of two in the
// heaviest server's weight (the heaviest server gets 128 to 255 points). So adding a server moves only the clients that
// it takes over, and a change of weight moves clients in proportion, unless the heaviest weight crosses a power of two.
//
// Bounded load (Mirrokni, Thorup, Zadimoghaddam: Consistent hashing with bounded loads, 2018): no server gets a new
// flow that would bring it above c = 1.25 times its share of all flows; the walk goes on to the next server up the
// ring. The walk also passes unusable servers, which get their clients back when they recover. The bound needs the sum
// of all flows. The sum is renewed every n/4 picks with n servers, so it costs four additions per pick and is at most a
// quarter of a flow per server behind.
//
// The client's port is hashed with flag 2, as in mh-port. The first new flow after a change builds the ring.
#include <algorithm>
#include <bit>
#include <tuple>

#include "director/services/schedulers/make.h"
#include "director/services/schedulers/mix.h"
#include "director/services/schedulers/reasons.h"

namespace sluice::director::schedulers {
namespace {

constexpr int heaviest_bits = 8;  // 128 to 255 points for the heaviest server: shares within some 8 % of the weights
constexpr uint64_t bound_numerator = 5, bound_denominator = 4;  // c = 1.25: 9 in 10 picks need no second look

uint64_t flows_at(const Destination& d) {
  return uint64_t{d.active} + d.inactive;
}

class Ring final : public Scheduler {
 public:
  explicit Ring(const SchedulerContext& context) : destinations_(context.destinations), flags_(context.flags) {
    destinations_changed(nullptr);
  }

  Destination* pick(const ScheduleRequest& request, Trace* trace) override {
    if (stale_) build();
    if (points_.empty()) return decide(trace, "ring", nullptr);
    if (picks_until_sum_-- == 0) sum_loads();
    const uint16_t port = (flags_ & flag_2) != 0 ? request.client_port : 0;
    const uint32_t key = static_cast<uint32_t>(hash_endpoint(request.client, port) >> 32);
    if (trace != nullptr) {
      trace->say("client %s port %u hashes to %08x on a ring of %zu points", wire::to_string(request.client).c_str(),
                 port, key, points_.size());
    }
    return decide(trace, "ring", walk(key, trace));
  }

  void destinations_changed(const Destination*) override {
    points_.resize(place_points());
    stale_ = true;
  }

 private:
  struct Point {
    uint32_t at, server;  // index of the server
  };

  // The first server up the ring that has room; if none has, the first usable one.
  Destination* walk(uint32_t key, Trace* trace) {
    const auto below = [](const Point& p, uint32_t number) { return p.at < number; };
    size_t i = static_cast<size_t>(std::lower_bound(points_.begin(), points_.end(), key, below) - points_.begin());
    ServerLines lines(trace);
    Destination* first_usable = nullptr;
    const Destination* seen = nullptr;
    for (size_t step = 0; step < points_.size(); step++, i++) {
      if (i >= points_.size()) i = 0;
      Destination* d = destinations_[points_[i].server];
      if (d == seen) continue;
      seen = d;
      if (!d->is_usable()) {
        lines.pass_by(*d);
        continue;
      }
      const uint64_t bound = bound_of(*d);
      const bool room = flows_at(*d) < bound;
      if (Trace* line = lines.next()) {
        line->say("%s at %08x: %llu of at most %llu flows%s", name_of(*d).c_str(), points_[i].at,
                  static_cast<unsigned long long>(flows_at(*d)), static_cast<unsigned long long>(bound),
                  room ? "" : ", full");
      }
      if (room) return d;
      if (first_usable == nullptr) first_usable = d;
    }
    return first_usable;
  }

  // The server's share by weight of all flows and the new one, times c, rounded up.
  uint64_t bound_of(const Destination& d) const {
    const double share = static_cast<double>(d.weight) / static_cast<double>(std::max<uint64_t>(weights_, 1));
    return 1 + static_cast<uint64_t>(share * static_cast<double>((flows_ + 1) * bound_numerator / bound_denominator));
  }

  void sum_loads() {
    flows_ = weights_ = 0;
    for (const Destination* d : destinations_) {
      if (!d->is_usable()) continue;
      flows_ += flows_at(*d);
      weights_ += static_cast<uint64_t>(d->weight);
    }
    picks_until_sum_ = destinations_.size() / 4;
  }

  int points_shift() const {
    int32_t heaviest = 0;
    for (const Destination* d : destinations_) heaviest = std::max(heaviest, d->weight);
    return heaviest_bits - std::bit_width(static_cast<uint32_t>(heaviest));
  }
  static size_t points_of(const Destination& d, int shift) {
    if (d.weight <= 0) return 0;
    const size_t weight = static_cast<size_t>(d.weight);
    return std::max<size_t>(1, shift >= 0 ? weight << shift : weight >> -shift);
  }
  size_t place_points() const {
    const int shift = points_shift();
    size_t sum = 0;
    for (const Destination* d : destinations_) sum += points_of(*d, shift);
    return sum;
  }

  void build() {
    stale_ = false;
    const int shift = points_shift();
    auto point = points_.begin();
    for (size_t i = 0; i < destinations_.size(); i++) {
      const Destination& d = *destinations_[i];
      const uint64_t name = hash_endpoint(d.address, d.port);
      for (size_t n = 0; n < points_of(d, shift); n++) {
        *point++ = {static_cast<uint32_t>(mix(name + n * 0x9e3779b97f4a7c15) >> 32), static_cast<uint32_t>(i)};
      }
    }
    // Points at the same number are ordered by server, not by the list, because the list differs between balancers.
    std::sort(points_.begin(), points_.end(), [this](const Point& a, const Point& b) {
      const auto order = [this](const Point& p) {
        const Destination& d = *destinations_[p.server];
        return std::make_tuple(p.at, d.address.bytes, d.port);
      };
      return a.at != b.at ? a.at < b.at : order(a) < order(b);
    });
    picks_until_sum_ = 0;
  }

  const Destinations& destinations_;
  const uint8_t flags_;
  bool stale_ = true;
  std::vector<Point> points_;
  uint64_t flows_ = 0, weights_ = 0;  // of the usable servers, at the last sum
  size_t picks_until_sum_ = 0;
};

}  // namespace

std::unique_ptr<Scheduler> make_ring(SchedulerContext context) {
  return std::make_unique<Ring>(context);
}

}  // namespace sluice::director::schedulers
