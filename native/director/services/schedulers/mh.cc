// SPDX-License-Identifier: Apache-2.0
// mh: Maglev hashing. Every server has a permutation of all places of a table, made of an offset and a skip that depend
// on its address and port. Servers take turns (several per round, by weight) at taking the next free place of their
// permutation until the table is full. A client hashes to a place. If a server leaves, its places are shared out, and
// few other places change. Eisenbud et al.: Maglev, NSDI 2016, 3.4.
//
// mh-port also hashes the client's port. A server that is not usable keeps its places (a drained one by its previous
// weight, so that nothing moves); its clients get no server unless mh-fallback hashes them again.
//
// The first new flow after a change fills the table, so a service that gets a thousand servers in a row fills it once.
// Filling takes some 50 us and no new memory.
#include <algorithm>
#include <bit>
#include <numeric>

#include "director/services/schedulers/hash.h"
#include "director/services/schedulers/make.h"
#include "director/services/schedulers/reasons.h"

namespace sluice::director::schedulers {
namespace {

constexpr uint32_t place_count = 4093;  // prime; the kernel's at CONFIG_IP_VS_MH_TAB_INDEX=12, its default
constexpr int most_turns_bits = 6;      // turns per round stay below 2^6, by the same setting
constexpr uint16_t nobody = 0xffff;
constexpr core::SipKey place_key{2654435761, 2654435761};  // the kernel's fixed keys
constexpr core::SipKey skip_key{2654446892, 2654446892};

int32_t lasting_weight(const Destination& d) {
  return d.weight > 0 ? d.weight : std::max(d.last_weight, 0);
}

class MaglevHash final : public Scheduler {
 public:
  explicit MaglevHash(const SchedulerContext& context) : destinations_(context.destinations), flags_(context.flags) {
    destinations_changed(nullptr);
  }

  Destination* pick(const ScheduleRequest& request, Trace* trace) override {
    if (stale_) fill_places(request.client.family);
    const uint16_t port = hashed_port(request, flags_);
    const uint32_t key = port + fold_address(request.client, request.client.family);
    const uint32_t place = hsiphash(key, place_key) % place_count;
    Destination* d = server_at(place);
    if (d == nullptr) return decide(trace, "mh", nullptr);
    if (trace != nullptr) {
      trace->say("client %s port %u hashes to place %u of %u: %s%s%s", wire::to_string(request.client).c_str(), port,
                 place, place_count, name_of(*d).c_str(), d->is_usable() ? "" : ", ",
                 d->is_usable() ? "" : why_unusable(*d).c_str());
    }
    if (d->is_usable()) return decide(trace, "mh", d);
    return decide(trace, "mh", (flags_ & flag_1) != 0 ? fall_back(key, place, trace) : nullptr);
  }

  void destinations_changed(const Destination*) override {
    places_.resize(place_count);
    permutations_.resize(std::min<size_t>(destinations_.size(), place_count));
    stale_ = true;
  }

 private:
  struct Permutation {
    uint32_t next = 0, skip = 0;
    int32_t turns = 0;
  };

  // Hashes again as the kernel does, with what the table's places would add, beginning at the client's own place. First
  // checks whether any server is usable: in a flood of new flows, 4093 hashes in vain would cost too much.
  Destination* fall_back(uint32_t key, uint32_t place, Trace* trace) {
    const auto usable = [](const Destination* d) { return d->is_usable(); };
    if (std::none_of(destinations_.begin(), destinations_.end(), usable)) return nullptr;
    for (uint32_t step = 0; step < place_count; step++) {
      const uint32_t other = hsiphash((place + step) % place_count + key, place_key) % place_count;
      Destination* d = server_at(other);
      if (d == nullptr || !d->is_usable()) continue;
      if (trace != nullptr)
        trace->say("mh-fallback: place %u has %s, found at step %u", other, name_of(*d).c_str(), step);
      return d;
    }
    return nullptr;
  }

  // The servers that share the table: all, or the oldest that fit. Newer servers are in front of them in the list.
  size_t first_sharing() const { return destinations_.size() - permutations_.size(); }

  Destination* server_at(uint32_t place) const {
    return places_[place] == nobody ? nullptr : destinations_[first_sharing() + places_[place]];
  }

  void fill_places(wire::Family family) {
    stale_ = false;
    std::fill(places_.begin(), places_.end(), nobody);
    if (!make_permutations(family)) return;
    for (uint32_t filled = 0;;) {
      for (size_t i = 0; i < permutations_.size(); i++) {
        Permutation& p = permutations_[i];
        for (int32_t turn = 0; turn < p.turns; turn++) {
          while (places_[p.next] != nobody) {
            p.next += p.skip;
            if (p.next >= place_count) p.next -= place_count;
          }
          places_[p.next] = static_cast<uint16_t>(i);
          if (++filled == place_count) return;
        }
      }
    }
  }

  // False if no server has a weight.
  bool make_permutations(wire::Family family) {
    const size_t first = first_sharing();
    int32_t step = 0, greatest = 0;
    for (size_t i = first; i < destinations_.size(); i++) {
      step = std::gcd(step, lasting_weight(*destinations_[i]));
      greatest = std::max(greatest, lasting_weight(*destinations_[i]));
    }
    if (step == 0) return false;
    const int bits = static_cast<int>(std::bit_width(static_cast<uint32_t>(greatest / step)));
    const int shift = std::max(0, bits - most_turns_bits);
    for (size_t i = first; i < destinations_.size(); i++) {
      const Destination& d = *destinations_[i];
      const uint32_t key = d.port + fold_address(d.address, family);
      const int32_t weight = lasting_weight(d);
      Permutation& p = permutations_[i - first];
      p.next = hsiphash(key, place_key) % place_count;
      p.skip = hsiphash(key, skip_key) % (place_count - 1) + 1;
      p.turns = weight > 0 ? std::max(1, (weight / step) >> shift) : 0;
    }
    return true;
  }

  const Destinations& destinations_;
  const uint8_t flags_;
  bool stale_ = true;
  std::vector<uint16_t> places_;           // index of a server among those that share the table
  std::vector<Permutation> permutations_;  // of each server that shares the table
};

}  // namespace

std::unique_ptr<Scheduler> make_mh(SchedulerContext context) {
  return std::make_unique<MaglevHash>(context);
}

}  // namespace sluice::director::schedulers
