// SPDX-License-Identifier: Apache-2.0
// Virtual addresses that another host on the network claims: a real server that answers for the address on its
// loopback, another balancer that was not stopped, a mistake.
#pragma once

#include <vector>

#include "core/time.h"
#include "director/network/frame.h"
#include "wire/address.h"

namespace sluice::director {

struct AddressConflict {
  wire::Address address;
  wire::MacAddress mac;  // of the host that claims the address
  PortId port = 0;
  Time last = 0;  // time of the last claim
};

class AddressConflicts {
 public:
  // As many as a person can look into. Everybody on the link can send claims for free.
  static constexpr size_t limit = 16;

  void note(const AddressConflict& claim) {
    for (AddressConflict& known : conflicts_) {
      if (known.address == claim.address && known.mac == claim.mac && known.port == claim.port) {
        known.last = claim.last;
        return;
      }
    }
    if (conflicts_.size() < limit) conflicts_.push_back(claim);
  }
  const std::vector<AddressConflict>& all() const { return conflicts_; }

 private:
  std::vector<AddressConflict> conflicts_;
};

}  // namespace sluice::director
