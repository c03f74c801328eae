// SPDX-License-Identifier: Apache-2.0
// Stealing by nftables at netdev ingress, for hosts that do not allow BPF. The rules are one table. One transaction
// replaces the whole table. A packet that is on its way through the hook meanwhile meets the old chain first and then
// the new one: so it is stolen by the old rules, or, if these have just gone, by the new ones. In the other order it
// could pass both.
#pragma once

#include <string>
#include <vector>

#include "host/failure.h"
#include "host/owned_traffic.h"

namespace sluice::host {

// The rules in nft's language. They begin with the removal of the table that is there. Chains of a lower priority come
// first.
std::string rules_of(const OwnedTraffic& owned_traffic, const std::vector<std::string>& interfaces, int priority);
// The priority after that of the chain that is there.
int next_priority();
// Gives rules to nft(8).
bool apply_rules(const std::string& rules, Failure& failure);
// Whether nft(8) is there and would take rules; nothing changes.
bool can_apply_rules(Failure& failure);
// Removes the table if there is one.
bool remove_rules(Failure& failure);

}  // namespace sluice::host
