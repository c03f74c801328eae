// SPDX-License-Identifier: Apache-2.0
// Tells a process whether its own build has written the crash state (crash_state.h).
//
// The memory files hold structures as they lie in memory. Another build may have other fields, or give the same fields
// another meaning: after an upgrade in place and a crash, the new program must not read the flows of the old one. The
// tag is a hash of two things:
//   - sizes and offsets of the structures, and the numbers that their fields use;
//   - the identity of the build, which the linker computes from everything that it links (the note NT_GNU_BUILD_ID).
//     It changes with every change of the native code, so it is stricter than a version number. If a program was linked
//     without that note, its tag consists of the first part only.
#pragma once

#include <cstdint>
#include <span>

namespace sluice::engine {

uint64_t layout_tag();
// As layout_tag(), for another build identity.
uint64_t layout_tag_of(std::span<const uint8_t> build);
// The build identity of this program or module; empty if it has none.
std::span<const uint8_t> build_identity();

}  // namespace sluice::engine
