// SPDX-License-Identifier: Apache-2.0
// relay FIRST SECOND [OPTION…]: a wire between two interfaces, with faults.
//
// A frame that arrives on one interface leaves on the other, unless the relay loses it. The wire can delay frames,
// limit their rate, duplicate and reorder them. Frames whose checksum or segmentation the kernel has postponed stay so:
// packet sockets pass the kernel's notes about it (struct virtio_net_hdr) in both directions.
//
// With --vlan frames have that 802.1Q tag on the side of SECOND and none on the side of FIRST. Frames from SECOND with
// another tag or without one are dropped. The kernel removes the tag before a packet socket sees the frame, and reports
// it separately (PACKET_AUXDATA).
//
// The way of a frame: receive() → decide(): is it lost, when does it leave? → queue → send() at that time. The relay
// does not look at protocols above Ethernet. Random decisions follow from --seed and the order of frames; each
// direction has a generator of its own.
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <queue>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr uint64_t kNanosecondsPerSecond = 1'000'000'000;
// A reordered frame is held this long, so that the next frames overtake it.
constexpr uint64_t kReorderNanoseconds = 2'000'000;
// As in an interface's queue: a thousand frames may wait for a slow wire, later ones are dropped.
constexpr size_t kLongestQueue = 1000;
// A frame that the kernel leaves to be segmented later has at most 64 KiB and its header.
constexpr size_t kLongestFrame = 65536 + 256;
constexpr size_t kMacAddresses = 12;
constexpr size_t kTag = 4;
// Frames read from one interface before it is the other one's turn.
constexpr int kFramesATurn = 64;

// struct virtio_net_hdr of linux/virtio_net.h, which does not compile as C++.
struct OffloadNote {
  uint8_t flags;
  uint8_t gso_type;
  uint16_t hdr_len;
  uint16_t gso_size;
  uint16_t csum_start;
  uint16_t csum_offset;
};
static_assert(sizeof(OffloadNote) == 10);
constexpr uint8_t kNeedsChecksum = 1;
constexpr uint8_t kNotSegmentedLater = 0;

struct Options {
  uint64_t delay = 0;  // nanoseconds
  uint32_t loss = 0;   // of a million, as the next two
  uint32_t reorder = 0;
  uint32_t duplicate = 0;
  uint64_t rate = 0;  // bits a second; 0: no limit
  uint64_t seed = 1;
  int vlan = -1;  // -1: none
};

struct Frame {
  uint64_t leaves = 0;
  uint64_t number = 0;  // of arrival: frames that leave at the same time keep their order
  OffloadNote note{};
  std::vector<uint8_t> bytes;
};

struct LeavesLater {
  bool operator()(const Frame& a, const Frame& b) const {
    return a.leaves != b.leaves ? a.leaves > b.leaves : a.number > b.number;
  }
};

using Queue = std::priority_queue<Frame, std::vector<Frame>, LeavesLater>;

struct Direction {
  int from;
  int to;
  bool adds_tag;
  bool removes_tag;
  std::mt19937_64 random;
  uint64_t wire_is_free = 0;  // when the last frame has been clocked out
  uint64_t frames = 0;
  Queue queue;
};

[[noreturn]] void Fail(const char* what) {
  perror(what);
  exit(1);
}

uint64_t Now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * kNanosecondsPerSecond + static_cast<uint64_t>(now.tv_nsec);
}

void Enable(int socket, int option) {
  const int one = 1;
  if (setsockopt(socket, SOL_PACKET, option, &one, sizeof one) < 0) Fail("setsockopt");
}

int OpenInterface(const char* name) {
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
  if (fd < 0) Fail("socket");
  Enable(fd, PACKET_VNET_HDR);
  Enable(fd, PACKET_AUXDATA);
  Enable(fd, PACKET_IGNORE_OUTGOING);
  // Room for the burst of a fast sender.
  const int buffer = 32 << 20;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex(name));
  if (address.sll_ifindex == 0) Fail(name);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) Fail(name);
  return fd;
}

