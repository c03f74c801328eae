// SPDX-License-Identifier: Apache-2.0
// Real TCP through a port with all offloads on: client c0 ── f0, frames forwarded unchanged, f1 ── s0 server.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "port/packet_ring.h"
#include "port/port_wait.h"
#include "port/private_network.h"

namespace sluice::port {
namespace {

constexpr size_t transfer_bytes = 16 << 20;
constexpr uint16_t server_port = 7000;

uint8_t byte_at(size_t position) {
  return static_cast<uint8_t>(position * 31 + (position >> 12));
}

struct Hosts {
  NetworkNamespace client, server, middle;

  explicit Hosts(const std::string& mtu) {
    const auto run = NetworkNamespace::run;
    run("ip link add f0 mtu " + mtu + " type veth peer name c0 mtu " + mtu + " netns " + client.path());
    run("ip link add f1 mtu " + mtu + " type veth peer name s0 mtu " + mtu + " netns " + server.path());
    run("ip link set f0 up; ip link set f1 up");
    client.enter();
    run("ip addr add 10.1.0.1/24 dev c0; ip link set c0 up");
    server.enter();
    run("ip addr add 10.1.0.2/24 dev s0; ip link set s0 up");
    middle.enter();
  }
};

sockaddr_in address_of(const char* text) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server_port);
  inet_pton(AF_INET, text, &address.sin_addr);
  return address;
}

// The server's side: receives everything until the end and compares it with what was sent.
size_t receive_all(int listener) {
  const int connection = ::accept(listener, nullptr, nullptr);
  std::vector<uint8_t> buffer(1 << 16);
  size_t right = 0;
  for (ssize_t count; (count = ::read(connection, buffer.data(), buffer.size())) > 0;) {
    for (ssize_t i = 0; i < count; ++i) right += buffer[static_cast<size_t>(i)] == byte_at(right) ? 1 : 0;
  }
  ::close(connection);
  return right;
}

void send_all(int connection) {
  const sockaddr_in to = address_of("10.1.0.2");
  std::vector<uint8_t> bytes(transfer_bytes);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = byte_at(i);
  size_t sent = 0;
  if (::connect(connection, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) {
    while (sent < bytes.size()) {
      const ssize_t count = ::write(connection, bytes.data() + sent, bytes.size() - sent);
      if (count <= 0) break;
      sent += static_cast<size_t>(count);
    }
  }
  ::close(connection);
}

struct Seen {
  uint32_t longest = 0;
  size_t cut = 0;      // frames of several segments
  size_t partial = 0;  // checksums left to a device
};

void forward(PacketRing& from, PacketRing& to, Seen& seen) {
  director::Frame frames[32];
  const size_t count = from.receive(frames);
  for (const director::Frame& frame : std::span(frames).first(count)) {
    seen.longest = std::max(seen.longest, frame.length);
    seen.cut += frame.segmentation == director::Segmentation::tcp4 ? 1 : 0;
    seen.partial += frame.checksum == director::TransportChecksum::partial ? 1 : 0;
    to.transmit(frame);
  }
  to.flush();
}

// A transfer from the client to the server through two rings. `prepare` runs in the namespace between them.
Seen transfer(const std::string& mtu, uint32_t transmit_slots, const std::string& prepare = "true") {
  const Hosts hosts(mtu);
  NetworkNamespace::run(prepare);
  PacketRing rings[2];
  REQUIRE(rings[0].open({.interface = "f0", .transmit_slots = transmit_slots}));
  REQUIRE(rings[1].open({.interface = "f1", .transmit_slots = transmit_slots}));
  hosts.server.enter();
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in own = address_of("0.0.0.0");
  REQUIRE(::bind(listener, reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0);
  REQUIRE(::listen(listener, 1) == 0);
  hosts.client.enter();
  const int connection = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  hosts.middle.enter();

  size_t right = 0;
  std::atomic<bool> ends = false;
  std::thread receiving([&] {
    right = receive_all(listener);
    ends = true;
  });
  std::thread sending([&] { send_all(connection); });
  Seen seen;
  while (!ends) {
    forward(rings[0], rings[1], seen);
    forward(rings[1], rings[0], seen);
    Port* const ports[] = {&rings[0], &rings[1]};
    wait_for_frames(ports, -1, 20);
  }
  sending.join();
  receiving.join();
  ::close(listener);
  CHECK(right == transfer_bytes);
  for (PacketRing& ring : rings) CHECK(ring.statistics().unreadable == 0);
  return seen;
}

TEST_CASE("TCP frames of 64 KiB with partial checksums pass whole and unchanged") {
  if (!can_make_networks()) return;
  for (const char* const mtu : {"1500", "9000"}) {
    CAPTURE(mtu);
    const Seen seen = transfer(mtu, 1024);
    CHECK(seen.longest > 60'000);
    CHECK(seen.cut > 50);
    CHECK(seen.partial > seen.cut);
  }
}

TEST_CASE("frames for an interface that cannot cut segments are cut") {
  if (!can_make_networks()) return;
  CHECK(transfer("1500", 1024, "ethtool -K f1 tso off gso off").cut > 50);
}

TEST_CASE("large frames also pass without a transmit ring") {
  if (!can_make_networks()) return;
  CHECK(transfer("1500", 0).longest > 60'000);
}

}  // namespace
}  // namespace sluice::port
