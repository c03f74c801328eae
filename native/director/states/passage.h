// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace sluice::director {

// Which way a packet goes through the director, for the state of its connection. Of a connection in DR, tunnel or local
// mode the director sees the client's packets alone and takes them for both sides' (`input_only`), until a packet of
// the server proves otherwise.
enum class Passage : uint8_t { input, output, input_only };

}  // namespace sluice::director
