// SPDX-License-Identifier: Apache-2.0
// On veth pairs in network namespaces of this process, with the kernel's own stack at the ends.
#include "port/packet_ring.h"

#include <doctest/doctest.h>
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <chrono>
#include <set>
#include <thread>
#include <utility>

#include "port/port_wait.h"
#include "port/private_network.h"
#include "wire/bytes.h"

namespace sluice::port {
namespace {

using Clock = std::chrono::steady_clock;
using Bytes = std::vector<uint8_t>;
constexpr auto deadline = std::chrono::seconds(10);

void open(PacketRing& ring, const PacketRingOptions& options) {
  const bool is_open = ring.open(options);
  INFO(ring.error().problem, ": ", ring.error().remedy, " (", std::strerror(ring.error().system_errno), ")");
  REQUIRE(is_open);
  REQUIRE(ring.warnings().empty());
}

// Two ends of a veth pair.
struct Pair {
  NetworkNamespace network;
  explicit Pair(const std::string& mtu = "1500") {
    network.run("ip link add left mtu " + mtu + " type veth peer name right mtu " + mtu +
                "; ip link set left up; ip link set right up");
  }
};

// A frame of a protocol that no host knows, with `length` bytes that depend on its number.
Bytes numbered(uint32_t number, size_t length, uint16_t tag = 0) {
  Bytes bytes(length);
  for (size_t i = 0; i < length; ++i) bytes[i] = static_cast<uint8_t>(i * 7 + number);
  std::memset(bytes.data(), 2, 12);
  size_t at = 12;
  if (tag != 0) {
    wire::store_be16(&bytes[at], 0x8100);
    wire::store_be16(&bytes[at + 2], tag);
    at += 4;
  }
  wire::store_be16(&bytes[at], 0x88b5);  // IEEE 802: local experiments
  wire::store_be32(&bytes[at + 2], number);
  return bytes;
}

void send(PacketRing& ring, Bytes bytes) {
  ring.transmit({.data = bytes.data(), .length = static_cast<uint32_t>(bytes.size())});
  ring.flush();
}

std::vector<Bytes> collect(PacketRing& ring, size_t wanted) {
  std::vector<Bytes> found;
  director::Frame frames[8];
  Port* const ports[] = {&ring};
  const auto end = Clock::now() + deadline;
  while (found.size() < wanted && Clock::now() < end) {
    const size_t count = ring.receive(frames);
    for (const director::Frame& frame : std::span(frames).first(count)) {
      found.emplace_back(frame.data, frame.data + frame.length);
      std::memset(frame.data - director::required_headroom, 0xee, director::required_headroom);
    }
    if (count == 0) wait_for_frames(ports, -1, 100);
  }
  return found;
}

TEST_CASE("frames of every length arrive unchanged and in order, by ring and by socket queue") {
  if (!can_make_networks()) return;
  const Pair pair("9000");
  for (const uint32_t transmit_slots : {1024u, 0u}) {
    CAPTURE(transmit_slots);
    PacketRing a, b;
    open(a, {.interface = "left", .transmit_slots = transmit_slots});
    open(b, {.interface = "right", .port = 3, .transmit_slots = transmit_slots});
    std::vector<Bytes> sent;
    for (uint32_t i = 0; i < 200; ++i) {
      const size_t lengths[] = {60, 1514, 1518, 1519, 61, 1600, 1700, 9014, 700};
      sent.push_back(numbered(i, lengths[i % 9]));
      a.transmit({.data = sent.back().data(), .length = static_cast<uint32_t>(sent.back().size())});
      if (i % 16 == 15) a.flush();
    }
    a.flush();
    CHECK(collect(b, sent.size()) == sent);
    const PortStatistics out = a.statistics(), in = b.statistics();
    CHECK(out.transmitted == 200);
    CHECK(in.received == 200);
    CHECK(in.received_bytes == out.transmitted_bytes);
    CHECK(out.send_failures == 0);
    CHECK(in.kernel_drops == 0);
    CHECK(in.unreadable == 0);
    // The sender does not receive its own frames.
    director::Frame frame;
    CHECK(a.receive({&frame, 1}) == 0);
  }
}

TEST_CASE("many frames pass through the rings") {
  if (!can_make_networks()) return;
  const Pair pair;
  PacketRing a, b;
  open(a, {.interface = "left", .transmit_slots = 128});
  open(b, {.interface = "right", .receive_slots = 256});
  for (uint32_t round = 0; round < 50; ++round) {
    std::vector<Bytes> sent;
    for (uint32_t i = 0; i < 100; ++i) sent.push_back(numbered(round * 100 + i, 60 + i));
    for (Bytes& bytes : sent) a.transmit({.data = bytes.data(), .length = static_cast<uint32_t>(bytes.size())});
    a.flush();
    REQUIRE(collect(b, sent.size()) == sent);
  }
  CHECK(b.statistics().kernel_drops == 0);
}

TEST_CASE("a VLAN tag that the kernel removed is back in the frame") {
  if (!can_make_networks()) return;
  const Pair pair;
  PacketRing a, b;
  open(a, {.interface = "left"});
  open(b, {.interface = "right"});
  for (const size_t length : {64u, 1518u}) {
    const Bytes tagged = numbered(1, length, 0x6007);
    send(a, tagged);
    CHECK(collect(b, 1) == std::vector<Bytes>{tagged});
  }
  // Two tags; the outer one is a provider's.
  Bytes twice = numbered(2, 100, 0x0005);
  twice.insert(twice.begin() + 12, {0x88, 0xa8, 0, 9});
  send(a, twice);
  CHECK(collect(b, 1) == std::vector<Bytes>{twice});
}

TEST_CASE("frames that find the ring full are counted, and the ring goes on") {
  if (!can_make_networks()) return;
  const Pair pair;
  PacketRing a, b;
  open(a, {.interface = "left"});
  open(b, {.interface = "right", .receive_slots = 128});
  const uint32_t slots = slots_a_block * 2;
  for (uint32_t i = 0; i < slots + 50; ++i) send(a, numbered(i, 60));
  CHECK(collect(b, slots).size() == slots);
  CHECK(b.statistics().kernel_drops == 50);
  send(a, numbered(7, 60));
  CHECK(collect(b, 1) == std::vector<Bytes>{numbered(7, 60)});
  CHECK(b.statistics().kernel_drops == 50);
}

TEST_CASE("a ring full of unreadable frames is read once, and the ring goes on") {
  if (!can_make_networks()) return;
  const Pair pair("9000");
  PacketRing a, b;
  open(a, {.interface = "left"});
  open(b, {.interface = "right", .receive_slots = 128});
  // A socket with memory for one long frame, which waits there: of all others only the beginnings are left.
  const int least = 0;
  REQUIRE(::setsockopt(b.fd(), SOL_SOCKET, SO_RCVBUF, &least, sizeof least) == 0);
  constexpr uint32_t count = 400;  // more than three rings
  for (uint32_t i = 0; i < count; ++i) send(a, numbered(i, 9000));
  director::Frame frames[32];
  CHECK(b.receive(frames) == 1);
  CHECK(b.receive(frames) == 0);
  const PortStatistics lost = b.statistics();
  CHECK(lost.received == 1);
  CHECK(lost.kernel_drops == count - 1);
  const Bytes small = numbered(count, 60);
  send(a, small);
  CHECK(collect(b, 1) == std::vector<Bytes>{small});
}

TEST_CASE("after an interface went down and came up, its port works again; frames for it in between are counted") {
  if (!can_make_networks()) return;
  const Pair pair;
  PacketRing a, b;
  open(a, {.interface = "left"});
  open(b, {.interface = "right"});
  pair.network.run("ip link set left down");
  for (uint32_t i = 0; i < 3; ++i) send(a, numbered(i, 60));
  CHECK(a.statistics().send_failures == 3);
  Port* const ports[] = {&a};
  CHECK_FALSE(wait_for_frames(ports, -1, 0));  // that the interface is down does not wake the worker up
  pair.network.run("ip link set left up");
  send(a, numbered(8, 60));
  send(b, numbered(9, 60));
  CHECK(collect(b, 1) == std::vector<Bytes>{numbered(8, 60)});
  CHECK(collect(a, 1) == std::vector<Bytes>{numbered(9, 60)});
}

TEST_CASE("each worker that shares an interface gets the frames that the program gives it") {
  if (!can_make_networks()) return;
  const Pair pair;
  PacketRing a, first, second;
  Fanout fanout;
  open(a, {.interface = "left"});
  open(first, {.interface = "right", .fanout = &fanout});
  open(second, {.interface = "right", .fanout = &fanout});
  for (uint32_t i = 0; i < 20; ++i) send(a, numbered(i, 60));
  std::set<Bytes> all;
  director::Frame frames[32];
  for (PacketRing* ring : {&first, &second}) {
    const size_t count = ring->receive(frames);
    for (const director::Frame& frame : std::span(frames).first(count))
      all.insert({frame.data, frame.data + frame.length});
  }
  CHECK(all.size() == 20);
  CHECK(first.statistics().received + second.statistics().received == 20);
  send(first, numbered(1, 60));
  CHECK(collect(a, 1).size() == 1);
  CHECK(second.receive(frames) == 0);  // the second socket does not receive what the other sends
}

// A socket filter that gives every frame to one member; negative if this user may not load one.
int program_that_chooses(int32_t member) {
  const bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = member},
                           {.code = BPF_JMP | BPF_EXIT}};
  bpf_attr load{};
  load.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  load.insns = reinterpret_cast<uintptr_t>(code);
  load.insn_cnt = std::size(code);
  load.license = reinterpret_cast<uintptr_t>("Apache-2.0");
  return static_cast<int>(::syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load));
}

