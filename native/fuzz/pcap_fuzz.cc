// SPDX-License-Identifier: Apache-2.0
// Any bytes as a pcap file. The packets that were read, written as pcap, must be read alike.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "capture_fuzz.h"
#include "port/pcap_writer.h"

using namespace sluice::port;

namespace {

void check_rewriting(const Reading& reading) {
  for (const PcapPrecision precision : {PcapPrecision::microseconds, PcapPrecision::nanoseconds}) {
    const uint64_t tick = precision == PcapPrecision::microseconds ? 1000 : 1;
    MemorySink sink;
    PcapWriter writer(sink, precision);
    require(writer.begin(reading.packets[0].link_type));
    std::vector<ReadPacket> expected;
    for (ReadPacket packet : reading.packets) {
      // A fraction of many seconds can carry beyond 2106, which the writer refuses.
      const bool fits = packet.time_ns / nanoseconds_per_second <= UINT32_MAX;
      require(writer.write(packet.time_ns, packet.original_length, packet.bytes) == fits);
      packet.time_ns -= packet.time_ns % tick;
      if (fits) expected.push_back(packet);
    }
    const Reading again = read_all(sink.bytes());
    require(!again.failed);
    require(again.packets == expected);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Reading reading = fuzz_reading({data, size});
  const auto of_one_interface = [&](const ReadPacket& packet) {
    return packet.interface_index == 0 && packet.link_type == reading.packets[0].link_type;
  };
  if (reading.packets.empty() || !std::all_of(reading.packets.begin(), reading.packets.end(), of_one_interface))
    return 0;
  check_rewriting(reading);
  return 0;
}