void InsertTag(Frame& frame, uint16_t protocol, uint16_t tag) {
  const uint16_t words[2] = {htons(protocol), htons(tag)};
  uint8_t bytes[kTag];
  memcpy(bytes, words, kTag);
  frame.bytes.insert(frame.bytes.begin() + kMacAddresses, bytes, bytes + kTag);
  if (frame.note.flags & kNeedsChecksum) frame.note.csum_start += kTag;
  if (frame.note.gso_type != kNotSegmentedLater) frame.note.hdr_len += kTag;
}

const tpacket_auxdata* AuxiliaryData(msghdr& message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level == SOL_PACKET && part->cmsg_type == PACKET_AUXDATA)
      return reinterpret_cast<const tpacket_auxdata*>(CMSG_DATA(part));
  }
  return nullptr;
}

// Removes or adds the tag. Returns false when the frame is not for this wire.
bool Retag(Frame& frame, const tpacket_auxdata* auxiliary, const Direction& direction, int vlan) {
  constexpr uint16_t kIdBits = 0x0fff;
  const bool is_tagged = auxiliary != nullptr && (auxiliary->tp_status & TP_STATUS_VLAN_VALID) != 0;
  if (direction.removes_tag) return is_tagged && (auxiliary->tp_vlan_tci & kIdBits) == vlan;
  if (is_tagged) {
    const bool is_named = (auxiliary->tp_status & TP_STATUS_VLAN_TPID_VALID) != 0;
    InsertTag(frame, is_named ? auxiliary->tp_vlan_tpid : ETH_P_8021Q, auxiliary->tp_vlan_tci);
  }
  if (direction.adds_tag) InsertTag(frame, ETH_P_8021Q, static_cast<uint16_t>(vlan));
  return true;
}

enum class Received { kFrame, kOther, kNothing };

