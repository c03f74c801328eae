// SPDX-License-Identifier: Apache-2.0
// A BPF program as classifier of an interface's ingress (clsact), for kernels without tcx. It is found again by its
// name.
#pragma once

#include <cstdint>

#include "host/failure.h"

namespace sluice::host {

// Replaces one that is there under our name. `made_qdisc`: the interface had no clsact before.
bool add_classifier(uint32_t interface, int program, bool& made_qdisc, Failure& failure);
// Also when the interface or the classifier is gone already.
void remove_classifier(uint32_t interface, bool with_qdisc);
// On all interfaces, whoever has added them; a clsact that nothing is left in goes too.
bool remove_classifiers(Failure& failure);

}  // namespace sluice::host
