// SPDX-License-Identifier: Apache-2.0
// Any bytes as a pcapng file. The packets that were read, written as pcapng, must be read alike.
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "capture_fuzz.h"
#include "port/pcapng_writer.h"

using namespace sluice::port;

namespace {

// The interfaces get new numbers, in the order of their first packets.
void check_rewriting(const Reading& reading) {
  MemorySink sink;
  PcapngWriter writer(sink);
  require(writer.begin());
  std::map<uint32_t, uint32_t> written_as;
  std::vector<ReadPacket> expected;
  for (ReadPacket packet : reading.packets) {
    const auto [found, is_new] =
        written_as.try_emplace(packet.interface_index, static_cast<uint32_t>(written_as.size()));
    if (is_new) require(writer.add_interface(packet.link_type, std::string(written_as.size() % 6, 'e')));
    packet.interface_index = found->second;
    const std::string comment(packet.bytes.size() % 5, 'c');
    require(writer.write(packet.interface_index, packet.time_ns, packet.original_length, packet.bytes, comment));
    expected.push_back(packet);
  }
  const Reading again = read_all(sink.bytes());
  require(!again.failed);
  require(again.packets == expected);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  check_rewriting(fuzz_reading({data, size}));
  return 0;
}
