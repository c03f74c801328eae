// SPDX-License-Identifier: Apache-2.0
// Stealing by nftables at netdev ingress, for hosts where BPF may not be used. The rules are one table, replaced as a
// whole in one transaction.
#pragma once

#include <string>
#include <vector>

#include "host/failure.h"
#include "host/owned_traffic.h"

namespace sluice::host {

// In nft's language; removes the table that is there before.
std::string rules_of(const OwnedTraffic& owned_traffic, const std::vector<std::string>& interfaces);
// Gives them to nft(8).
bool apply_rules(const std::string& rules, Failure& failure);
// Whether nft(8) is there and would take rules; nothing changes.
bool can_apply_rules(Failure& failure);
// Whether or not there are any.
bool remove_rules(Failure& failure);

}  // namespace sluice::host