TEST_CASE("a program of the caller chooses the worker") {
  if (!can_make_networks()) return;
  const int program = program_that_chooses(1);
  if (program < 0) {
    MESSAGE("only root loads eBPF programs");
    return;
  }
  const Pair pair;
  PacketRing left, first, second;
  Fanout fanout{.program = program};
  open(left, {.interface = "left"});
  open(first, {.interface = "right", .fanout = &fanout});
  open(second, {.interface = "right", .fanout = &fanout});
  ::close(program);
  for (uint32_t i = 0; i < 10; ++i) send(left, numbered(i, i == 5 ? 1500 : 60));
  CHECK(collect(second, 10).size() == 10);
  CHECK(first.statistics().received == 0);
  CHECK(first.prepare_to_wait());
}

// A virtual machine's interface; negative if it cannot be opened.
int open_tap() {
  const int tap = ::open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  ifreq request{};
  std::strcpy(request.ifr_name, "tap0");
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  if (tap < 0 || ::ioctl(tap, TUNSETIFF, &request) != 0) return -1;
  NetworkNamespace::run("ip link set tap0 up");
  return tap;
}

void write_to_tap(int tap, const VirtioHeader& header, Bytes frame) {
  frame.insert(frame.begin(), sizeof header, 0);
  std::memcpy(frame.data(), &header, sizeof header);
  REQUIRE(::write(tap, frame.data(), frame.size()) == static_cast<ssize_t>(frame.size()));
}

