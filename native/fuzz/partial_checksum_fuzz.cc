// SPDX-License-Identifier: Apache-2.0
// Any bytes as a frame that came by AF_XDP. Bytes beyond it are not touched, at most one checksum is changed, and a
// complete checksum stays.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "port/partial_checksum.h"

using namespace sluice;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<uint8_t> before(data, data + size);
  std::vector<uint8_t> once = before;
  port::complete_partial_checksum(once);
  const auto [changed, there] = std::mismatch(before.begin(), before.end(), once.begin());
  const auto left = static_cast<size_t>(before.end() - changed);
  constexpr size_t longest_checksum = 4;  // SCTP's
  if (left > longest_checksum) require(std::equal(changed + longest_checksum, before.end(), there + longest_checksum));
  std::vector<uint8_t> twice = once;
  port::complete_partial_checksum(twice);
  require(twice == once);
  return 0;
}
