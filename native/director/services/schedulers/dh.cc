// SPDX-License-Identifier: Apache-2.0
// dh: by the hash of the destination address, for groups of caches in front of many addresses (services by firewall
// mark). 256 places; the servers take them in turn, whatever their weights. If a server is not usable, its addresses
// get no server.
#include "director/services/schedulers/hash.h"
#include "director/services/schedulers/make.h"
#include "director/services/schedulers/reasons.h"

namespace sluice::director::schedulers {
namespace {

constexpr unsigned place_bits = 8;  // the kernel's CONFIG_IP_VS_DH_TAB_BITS

class DestinationHash final : public Scheduler {
 public:
  explicit DestinationHash(const Destinations& destinations) : destinations_(destinations) {}

  Destination* pick(const ScheduleRequest& request, Trace* trace) override {
    if (destinations_.empty()) return decide(trace, "dh", nullptr);
    const wire::Address& address = request.virtual_address;
    const uint32_t place = hash_32(fold_address(address, address.family), place_bits);
    Destination* d = destinations_[place % destinations_.size()];
    if (trace != nullptr) {
      trace->say("destination %s hashes to place %u of %u: %s%s%s", wire::to_string(address).c_str(), place,
                 1u << place_bits, name_of(*d).c_str(), d->is_usable() ? "" : ", ",
                 d->is_usable() ? "" : why_unusable(*d).c_str());
    }
    return decide(trace, "dh", d->is_usable() ? d : nullptr);
  }
  void destinations_changed(const Destination*) override {}

 private:
  const Destinations& destinations_;
};

}  // namespace

std::unique_ptr<Scheduler> make_dh(SchedulerContext context) {
  return std::make_unique<DestinationHash>(context.destinations);
}

}  // namespace sluice::director::schedulers
