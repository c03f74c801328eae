// SPDX-License-Identifier: Apache-2.0
// The printers compared with tcpdump itself: its output for the samples is the expectation. Intended differences are
// listed below.
#include "wire/describe.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "wire/samples.h"

using namespace sluice;
using namespace sluice::test;

namespace {

// A capture in the classic format, removed when the test ends.
class CaptureFile {
 public:
  explicit CaptureFile(const std::vector<Sample>& packets) {
    const int fd = mkstemp(path_.data());
    REQUIRE(fd >= 0);
    std::FILE* file = fdopen(fd, "wb");
    const std::array<uint32_t, 6> header = {0xa1b2c3d4, 0x00040002, 0, 0, 262144, 1};
    std::fwrite(header.data(), sizeof header, 1, file);
    for (const Sample& packet : packets) {
      const uint32_t length = static_cast<uint32_t>(packet.frame.size());
      const std::array<uint32_t, 4> record = {1, 0, length, length};
      std::fwrite(record.data(), sizeof record, 1, file);
      std::fwrite(packet.frame.data(), 1, packet.frame.size(), file);
    }
    std::fclose(file);
  }
  ~CaptureFile() { unlink(path_.c_str()); }
  CaptureFile(const CaptureFile&) = delete;
  CaptureFile& operator=(const CaptureFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/sluice-describe-XXXXXX";
};

std::vector<std::string> tcpdump(const std::vector<Sample>& packets, const std::string& options) {
  const CaptureFile capture(packets);
  // The capture comes by standard input, because tcpdump may have dropped the right to open the file.
  const std::string command = "tcpdump -n -t " + options + " -r - < " + capture.path() + " 2>/dev/null";
  std::FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::vector<std::string> lines;
  char line[4096];
  while (std::fgets(line, sizeof line, pipe) != nullptr) {
    std::string text = line;
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    for (size_t at; (at = text.find("  ")) != std::string::npos;)
      text.erase(at, 1);  // tcpdump sometimes prints two blanks
    lines.push_back(text);
  }
  REQUIRE_MESSAGE(pclose(pipe) == 0, "tcpdump is needed: apt-get install tcpdump");
  return lines;
}

// Intended differences from tcpdump's lines: tags are named, TOA and GUE are decoded, routing headers are shorter.
std::string expected(const std::string& name, const std::string& tcpdumps) {
  static const std::map<std::string, std::string> prefixes = {
      {"vlan", "vlan 5, p 0, "},
      {"vlan-priority", "vlan 4095, p 7, "},
      {"qinq", "vlan 100, p 0, vlan 5, p 0, "},
      {"vlan-arp", "vlan 5, p 0, "},
  };
  static const std::map<std::string, std::string> suffixes = {
      {"gue", ": GUEv0, proto 4: IP 10.0.1.2.8080 > 10.0.1.100.80: Flags [S], seq 1, win 64240, length 0"},
      {"gue-remote-checksum",
       ": GUEv0, proto 4, remcsum 20 36: IP 10.0.1.2.8080 > 10.0.1.100.80: Flags [S], seq 1, win 64240, length 0"},
      {"gue-variant-1", ": GUEv1: IP6 2001:db8::2.8080 > 2001:db8::100.80: Flags [S], seq 1, win 64240, length 0"},
  };
  static const std::map<std::string, std::string> whole = {
      {"tcp-toa",
       "IP 10.0.1.2.8080 > 10.0.1.100.80: Flags [.], ack 9, win 64240, options [toa 10.0.1.2.8080], length 0"},
      {"tcp6-routing",
       "IP6 2001:db8::2 > 2001:db8::100: RT6 (len=0, type=253, segleft=0) 8080 > 80: Flags [S], seq 1, win 64240, "
       "length 0"},
  };
  if (whole.contains(name)) return whole.at(name);
  if (prefixes.contains(name)) return prefixes.at(name) + tcpdumps;
  if (suffixes.contains(name)) return tcpdumps + suffixes.at(name);
  return tcpdumps;
}

// All codes of a message for which tcpdump has texts.
std::vector<Sample> icmp_variants() {
  std::vector<Sample> variants;
  const Buffer quoted = ipv4().tcp().build(), quoted6 = ipv6().tcp().build();
  const auto add = [&](uint8_t type, uint8_t code, uint32_t rest) {
    variants.push_back({"icmp " + std::to_string(type) + " " + std::to_string(code),
                        ethernet().ipv4().icmp({.type = type, .code = code, .rest = rest}).payload(quoted).build()});
  };
  const auto add6 = [&](uint8_t type, uint8_t code, uint32_t rest) {
    variants.push_back({"icmp6 " + std::to_string(type) + " " + std::to_string(code),
                        ethernet().ipv6().icmpv6({.type = type, .code = code, .rest = rest}).payload(quoted6).build()});
  };
  for (uint8_t code = 0; code <= 16; code++) add(wire::icmp_type::unreachable, code, 0);
  for (uint8_t code = 0; code <= 4; code++) add(wire::icmp_type::redirect, code, 0x0a0001fe);
  for (uint8_t code = 0; code <= 2; code++) add(wire::icmp_type::time_exceeded, code, 0);
  for (uint8_t code = 0; code <= 1; code++) add(wire::icmp_type::parameter_problem, code, 3u << 24);
  for (const uint8_t type : {4, 10, 13, 15, 16, 42}) add(type, 0, 0x00010002);
  for (uint8_t code = 0; code <= 4; code++) add6(wire::icmpv6_type::unreachable, code, 0);
  for (uint8_t code = 0; code <= 1; code++) add6(wire::icmpv6_type::time_exceeded, code, 0);
  for (uint8_t code = 0; code <= 2; code++) add6(wire::icmpv6_type::parameter_problem, code, 40);
  return variants;
}

}  // namespace

TEST_CASE("every sample is printed as by tcpdump") {
  const std::vector<Sample> all = samples();
  const std::vector<std::string> lines = tcpdump(all, "-S");
  REQUIRE(lines.size() == all.size());
  for (size_t i = 0; i < all.size(); i++) {
    CAPTURE(all[i].name);
    CHECK(wire::describe(all[i].frame) == expected(all[i].name, lines[i]));
  }
}

TEST_CASE("the codes of ICMP and ICMPv6 are printed as by tcpdump") {
  const std::vector<Sample> all = icmp_variants();
  const std::vector<std::string> lines = tcpdump(all, "-S");
  REQUIRE(lines.size() == all.size());
  for (size_t i = 0; i < all.size(); i++) {
    CAPTURE(all[i].name);
    CHECK(wire::describe(all[i].frame) == lines[i]);
  }
}

TEST_CASE("tcpdump finds no wrong checksum in built packets, except for the partial ones") {
  std::vector<Sample> whole;
  for (const Sample& sample : samples()) {
    // Fragments and the payload of GUE have no checksum that tcpdump checks.
    if (sample.name != "tcp-partial") whole.push_back(sample);
  }
  for (const std::string& line : tcpdump(whole, "-vv")) {
    CAPTURE(line);
    CHECK(line.find("incorrect") == std::string::npos);
    CHECK(line.find("bad cksum") == std::string::npos);
    CHECK(line.find("wrong") == std::string::npos);
  }
  const std::vector<std::string> partial =
      tcpdump({{"partial", ethernet().ipv4().tcp({.sum = Sum::partial}).build()}}, "-vv");
  REQUIRE(partial.size() == 2);
  CHECK(partial[1].find("incorrect") != std::string::npos);
}

TEST_CASE("a malformed header is printed with its reason") {
  const struct {
    const char* what;
    Buffer frame;
    const char* text;
  } cases[] = {
      {"no frame", {}, "[truncated]"},
      {"half an Ethernet header", hex("020000000001"), "[truncated]"},
      {"half a VLAN tag", first_bytes(ethernet().vlan(5).build(), 16), "[truncated]"},
      {"half an IPv4 header", first_bytes(ethernet().ipv4().tcp().build(), 30), "IP [truncated]"},
      {"the wrong version", ethernet({.type = 0x0800}).ipv6().tcp().build(), "IP [bad-version]"},
      {"a long total length", ethernet().ipv4({.total_length = 100}).tcp().build(), "IP [length-lies]"},
      {"half a TCP header", ethernet().ipv4({.protocol = 6}).payload(hex("1f90005000")).build(),
       "IP 10.0.1.2.8080 > 10.0.1.100.80: [truncated]"},
      {"a UDP length that lies", ethernet().ipv6().udp({.length = 9}).build(),
       "IP6 2001:db8::2.5000 > 2001:db8::100.5001: [length-lies]"},
      {"an option that lies", ethernet().ipv4({.options = hex("07ff0400")}).udp().build(),
       "IP 10.0.1.2 > 10.0.1.100: [bad-option]"},
      {"half an ARP message", first_bytes(ethernet().arp().build(), 30), "ARP, [truncated]"},
      {"GRE version 1", ethernet().ipv4({.protocol = 47}).payload(hex("0001 0800")).build(),
       "IP 10.0.1.2 > 10.0.1.100: GRE [bad-version]"},
      {"GUE of a variant to come", ethernet().ipv4().udp({.destination_port = 6080}).payload(hex("80000000")).build(),
       "IP 10.0.1.2.5000 > 10.0.1.100.6080: UDP, length 4: GUE [bad-version]"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    CHECK(wire::describe(c.frame) == c.text);
  }
}

TEST_CASE("tunnels within tunnels are printed up to a limit") {
  PacketBuilder nested = ethernet();
  for (int i = 0; i < 40; i++) nested.ipv4();
  const std::string text = wire::describe(nested.udp().build());
  CHECK(text.size() < 400);
  CHECK(text.ends_with(": ip-proto-4 628"));
}

TEST_CASE("a raw IP packet is printed as its frame is, without the Ethernet header") {
  for (const Sample& sample : ip_samples()) {
    CAPTURE(sample.name);
    CHECK(wire::describe_ip(wire::Bytes(sample.frame).subspan(14)) == wire::describe(sample.frame));
  }
}
