// SPDX-License-Identifier: Apache-2.0
#include "port/capture_reader.h"

#include <string>
#include <utility>

namespace sluice::port {

namespace {

constexpr size_t magic_bytes = 4;

struct OtherFile {
  uint32_t magic;  // the first bytes, in the byte order of the file
  uint32_t mask;
  const char* what;
  const char* remedy;
};

constexpr OtherFile other_files[] = {
    {0x1f8b0000, 0xffff0000, "a gzip file", "decompress it with gunzip"},
    {0x28b52ffd, 0xffffffff, "a zstd file", "decompress it with zstd -d"},
    {0x04224d18, 0xffffffff, "an lz4 file", "decompress it with lz4 -d"},
    {0xfd377a58, 0xffffffff, "an xz file", "decompress it with unxz"},
    {0xa1b2cd34, 0xffffffff, "Kuznetzov's modified pcap", "convert it with editcap -F pcap"},
    {0x34cdb2a1, 0xffffffff, "Kuznetzov's modified pcap", "convert it with editcap -F pcap"},
};

bool is_pcap(uint32_t magic) {
  for (const uint32_t known : {pcap_magic_microseconds, pcap_magic_nanoseconds}) {
    if (magic == known || magic == __builtin_bswap32(known)) return true;
  }
  return false;
}

std::string describe(wire::Bytes magic) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : magic) {
    if (!text.empty()) text += ' ';
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

}  // namespace

bool CaptureReader::open() {
  const wire::Bytes start = input_.peek(magic_bytes);
  if (input_.system_errno() != 0) {
    fail(CaptureFault::system, "reading the start of the file failed", "");
    error_.system_errno = input_.system_errno();
    error_.system_call = "read";
    return false;
  }
  if (start.empty()) {
    return fail(CaptureFault::truncated, "the file is empty, expected a pcap or pcapng capture", damage_remedy);
  }
  if (start.size() < magic_bytes) {
    return fail(
        CaptureFault::truncated,
        "the file ends inside the magic number of a capture: expected 4 bytes, found " + std::to_string(start.size()),
        damage_remedy);
  }
  const uint32_t magic = wire::load_be32(start.data());
  if (is_pcap(magic)) return reader_.emplace<PcapReader>(input_).open();
  if (magic == pcapng::section_header) return reader_.emplace<PcapngReader>(input_).open();
  for (const OtherFile& other : other_files) {
    if ((magic & other.mask) == other.magic)
      return fail(CaptureFault::unsupported, std::string("this is ") + other.what, other.remedy);
  }
  return fail(CaptureFault::unsupported, "this is not a pcap or pcapng capture: it starts with " + describe(start),
              "if Wireshark opens it, convert it with editcap -F pcapng");
}

ReadStatus CaptureReader::next(CapturedPacket& packet) {
  if (auto* pcap = std::get_if<PcapReader>(&reader_)) return pcap->next(packet);
  if (auto* pcapng = std::get_if<PcapngReader>(&reader_)) return pcapng->next(packet);
  return ReadStatus::error;
}

const CaptureError& CaptureReader::error() const {
  if (const auto* pcap = std::get_if<PcapReader>(&reader_)) return pcap->error();
  if (const auto* pcapng = std::get_if<PcapngReader>(&reader_)) return pcapng->error();
  return error_;
}

bool CaptureReader::fail(CaptureFault fault, std::string problem, std::string remedy) {
  error_ = {.fault = fault, .offset = 0, .problem = std::move(problem), .remedy = std::move(remedy)};
  return false;
}

}  // namespace sluice::port