// A datagram that its sender left to be cut into fragments: a ring that gets it is stuck.
void write_datagram_to_cut(int tap) {
  Bytes datagram(4042);
  std::memset(datagram.data(), 2, 12);
  const uint8_t headers[] = {8, 0, 0x45, 0, 4028 >> 8, 4028 & 0xff, 0, 0, 0, 0, 64, 17};
  std::ranges::copy(headers, datagram.begin() + 12);
  wire::store_be16(&datagram[38], 4008);
  write_to_tap(tap,
               {.flags = 1,
                .segmentation = 3,
                .header_length = 42,
                .segment_size = 1480,
                .checksum_start = 34,
                .checksum_offset = 6},
               datagram);
}

TEST_CASE("a frame that the kernel can neither deliver nor skip does not stop the port for good") {
  if (!can_make_networks()) return;
  const NetworkNamespace network;
  const int tap = open_tap();
  if (tap < 0) {
    MESSAGE("there is no /dev/net/tun");
    return;
  }
  PacketRing ring;
  open(ring, {.interface = "tap0"});
  write_to_tap(tap, {}, numbered(1, 60));
  CHECK(collect(ring, 1) == std::vector<Bytes>{numbered(1, 60)});
  CHECK(ring.statistics().kernel_drops == 0);
  ring.release();
  write_datagram_to_cut(tap);
  CHECK(ring.statistics().kernel_drops == 1);
  write_to_tap(tap, {}, numbered(2, 60));
  CHECK(collect(ring, 1) == std::vector<Bytes>{numbered(2, 60)});
  ::close(tap);
}

