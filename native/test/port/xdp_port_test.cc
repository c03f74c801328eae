// SPDX-License-Identifier: Apache-2.0
// On a veth pair between two real TCP/IP stacks with all offloads on. The driver of veth copies frames.
#include "port/xdp_port.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>

#include <chrono>

#include "host/namespace.h"
#include "host/steal.h"
#include "port/packet_ring.h"
#include "port/port_wait.h"
#include "test/host/plain_traffic.h"

using namespace sluice;
using port::PortStatistics;
using test::address;
using test::Buffer;

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto deadline = std::chrono::seconds(10);
constexpr uint16_t service_port = 8080;

// The port on b0 as in a live director, with services on an address that nobody has and on an address of the host.
struct Taken {
  test::Namespaces namespaces;
  std::unique_ptr<host::Steal> stealing;
  std::unique_ptr<port::XdpPort> xdp;
  port::PacketRing* ring = nullptr;  // used beside AF_XDP

  Taken() {
    host::Failure failure;
    const std::array<uint32_t, 1> interfaces = {namespaces.interface()};
    stealing = host::Steal::attach(interfaces, host::StealWay::tcx, failure);
    REQUIRE(stealing != nullptr);
    open();
    test::PlainTraffic all;
    for (const char* vip : {"10.9.0.1", "10.9.0.100"}) all.services.push_back({address(vip), service_port, 17});
    all.host_addresses = {address("10.9.0.1")};
    all.tunnel_servers = {address("10.9.0.50")};
    REQUIRE(stealing->update(all, failure));
  }

  void open() {
    xdp = std::make_unique<port::XdpPort>();
    const bool is_open = xdp->open({.interface = "b0", .port = 3});
    INFO(xdp->error().problem, ": ", xdp->error().remedy, " ", std::strerror(xdp->error().system_errno));
    REQUIRE(is_open);
    host::Failure failure;
    const std::vector<int> sockets = xdp->sockets();
    const bool is_diverted = stealing->divert({.interface = namespaces.interface(),
                                               .port = 3,
                                               .mac = test::mac(test::inside_mac),
                                               .longest_frame = xdp->longest_received(),
                                               .sockets = sockets},
                                              failure);
    INFO(failure.message);
    REQUIRE(is_diverted);
    const int filter = stealing->socket_filter();
    std::unique_ptr<port::PacketRing> beside;
    do {  // until no frame came before the filter was attached
      beside = std::make_unique<port::PacketRing>();
      REQUIRE(beside->open({.interface = "b0", .port = 3}));
      REQUIRE(setsockopt(beside->fd(), SOL_SOCKET, SO_ATTACH_BPF, &filter, sizeof filter) == 0);
      director::Frame frames[8];
      while (beside->receive(frames) != 0) continue;
    } while (beside->statistics().received != 0);
    ring = beside.get();
    REQUIRE(xdp->set_beside(std::move(beside)));
  }

  void send(const std::vector<Buffer>& frames) const {
    namespaces.outside([&] {
      test::FrameSocket socket("x0");
      for (const Buffer& frame : frames) socket.send(frame);
    });
  }

  // `each` may change a frame as a director does, before the next batch is received.
  std::vector<Buffer> collect(size_t wanted, const std::function<void(const director::Frame&)>& each = {}) const {
    std::vector<Buffer> found;
    director::Frame frames[64];
    port::Port* const ports[] = {xdp.get()};
    const auto end = Clock::now() + deadline;
    while (found.size() < wanted && Clock::now() < end) {
      const size_t count = xdp->receive(frames);
      for (const director::Frame& frame : std::span(frames).first(count)) {
        CHECK(frame.port == 3);
        found.emplace_back(frame.data, frame.data + frame.length);
        std::memset(frame.data - director::required_headroom, 0xee, director::required_headroom);
        if (each) each(frame);
      }
      xdp->flush();
      if (count == 0) port::wait_for_frames(ports, -1, 100);
    }
    return found;
  }
};

test::PacketBuilder from_client() {
  return test::ethernet({.source = test::outside_mac, .destination = test::inside_mac});
}

Buffer datagram(uint32_t number, size_t length = 20, const char* to = "10.9.0.100", uint16_t port = service_port) {
  Buffer payload(length, 'x');
  wire::store_be32(payload.data(), number);
  return from_client()
      .ipv4({.source = "10.9.0.2", .destination = to})
      .udp({.destination_port = port})
      .payload(payload)
      .build();
}

