// SPDX-License-Identifier: Apache-2.0
// A BPF program as a classifier at an interface's ingress (clsact), for kernels without tcx. The classifier has a name,
// by which a later process finds it.
#pragma once

#include <cstdint>
#include <span>

#include "host/failure.h"

namespace sluice::host {

// Whether the interface has a classifier of our name, which another process has left.
bool has_classifier(uint32_t interface, bool& has, Failure& failure);
// Adds the classifier, or replaces the one of our name: each packet meets either the old program or the new one.
// `made_qdisc`: the interface had no clsact before.
bool add_classifier(uint32_t interface, int program, bool& made_qdisc, Failure& failure);
// Does nothing where the interface or the classifier is gone already.
void remove_classifier(uint32_t interface, bool with_qdisc);
// Removes a classifier that another process has added, and clsact itself if it has no other classifier.
bool clean_classifier(uint32_t interface, Failure& failure);
// Does that on all interfaces except those that are `staying`.
bool clean_classifiers(std::span<const uint32_t> staying, Failure& failure);

}  // namespace sluice::host
