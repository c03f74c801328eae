// SPDX-License-Identifier: Apache-2.0
// A BPF program as a classifier at an interface's ingress or egress (clsact), for kernels without tcx. The classifier
// has a name, by which a later process finds it.
#pragma once

#include <cstdint>
#include <span>

#include "host/failure.h"

namespace sluice::host {

enum class End : uint8_t { ingress, egress };

// Whether the ingress has a classifier of our name, which another process has left.
bool has_classifier(uint32_t interface, bool& has, Failure& failure);
// Adds the classifier, or replaces the one of our name: each packet meets either the old program or the new one.
// `made_qdisc`: the interface had no clsact before.
bool add_classifier(uint32_t interface, End end, int program, bool& made_qdisc, Failure& failure);
// Does nothing where the interface or the classifier is gone already.
void remove_classifier(uint32_t interface, End end, bool with_qdisc);
// Removes the classifiers that another process has added, and clsact itself if it has no other classifier.
bool clean_classifier(uint32_t interface, Failure& failure);
// Does that on all interfaces, except at the ingress or the egress of those where ours stay.
struct Staying {
  std::span<const uint32_t> ingress, egress;
};
bool clean_classifiers(const Staying& staying, Failure& failure);

}  // namespace sluice::host