std::vector<Buffer> datagrams(uint32_t first, uint32_t count) {
  std::vector<Buffer> all;
  for (uint32_t i = 0; i < count; i++) all.push_back(datagram(first + i, 20 + i % 1400));
  return all;
}

uint64_t host_counter(const char* name) {
  const std::string command = std::string("nstat -asz ") + name + " | awk '$1 == \"" + name + "\" { print $2 }'";
  return std::stoull(test::output(command));
}

void send_by_kernel(const test::Namespaces& namespaces, const char* to, uint16_t port, size_t size) {
  namespaces.outside([&] {
    const host::Descriptor client(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in there{};
    there.sin_family = AF_INET;
    there.sin_port = htons(port);
    REQUIRE(inet_pton(AF_INET, to, &there.sin_addr) == 1);
    const std::string data(size, 'x');
    REQUIRE(sendto(client.get(), data.data(), data.size(), 0, reinterpret_cast<const sockaddr*>(&there),
                   sizeof there) == static_cast<ssize_t>(size));
  });
}

bool is_of_test(const Buffer& frame) {
  return frame.size() > 42 && frame[12] == 0x08 && frame[13] == 0;
}

}  // namespace

TEST_CASE("frames of the director come by AF_XDP unchanged, and the host gets all others") {
  if (!test::is_root()) return;
  const Taken taken;
  CHECK_FALSE(taken.xdp->is_zero_copy());  // veth does not support it
  const auto sent = datagrams(0, 500);
  taken.send(sent);
  CHECK(taken.collect(sent.size()) == sent);
  PortStatistics counted = taken.xdp->statistics();
  CHECK(counted.received == 500);
  CHECK(counted.kernel_drops == 0);
  CHECK(taken.ring->statistics().received == 0);

  const uint64_t before = host_counter("UdpNoPorts");
  taken.send({datagram(0, 20, "10.9.0.1", service_port), datagram(1, 20, "10.9.0.1", service_port + 1)});
  CHECK(taken.collect(1) == std::vector<Buffer>{datagram(0, 20, "10.9.0.1", service_port)});
  CHECK(host_counter("UdpNoPorts") == before + 1);
  CHECK(taken.ring->statistics().received == 0);
}

TEST_CASE("a VLAN tag is in the frame") {
  if (!test::is_root()) return;
  const Taken taken;
  const Buffer tagged = from_client()
                            .vlan(5)
                            .ipv4({.source = "10.9.0.2", .destination = "10.9.0.100"})
                            .udp({.destination_port = service_port})
                            .payload("data")
                            .build();
  taken.send({tagged});
  CHECK(taken.collect(1) == std::vector<Buffer>{tagged});
}

TEST_CASE("a checksum that the kernel at the other end left to its device arrives complete") {
  if (!test::is_root()) return;
  const Taken taken;
  taken.namespaces.outside(
      [] { test::shell("ip neighbour replace 10.9.0.100 lladdr 02:00:00:00:09:01 dev x0 nud permanent"); });
  send_by_kernel(taken.namespaces, "10.9.0.100", service_port, 101);
  const auto frames = taken.collect(1);
  REQUIRE(frames.size() == 1);
  CHECK(taken.ring->statistics().received == 0);
  const wire::UdpView udp(wire::Bytes(frames[0]).subspan(34));
  const wire::Ipv4View ip(wire::Bytes(frames[0]).subspan(14));
  const wire::Sum pseudo_header = wire::pseudo_header_sum(ip.source(), ip.destination(), 17, udp.length());
  CHECK(wire::finish_checksum(wire::sum_bytes(wire::Bytes(frames[0]).subspan(34), pseudo_header)) == 0);
}

