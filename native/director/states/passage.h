// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace sluice::director {

// The direction of a packet, for the state of its connection. In DR, tunnel or local mode the director sees only the
// client's packets and counts them for both sides (`input_only`), until it sees a packet of the server.
enum class Passage : uint8_t { input, output, input_only };

}  // namespace sluice::director
