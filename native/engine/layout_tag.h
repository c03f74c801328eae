// SPDX-License-Identifier: Apache-2.0
// By what a process knows that the crash state (crash_state.h) was written by a process of its own build.
//
// The memory files hold structures as they lie in memory. Another build may have other fields, or mean other things by
// the same fields: an upgrade in place that is followed by a crash must not have the new program read the old one's
// flows. The tag is a hash of two things:
//   - sizes and offsets of the structures, and the numbers that their fields are made of;
//   - the build's identity, which the linker has computed from all that it has linked (the note NT_GNU_BUILD_ID). It
//     changes with every change of the native code, so it is stricter than a version number. A program that was linked
//     without such a note has the first part alone.
#pragma once

#include <cstdint>
#include <span>

namespace sluice::engine {

uint64_t layout_tag();
// The same for another build identity.
uint64_t layout_tag_of(std::span<const uint8_t> build);
// The build identity of this very program or module; empty where it has none.
std::span<const uint8_t> build_identity();

}  // namespace sluice::engine
