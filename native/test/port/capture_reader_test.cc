// SPDX-License-Identifier: Apache-2.0
#include "port/capture_reader.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "port/byte_sink.h"
#include "port/capture_bytes.h"

using namespace sluice::port;

TEST_CASE("the first bytes tell the format of a capture") {
  struct Row {
    CaptureBytes file;
    CaptureFormat format;
  };
  for (const Row& row : std::vector<Row>{{CaptureBytes().pcap_header(pcap_magic_microseconds), CaptureFormat::pcap},
                                         {CaptureBytes(true).pcap_header(pcap_magic_nanoseconds), CaptureFormat::pcap},
                                         {CaptureBytes().section(), CaptureFormat::pcapng},
                                         {CaptureBytes(true).section(), CaptureFormat::pcapng}}) {
    MemorySource source(row.file.bytes);
    CaptureReader reader(source);
    REQUIRE(reader.open());
    CHECK(reader.format() == row.format);
    CapturedPacket packet;
    CHECK(reader.next(packet) == ReadStatus::end);
    CHECK(reader.next(packet) == ReadStatus::end);
  }
}

TEST_CASE("a file that is not a capture is refused with its kind and the remedy") {
  struct Row {
    std::vector<uint8_t> bytes;
    CaptureFault fault;
    const char* message;
  };
  for (const Row& row : std::vector<Row>{
           {{},
            CaptureFault::truncated,
            "the file is empty, expected a pcap or pcapng capture; copy or capture the file again for the rest"},
           {{0xd4, 0xc3},
            CaptureFault::truncated,
            "the file ends inside the magic number of a capture: expected 4 bytes, found 2; copy or capture the file "
            "again for the rest"},
           {{0x1f, 0x8b, 8, 0}, CaptureFault::unsupported, "this is a gzip file; decompress it with gunzip"},
           {{0x28, 0xb5, 0x2f, 0xfd}, CaptureFault::unsupported, "this is a zstd file; decompress it with zstd -d"},
           {{0x34, 0xcd, 0xb2, 0xa1},
            CaptureFault::unsupported,
            "this is Kuznetzov's modified pcap; convert it with editcap -F pcap"},
           {{'s', 'n', 'o', 'o', 'p'},
            CaptureFault::unsupported,
            "this is not a pcap or pcapng capture: it starts with 73 6e 6f 6f; if Wireshark opens it, convert it with "
            "editcap -F pcapng"},
       }) {
    const Reading reading = read_all(row.bytes);
    CHECK(reading.failed);
    CHECK(reading.error.fault == row.fault);
    CHECK(reading.error.offset == 0);
    CHECK(text(reading.error) == row.message);
  }
}

TEST_CASE("a capture many times the window is read alike with every size of reads") {
  CaptureBytes file;
  file.pcap_header(pcap_magic_nanoseconds);
  std::vector<ReadPacket> expected;
  for (uint32_t i = 0; i < 3000; i++) {
    const std::vector<uint8_t> data(i % 1500, static_cast<uint8_t>(i));
    file.pcap_record(i, i, data, 1500);
    expected.push_back({i * nanoseconds_per_second + i, 0, link_type::ethernet, 1500, data});
  }
  REQUIRE(file.bytes.size() > 4 * ByteWindow::capacity);
  for (const size_t chunk : {size_t{97}, size_t{4096}, size_t{65'537}, SIZE_MAX}) {
    CAPTURE(chunk);
    const Reading reading = read_all(file.bytes, chunk);
    CHECK_FALSE(reading.failed);
    CHECK(reading.packets == expected);
  }
}

TEST_CASE("a file is read and written through the system, and the system's errors are reported") {
  const std::string path = std::filesystem::temp_directory_path() / ("sluice-capture-" + std::to_string(getpid()));
  CaptureBytes file;
  file.section().interface(link_type::ethernet).enhanced(0, 5, std::vector<uint8_t>(100'000, 3), 100'000);
  FileSink sink;
  REQUIRE(sink.open(path) == 0);
  CHECK(sink.write(sluice::wire::Bytes(file.bytes).first(10)) == 0);
  CHECK(sink.write(sluice::wire::Bytes(file.bytes).subspan(10)) == 0);
  CHECK(sink.close() == 0);
  CHECK(sink.close() == 0);
  FileSource source;
  REQUIRE(source.open(path) == 0);
  const Reading reading = read_all(source);
  CHECK_FALSE(reading.failed);
  CHECK(reading.packets.size() == 1);
  std::remove(path.c_str());

  FileSource missing;
  CHECK(missing.open(path) == ENOENT);
  FileSource directory;
  REQUIRE(directory.open("/") == 0);
  CHECK(read_all(directory).error.system_errno == EISDIR);
  FileSink full;
  REQUIRE(full.open("/dev/full") == 0);
  CHECK(full.write(file.bytes) == ENOSPC);
  CHECK(full.flush() == ENOSPC);
  CHECK(full.close() == ENOSPC);
}