TEST_CASE("frames that the host must also see, and broadcasts, come by the packet ring") {
  if (!test::is_root()) return;
  const Taken taken;
  // About a packet in a tunnel: the host needs the error for its own path MTU.
  Buffer quoted = test::ethernet().ipv4({.source = "10.9.0.1", .destination = "10.9.0.50"}).ipv4().udp().build();
  quoted.erase(quoted.begin(), quoted.begin() + 14);
  const Buffer error = from_client()
                           .ipv4({.source = "10.9.0.2", .destination = "10.9.0.1"})
                           .icmp({.type = 3, .code = 4, .rest = 1400})
                           .payload(quoted)
                           .build();
  const Buffer question = test::ethernet({.source = test::outside_mac, .destination = "ff:ff:ff:ff:ff:ff"})
                              .arp({.sender_mac = test::outside_mac, .sender = "10.9.0.2", .target = "10.9.0.100"})
                              .build();
  const uint64_t before = host_counter("IcmpInDestUnreachs");
  taken.send({error, question});
  CHECK(taken.collect(2) == std::vector<Buffer>{error, question});
  CHECK(taken.ring->statistics().received == 2);
  CHECK(host_counter("IcmpInDestUnreachs") == before + 1);
}

TEST_CASE(
    "frames leave in order: from their own memory, from other memory, and with checksums that a device completes") {
  if (!test::is_root()) return;
  const Taken taken;
  test::FrameSocket* outside = nullptr;
  taken.namespaces.outside([&] { outside = new test::FrameSocket("x0"); });
  const std::unique_ptr<test::FrameSocket> owner(outside);
  const auto back = [](Buffer frame) {
    std::swap_ranges(frame.begin(), frame.begin() + 6, frame.begin() + 6);
    return frame;
  };
  const auto expect_next = [&](const Buffer& wanted) { CHECK(outside->receive(is_of_test) == wanted); };

  // Sent back from its own memory with a longer header; then once more, which needs a copy.
  taken.send({datagram(1)});
  taken.collect(1, [&](const director::Frame& frame) {
    director::Frame longer = frame;
    longer.data -= 8;
    longer.length += 8;
    std::memcpy(longer.data, back(datagram(1)).data(), 12);
    std::memcpy(longer.data + 12, "\x08\x00longer!", 8);
    taken.xdp->transmit(longer);
    taken.xdp->transmit(longer);
  });
  const Buffer first = outside->receive(is_of_test);
  CHECK(first.size() == datagram(1).size() + 8);
  expect_next(first);

  // From other memory, with frames in between that AF_XDP cannot send.
  const Buffer plain = back(datagram(2)), last = back(datagram(3));
  const Buffer big = test::ethernet({.source = test::inside_mac, .destination = test::outside_mac})
                         .ipv4({.source = "10.9.0.1", .destination = "10.9.0.2"})
                         .tcp({.flags = test::ACK, .sum = test::Sum::partial})
                         .payload(Buffer(20'000, 'x'))
                         .build();
  const auto as_frame = [](const Buffer& bytes) {
    return director::Frame{.data = const_cast<uint8_t*>(bytes.data()), .length = static_cast<uint32_t>(bytes.size())};
  };
  director::Frame cut = as_frame(big);
  cut.checksum = director::TransportChecksum::partial;
  cut.segmentation = director::Segmentation::tcp4;
  cut.segment_size = 1448;
  taken.xdp->transmit(as_frame(plain));
  taken.xdp->transmit(cut);
  taken.xdp->transmit(as_frame(last));
  taken.xdp->flush();
  expect_next(plain);
  CHECK(outside->receive(is_of_test).size() == big.size());
  expect_next(last);

  const PortStatistics counted = taken.xdp->statistics();
  CHECK(counted.transmitted == 5);
  CHECK(counted.send_failures == 0);
  CHECK(taken.ring->statistics().transmitted == 1);
}

TEST_CASE("many frames pass through the rings in both directions") {
  if (!test::is_root()) return;
  const Taken taken;
  for (uint32_t round = 0; round < 40; round++) {
    const auto sent = datagrams(round * 200, 200);
    taken.send(sent);
    REQUIRE(taken.collect(sent.size(), [&](const director::Frame& frame) {
      director::Frame back = frame;
      std::swap_ranges(back.data, back.data + 6, back.data + 6);
      taken.xdp->transmit(back);
    }) == sent);
  }
  const PortStatistics counted = taken.xdp->statistics();
  CHECK(counted.received == 8000);
  CHECK(counted.transmitted == 8000);
  CHECK(counted.received_bytes == counted.transmitted_bytes);
  CHECK(counted.kernel_drops == 0);
  CHECK(counted.send_failures == 0);
  CHECK(taken.ring->statistics().transmitted == 0);
}

TEST_CASE("frames that find no room are counted, and the port goes on") {
  if (!test::is_root()) return;
  const Taken taken;
  constexpr uint32_t room = 2048;
  const auto sent = datagrams(0, room + 70);
  taken.send(sent);
  const auto came = taken.collect(room);
  CHECK(came == std::vector<Buffer>(sent.begin(), sent.begin() + room));
  CHECK(taken.xdp->statistics().kernel_drops == 70);
  taken.send({datagram(7)});
  CHECK(taken.collect(1) == std::vector<Buffer>{datagram(7)});
  CHECK(taken.xdp->statistics().kernel_drops == 70);
}

TEST_CASE("after an interface went down or got another address, its port works again") {
  if (!test::is_root()) return;
  const Taken taken;
  test::shell("ip link set b0 down");
  taken.xdp->statistics();
  port::Port* const ports[] = {taken.xdp.get()};
  CHECK_FALSE(port::wait_for_frames(ports, -1, 0));  // that the interface is down does not wake the worker up
  test::shell("ip link set b0 up");
  test::await_carrier("b0");
  taken.send({datagram(1)});
  CHECK(taken.collect(1) == std::vector<Buffer>{datagram(1)});
  CHECK(taken.ring->statistics().received == 0);

  const char* const other = "02:00:00:00:09:77";
  test::shell(std::string("ip link set b0 address ") + other);
  const Buffer to_other = test::ethernet({.source = test::outside_mac, .destination = other})
                              .ipv4({.source = "10.9.0.2", .destination = "10.9.0.100"})
                              .udp({.destination_port = service_port})
                              .payload("data")
                              .build();
  // The frames come by the packet ring until the new address was reported.
  taken.send({to_other});
  CHECK(taken.collect(1) == std::vector<Buffer>{to_other});
  CHECK(taken.ring->statistics().received == 1);
  taken.stealing->readdress(taken.namespaces.interface(), test::mac(other));
  taken.send({to_other});
  CHECK(taken.collect(1) == std::vector<Buffer>{to_other});
  CHECK(taken.ring->statistics().received == 1);
}

TEST_CASE("a closed port gives the host its frames back, and can be opened again at once") {
  if (!test::is_root()) return;
  Taken taken;
  for (uint32_t i = 0; i < 3; i++) {
    taken.stealing->remove(taken.namespaces.interface());
    taken.xdp.reset();
    const uint64_t before = host_counter("UdpNoPorts");
    taken.send({datagram(1, 20, "10.9.0.1")});
    CHECK(host_counter("UdpNoPorts") == before + 1);
    taken.open();
    taken.send({datagram(2)});
    CHECK(taken.collect(1) == std::vector<Buffer>{datagram(2)});
  }
}

TEST_CASE("if a port cannot be opened, the error says why and what to do") {
  if (!test::is_root()) return;
  const Taken taken;
  using port::PortFault;
  const auto refused = [](const port::XdpPortOptions& options) {
    port::XdpPort xdp;
    CHECK_FALSE(xdp.open(options));
    return xdp.error();
  };
  CHECK(refused({.interface = "nosuch0"}).fault == PortFault::no_interface);

  const port::PortError tagged = refused({.interface = "b0", .is_tagged = true});
  CHECK(tagged.fault == PortFault::unsupported);
  CHECK(tagged.problem == "b0 takes VLAN tags off frames, and AF_XDP does not tell them");

  const port::PortError taken_queue = refused({.interface = "b0"});
  CHECK(taken_queue.problem == "cannot bind an AF_XDP socket to queue 0 of interface b0");
  CHECK(taken_queue.system_errno == EBUSY);
  CHECK(taken_queue.remedy == "end the program whose AF_XDP socket has the queue");

  test::shell("ip link add long0 mtu 9000 type veth peer name long1 mtu 9000");
  const port::PortError too_long = refused({.interface = "long0"});
  CHECK(too_long.fault == PortFault::unsupported);
  CHECK(too_long.problem == "frames of the MTU 9000 of long0 are too long for AF_XDP");
  CHECK(too_long.remedy == "set an MTU of at most 3818");

  // Every device allows sockets, but not every driver takes a program.
  host::Failure failure;
  CHECK_FALSE(taken.stealing->divert({.interface = 1, .longest_frame = 1792}, failure));
  CHECK(failure.message.find("the driver takes no XDP program: it has no XDP") == 0);
}
