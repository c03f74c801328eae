// SPDX-License-Identifier: Apache-2.0
// sh: by the hash of the client's address; with sh-port, of its address and port. 256 places, which the servers take in
// turn: per turn as many places as a server's weight, at least one. If a server is not usable, its clients get no
// server, unless sh-fallback looks for another one: from twice the client's place onwards.
#include <array>

#include "director/services/schedulers/hash.h"
#include "director/services/schedulers/make.h"
#include "director/services/schedulers/reasons.h"

namespace sluice::director::schedulers {
namespace {

constexpr unsigned place_bits = 8;  // the kernel's CONFIG_IP_VS_SH_TAB_BITS
constexpr uint32_t place_count = 1u << place_bits;

class SourceHash final : public Scheduler {
 public:
  explicit SourceHash(const SchedulerContext& context) : destinations_(context.destinations), flags_(context.flags) {
    fill_places();
  }

  Destination* pick(const ScheduleRequest& request, Trace* trace) override {
    if (destinations_.empty()) return decide(trace, "sh", nullptr);
    const uint16_t port = hashed_port(request, flags_);
    const uint32_t place = hash_32(port + fold_address(request.client, request.client.family), place_bits);
    Destination* d = destinations_[places_[place]];
    if (trace != nullptr) {
      trace->say("client %s port %u hashes to place %u of %u: %s%s%s", wire::to_string(request.client).c_str(), port,
                 place, place_count, name_of(*d).c_str(), d->is_usable() ? "" : ", ",
                 d->is_usable() ? "" : why_unusable(*d).c_str());
    }
    if (d->is_usable()) return decide(trace, "sh", d);
    return decide(trace, "sh", (flags_ & flag_1) != 0 ? fall_back(place, trace) : nullptr);
  }

  void destinations_changed(const Destination*) override { fill_places(); }

 private:
  Destination* fall_back(uint32_t place, Trace* trace) {
    for (uint32_t step = 0; step < place_count; step++) {
      const uint32_t other = (2 * place + step) % place_count;
      Destination* d = destinations_[places_[other]];
      if (!d->is_usable()) continue;
      if (trace != nullptr) trace->say("sh-fallback: place %u has %s", other, name_of(*d).c_str());
      return d;
    }
    return nullptr;
  }

  void fill_places() {
    size_t index = 0;
    int32_t filled = 0;
    for (uint8_t& place : places_) {
      if (index >= destinations_.size()) index = 0;
      place = static_cast<uint8_t>(index);
      if (!destinations_.empty() && ++filled >= destinations_[index]->weight) {
        index++;
        filled = 0;
      }
    }
  }

  const Destinations& destinations_;
  const uint8_t flags_;
  std::array<uint8_t, place_count>
      places_;  // index of a server: each takes at least one place, so servers after the 256th have none
};

}  // namespace

std::unique_ptr<Scheduler> make_sh(SchedulerContext context) {
  return std::make_unique<SourceHash>(context);
}

}  // namespace sluice::director::schedulers
