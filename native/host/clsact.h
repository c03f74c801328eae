// SPDX-License-Identifier: Apache-2.0
// A BPF program as classifier of an interface's ingress (clsact), for kernels without tcx. It is found again by its
// name.
#pragma once

#include <cstdint>
#include <span>

#include "host/failure.h"

namespace sluice::host {

// Whether somebody has left one on an interface, under our name.
bool has_classifier(uint32_t interface, bool& has, Failure& failure);
// Replaces one that is there under our name: a packet meets the old program or the new one. `made_qdisc`: the interface
// had no clsact before.
bool add_classifier(uint32_t interface, int program, bool& made_qdisc, Failure& failure);
// Also when the interface or the classifier is gone already.
void remove_classifier(uint32_t interface, bool with_qdisc);
// Of one that another process has added first: a clsact that nothing is left in goes too.
bool clean_classifier(uint32_t interface, Failure& failure);
// The same on all interfaces, but those that stay.
bool clean_classifiers(std::span<const uint32_t> staying, Failure& failure);

}  // namespace sluice::host
