// SPDX-License-Identifier: Apache-2.0
// A network namespace for the test, and a second one with a host on the other side of a link.
//
//   outside (client: x0 10.9.0.2/24, 2001:db8:9::2/64) ── veth ── inside (balancer: b0 10.9.0.1/24, 2001:db8:9::1/64)
//
// The process is inside; a thread acts outside. Nothing is left when the test has ended.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <thread>

#include "host/descriptor.h"
#include "packet_builder.h"

namespace sluice::test {

// Without root it prints the words by which ctest recognises a skipped test.
inline bool is_root() {
  if (geteuid() == 0) return true;
  std::printf("[not run: needs root]\n");
  return false;
}

inline void shell(const std::string& command) {
  INFO(command);
  REQUIRE(std::system(command.c_str()) == 0);
}

// Returns what a command prints.
inline std::string output(const std::string& command) {
  std::string text;
  FILE* program = popen(command.c_str(), "r");
  REQUIRE(program != nullptr);
  for (int c = fgetc(program); c != EOF; c = fgetc(program)) text += static_cast<char>(c);
  pclose(program);
  return text;
}

inline constexpr const char* inside_mac = "02:00:00:00:09:01";
inline constexpr const char* outside_mac = "02:00:00:00:09:02";

// The kernel notes a new carrier some time after it is up.
inline void await_carrier(const char* interface) {
  const host::Descriptor any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strncpy(request.ifr_name, interface, sizeof request.ifr_name - 1);
  constexpr int attempts = 2000, pause = 5;  // milliseconds: ten seconds in all
  for (int i = 0; i < attempts; i++) {
    REQUIRE(ioctl(any.get(), SIOCGIFFLAGS, &request) == 0);
    if ((request.ifr_flags & IFF_RUNNING) != 0) return;
    poll(nullptr, 0, pause);
  }
  FAIL(interface, " has no carrier");
}

class Namespaces {
 public:
  Namespaces() {
    std::thread([this] {
      REQUIRE(unshare(CLONE_NEWNET) == 0);
      outside_ = host::Descriptor(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    }).join();
    REQUIRE(unshare(CLONE_NEWNET) == 0);
    const std::string other = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(outside_.get());
    shell("ip link set lo up && ip link add b0 address " + std::string(inside_mac) +
          " type veth peer name x0 address " + outside_mac + " && ip link set x0 netns " + other);
    shell("ip address add 10.9.0.1/24 dev b0 && ip address add 2001:db8:9::1/64 dev b0 nodad && ip link set b0 up");
    outside([] {
      shell("ip link set lo up && ip address add 10.9.0.2/24 dev x0 && ip address add 2001:db8:9::2/64 dev x0 nodad");
      shell("ip link set x0 up && ip route add default via 10.9.0.1 && ip -6 route add default via 2001:db8:9::1");
    });
    await_carrier("b0");
    interface_ = if_nametoindex("b0");
  }

  // Runs `work` in a thread in the other namespace.
  void outside(const std::function<void()>& work) const {
    std::thread([&] {
      REQUIRE(setns(outside_.get(), CLONE_NEWNET) == 0);
      work();
    }).join();
  }
  uint32_t interface() const { return interface_; }

 private:
  host::Descriptor outside_;
  uint32_t interface_ = 0;
};

// A socket for all frames of one interface, as the packet port's socket.
class FrameSocket {
 public:
  explicit FrameSocket(const char* interface, int filter = -1) : socket_(open_socket()) {
    if (filter >= 0) REQUIRE(setsockopt(socket_.get(), SOL_SOCKET, SO_ATTACH_BPF, &filter, sizeof filter) == 0);
    const int on = 1;
    REQUIRE(setsockopt(socket_.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) == 0);
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = __builtin_bswap16(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(if_nametoindex(interface));
    REQUIRE(bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }

  void send(const Buffer& frame) {
    REQUIRE(::send(socket_.get(), frame.data(), frame.size(), 0) == static_cast<ssize_t>(frame.size()));
  }
  // The next frame that `wanted` accepts; empty if none comes within the deadline.
  Buffer receive(const std::function<bool(const Buffer&)>& wanted, int milliseconds = 2000) {
    Buffer frame(65536);
    pollfd ready = {socket_.get(), POLLIN, 0};
    while (poll(&ready, 1, milliseconds) > 0) {
      const ssize_t length = recv(socket_.get(), frame.data(), frame.size(), 0);
      if (length < 0) return {};
      Buffer received(frame.begin(), frame.begin() + length);
      if (wanted(received)) return received;
    }
    return {};
  }

 private:
  static int open_socket() { return ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); }
  host::Descriptor socket_;
};

}  // namespace sluice::test
