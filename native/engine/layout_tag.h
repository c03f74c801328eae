// SPDX-License-Identifier: Apache-2.0
// Tells a process whether a build that keeps flows as its own has written the crash state (crash_state.h).
//
// The memory files hold structures as they lie in memory. Another build may have other fields, or give the same fields
// another meaning: after an upgrade in place, the new program must not misread the flows of the old one. The tag is a
// hash of the sizes and offsets of the structures, of the numbers and states that their fields use, and of a number
// that is raised when a field gets another meaning. Builds with the same tag read each other's flows, so that
// connections survive an upgrade; a record that contradicts itself is left out in any case
// (director/tracking/restore.cc).
#pragma once

#include <cstdint>

namespace sluice::engine {

uint64_t layout_tag();

}  // namespace sluice::engine