Received Receive(const Direction& direction, int vlan, Frame& frame) {
  static std::vector<uint8_t> buffer(kLongestFrame);
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(tpacket_auxdata))];
  iovec parts[2] = {{&frame.note, sizeof frame.note}, {buffer.data(), buffer.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t length = recvmsg(direction.from, &message, 0);
  if (length < 0) {
    // An interface that goes down reports ENETDOWN once; it may come up again.
    if (errno == EAGAIN || errno == EINTR) return Received::kNothing;
    if (errno == ENETDOWN) return Received::kOther;
    Fail("recvmsg");
  }
  const size_t frame_length = static_cast<size_t>(length) - sizeof frame.note;
  if (frame_length < ETH_HLEN) return Received::kOther;
  frame.bytes.assign(buffer.data(), buffer.data() + frame_length);
  return Retag(frame, AuxiliaryData(message), direction, vlan) ? Received::kFrame : Received::kOther;
}

bool Happens(std::mt19937_64& random, uint32_t in_a_million) {
  return in_a_million != 0 && random() % 1'000'000 < in_a_million;
}

void Enqueue(Direction& direction, Frame frame, const Options& options, uint64_t now) {
  if (direction.queue.size() >= kLongestQueue && options.rate != 0) return;
  uint64_t leaves = now;
  if (options.rate != 0) {
    const uint64_t on_the_wire = frame.bytes.size() * 8 * kNanosecondsPerSecond / options.rate;
    direction.wire_is_free = std::max(direction.wire_is_free, now) + on_the_wire;
    leaves = direction.wire_is_free;
  }
  leaves += options.delay;
  if (Happens(direction.random, options.reorder)) leaves += kReorderNanoseconds;
  frame.leaves = leaves;
  frame.number = direction.frames++;
  direction.queue.push(std::move(frame));
}

void Decide(Direction& direction, Frame frame, const Options& options, uint64_t now) {
  if (Happens(direction.random, options.loss)) return;
  if (Happens(direction.random, options.duplicate)) Enqueue(direction, frame, options, now);
  Enqueue(direction, std::move(frame), options, now);
}

void Send(int to, const Frame& frame) {
  OffloadNote note = frame.note;
  iovec parts[2] = {{&note, sizeof note}, {const_cast<uint8_t*>(frame.bytes.data()), frame.bytes.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  // A frame that the other interface cannot take is lost, as on a wire.
  if (sendmsg(to, &message, 0) < 0 && errno != EAGAIN && errno != ENOBUFS && errno != ENETDOWN)
    fprintf(stderr, "a frame of %zu bytes is lost: %s\n", frame.bytes.size(), strerror(errno));
}

void SendDue(Direction& direction, uint64_t now) {
  while (!direction.queue.empty() && direction.queue.top().leaves <= now) {
    Send(direction.to, direction.queue.top());
    direction.queue.pop();
  }
}

void ReceiveAll(Direction& direction, const Options& options) {
  for (int turn = 0; turn < kFramesATurn; ++turn) {
    Frame frame;
    const Received received = Receive(direction, options.vlan, frame);
    if (received == Received::kNothing) return;
    if (received == Received::kFrame) Decide(direction, std::move(frame), options, Now());
  }
}

[[noreturn]] void Run(Direction (&directions)[2], const Options& options) {
  pollfd waiting[2] = {{directions[0].from, POLLIN, 0}, {directions[1].from, POLLIN, 0}};
  for (;;) {
    const uint64_t now = Now();
    uint64_t next = UINT64_MAX;
    for (Direction& direction : directions) {
      SendDue(direction, now);
      if (!direction.queue.empty()) next = std::min(next, direction.queue.top().leaves);
    }
    const uint64_t wait = next - std::min(next, now);
    const timespec timeout{static_cast<time_t>(wait / kNanosecondsPerSecond),
                           static_cast<long>(wait % kNanosecondsPerSecond)};
    if (ppoll(waiting, 2, next == UINT64_MAX ? nullptr : &timeout, nullptr) < 0 && errno != EINTR) Fail("ppoll");
    for (Direction& direction : directions) ReceiveAll(direction, options);
  }
}

Options ReadOptions(int count, char** words) {
  Options options;
  for (int at = 0; at + 1 < count; at += 2) {
    const std::string name = words[at];
    const uint64_t value = strtoull(words[at + 1], nullptr, 10);
    if (name == "--delay-us")
      options.delay = value * 1000;
    else if (name == "--loss-ppm")
      options.loss = static_cast<uint32_t>(value);
    else if (name == "--reorder-ppm")
      options.reorder = static_cast<uint32_t>(value);
    else if (name == "--duplicate-ppm")
      options.duplicate = static_cast<uint32_t>(value);
    else if (name == "--rate-kbit")
      options.rate = value * 1000;
    else if (name == "--seed")
      options.seed = value;
    else if (name == "--vlan")
      options.vlan = static_cast<int>(value);
    else {
      fprintf(stderr, "relay: no such option: %s\n", name.c_str());
      exit(2);
    }
  }
  return options;
}

}  // namespace

int main(int count, char** words) {
  if (count < 3) {
    fprintf(stderr,
            "Usage: relay FIRST SECOND [--delay-us N] [--loss-ppm N] [--reorder-ppm N] [--duplicate-ppm N]"
            " [--rate-kbit N] [--vlan ID] [--seed N]\n");
    return 2;
  }
  const Options options = ReadOptions(count - 3, words + 3);
  const int first = OpenInterface(words[1]);
  const int second = OpenInterface(words[2]);
  const bool is_tagged = options.vlan >= 0;
  // Each direction has a random sequence of its own, so that its losses do not depend on the other direction's timing.
  Direction directions[2] = {
      {first, second, is_tagged, false, std::mt19937_64(options.seed), 0, 0, {}},
      {second, first, false, is_tagged, std::mt19937_64(~options.seed), 0, 0, {}},
  };
  puts("ready");
  fflush(stdout);
  Run(directions, options);
}
