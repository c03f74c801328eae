// SPDX-License-Identifier: Apache-2.0
// Any bytes as an IP packet that may answer a health check's segment. What is found must be one thing: a segment or an
// error about one, of two ends of one family.
#include <cstdlib>
#include <vector>

#include "probe/segments.h"

using namespace sluice;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Memory of exactly this size, so that a read beyond it is found.
  const std::vector<uint8_t> packet(data, data + size);
  const auto found = probe::arrived(packet);
  if (!found) return 0;
  if (found->ends.local.family != found->ends.service.family) std::abort();
  if (found->error != 0 && (found->flags != 0 || found->acknowledgement != 0)) std::abort();
  return 0;
}