TEST_CASE("a stuck ring that shares its interface reports it, and the other workers keep their frames") {
  if (!can_make_networks()) return;
  const NetworkNamespace network;
  const int tap = open_tap(), program = program_that_chooses(0);
  if (tap < 0 || program < 0) {
    MESSAGE("there is no /dev/net/tun, or only root loads eBPF programs");
    return;
  }
  int reports = 0;
  Fanout fanout{.program = program, .stuck = [&] { reports++; }};
  PacketRing first, second;
  open(first, {.interface = "tap0", .fanout = &fanout});
  open(second, {.interface = "tap0", .fanout = &fanout});
  write_to_tap(tap, {}, numbered(1, 60));
  CHECK(collect(first, 1) == std::vector<Bytes>{numbered(1, 60)});
  first.statistics();
  first.release();
  write_datagram_to_cut(tap);
  for (int i = 0; i < 2; i++) first.statistics(), second.statistics();
  CHECK(reports == 1);
  write_to_tap(tap, {}, numbered(2, 60));
  director::Frame frame;
  CHECK(second.receive({&frame, 1}) == 0);

  // All are opened anew while the old ones are still there.
  const auto before = std::exchange(fanout.group, std::nullopt);
  PacketRing next_first, next_second;
  open(next_first, {.interface = "tap0", .fanout = &fanout});
  open(next_second, {.interface = "tap0", .fanout = &fanout});
  CHECK(fanout.group != before);
  write_to_tap(tap, {}, numbered(3, 60));
  CHECK(collect(next_first, 1) == std::vector<Bytes>{numbered(3, 60)});
  CHECK(next_second.receive({&frame, 1}) == 0);
  CHECK(reports == 1);
  ::close(program);
  ::close(tap);
}

TEST_CASE("rings open on an interface that was made anew while those of the old one are still open") {
  if (!can_make_networks()) return;
  const Pair pair;
  Fanout fanout;
  PacketRing first, second, next_first, next_second;
  open(first, {.interface = "right", .fanout = &fanout});
  open(second, {.interface = "right", .fanout = &fanout});
  pair.network.run("ip link del left; ip link add left type veth peer name right; ip link set left up");
  pair.network.run("ip link set right up");
  fanout.group.reset();
  open(next_first, {.interface = "right", .fanout = &fanout});
  open(next_second, {.interface = "right", .fanout = &fanout});
}

TEST_CASE("errors say what to do") {
  if (!can_make_networks()) return;
  const Pair pair;
  PacketRing missing;
  CHECK_FALSE(missing.open({.interface = "eth7"}));
  CHECK(missing.error().fault == PortFault::no_interface);
  CHECK(missing.error().problem == "there is no interface eth7");
  CHECK(missing.error().remedy == "see `ip link` for the interfaces of this network namespace");
  PacketRing greedy;
  CHECK_FALSE(greedy.open({.interface = "left", .receive_slots = 1u << 20}));
  CHECK(greedy.error().fault == PortFault::misuse);
  CHECK(greedy.error().problem == "a ring cannot have 1048576 slots to receive and 1024 to transmit");
  PacketRing foreign;
  Fanout fanout{.program = 0};
  CHECK_FALSE(foreign.open({.interface = "left", .fanout = &fanout}));
  CHECK(foreign.error().problem == "cannot set the program that chooses a worker");
}

TEST_CASE("if memory does not suffice for a ring, the ring is made smaller and a warning says so") {
  if (!can_make_networks()) return;
  const Pair pair;
  std::ifstream file("/proc/self/statm");
  rlim_t pages = 0;
  file >> pages;
  rlimit before;
  getrlimit(RLIMIT_AS, &before);
  // Half of the requested 110 MB is available.
  const rlimit narrow{pages * 4096 + (80 << 20), before.rlim_max};
  PacketRing ring;
  setrlimit(RLIMIT_AS, &narrow);
  const bool is_open = ring.open({.interface = "left", .receive_slots = 65'536, .transmit_slots = 128});
  setrlimit(RLIMIT_AS, &before);
  REQUIRE(is_open);
  CHECK(ring.warnings() == std::vector<std::string>{"memory sufficed for 32775 receive slots instead of 65536"});
}

}  // namespace
}  // namespace sluice::port
