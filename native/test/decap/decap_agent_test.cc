// SPDX-License-Identifier: Apache-2.0
// The agent on a real server (inside) receives tunnelled packets from the other end of a link (outside). The host's own
// stack takes part.
#include <arpa/inet.h>
#include <linux/udp.h>

#include "decap/agent.h"
#include "host/namespace.h"

using namespace sluice;
using namespace sluice::test;
using decap::Agent;
using decap::AgentOptions;
using decap::Reason;

namespace {

constexpr uint16_t server_port = 5001, client_port = 5000, gue_port = 6080;
constexpr const char *vip = "192.0.2.10", *vip6 = "2001:db8::10";
constexpr uint8_t tos_congested = 0x03, tos_capable = 0x02;

AgentOptions options() {
  return {.device = "decap-test", .addresses = {address(vip), address(vip6)}, .gue_port = gue_port};
}

PacketBuilder frame() {
  return ethernet({.source = outside_mac, .destination = inside_mac});
}
Ipv4Layer outer4(std::optional<uint8_t> protocol = {}) {
  return {.source = "10.9.0.2", .destination = "10.9.0.1", .protocol = protocol};
}
Ipv6Layer outer6() {
  return {.source = "2001:db8:9::2", .destination = "2001:db8:9::1"};
}
const Ipv4Layer inner4{.source = "10.9.0.2", .destination = vip};
const Ipv6Layer inner6{.source = "2001:db8:9::2", .destination = vip6};
const UdpLayer gue_udp{.destination_port = gue_port};

// A server at a virtual address.
class Server {
 public:
  explicit Server(wire::Family family)
      : socket_(::socket(family == wire::Family::ipv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_storage own{};
    if (family == wire::Family::ipv4) {
      auto& any = reinterpret_cast<sockaddr_in&>(own);
      any.sin_family = AF_INET;
      any.sin_port = htons(server_port);
      inet_pton(AF_INET, vip, &any.sin_addr);
    } else {
      auto& any = reinterpret_cast<sockaddr_in6&>(own);
      any.sin6_family = AF_INET6;
      any.sin6_port = htons(server_port);
      inet_pton(AF_INET6, vip6, &any.sin6_addr);
    }
    REQUIRE(bind(socket_.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0);
  }

  // Sends the next datagram back and returns it; empty if none comes within the deadline.
  std::string echo() {
    constexpr int deadline = 2000;  // milliseconds
    pollfd ready = {socket_.get(), POLLIN, 0};
    if (poll(&ready, 1, deadline) <= 0) return {};
    std::string text(65536, '\0');
    sockaddr_storage client{};
    socklen_t length = sizeof client;
    const ssize_t received =
        recvfrom(socket_.get(), text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&client), &length);
    REQUIRE(received >= 0);
    text.resize(static_cast<size_t>(received));
    REQUIRE(sendto(socket_.get(), text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&client), length) ==
            received);
    return text;
  }

 private:
  host::Descriptor socket_;
};

// Whether the host sent the frame for another reason than to resolve a neighbour.
bool is_no_resolution(const Buffer& received) {
  const uint16_t type = wire::load_be16(&received[12]);
  if (type == wire::ethertype::arp) return false;
  constexpr size_t next_header = 20, icmp = 54;
  const bool is_neighbour = type == wire::ethertype::ipv6 && received[next_header] == wire::protocol::icmpv6 &&
                            received[icmp] >= wire::icmpv6_type::router_solicitation;
  const bool is_membership = type == wire::ethertype::ipv6 && received[next_header] == wire::protocol::hop_by_hop;
  return !is_neighbour && !is_membership;
}

uint64_t counted(Agent& agent, Reason reason) {
  return agent.counts()[static_cast<size_t>(reason)];
}

void open(Agent& agent) {
  host::Failure failure;
  const bool is_open = agent.open(failure);
  INFO(failure.message);
  REQUIRE(is_open);
}

}  // namespace

TEST_CASE(
    "a server gets packets from any tunnel, its answer leaves without a tunnel, and the host sends nothing else") {
  if (!is_root()) return;
  const Namespaces net;
  const UdpLayer request{.source_port = client_port, .destination_port = server_port};
  const struct {
    const char* what;
    wire::Family family;
    Buffer packet;
  } cases[] = {
      {"4 in 4", wire::Family::ipv4, frame().ipv4(outer4()).ipv4(inner4).udp(request).payload("a").build()},
      {"6 in 4", wire::Family::ipv6, frame().ipv4(outer4()).ipv6(inner6).udp(request).payload("b").build()},
      {"4 in 6", wire::Family::ipv4, frame().ipv6(outer6()).ipv4(inner4).udp(request).payload("c").build()},
      {"6 in 6", wire::Family::ipv6, frame().ipv6(outer6()).ipv6(inner6).udp(request).payload("d").build()},
      {"GRE", wire::Family::ipv4, frame().ipv4(outer4()).gre().ipv4(inner4).udp(request).payload("e").build()},
      {"GRE with checksum over IPv6", wire::Family::ipv6,
       frame().ipv6(outer6()).gre({.checksum = true}).ipv6(inner6).udp(request).payload("f").build()},
      {"GUE", wire::Family::ipv4,
       frame().ipv4(outer4()).udp(gue_udp).gue().ipv4(inner4).udp(request).payload("g").build()},
      {"GUE without checksum over IPv6", wire::Family::ipv6,
       frame()
           .ipv6(outer6())
           .udp({.destination_port = gue_port, .checksum = 0})
           .gue()
           .ipv6(inner6)
           .udp(request)
           .payload("h")
           .build()},
      {"segments put together, the checksum partial", wire::Family::ipv4,
       frame()
           .ipv4(outer4())
           .ipv4(inner4)
           .udp({.source_port = client_port, .destination_port = server_port, .sum = Sum::partial})
           .payload("i")
           .build()},
  };
  Agent agent(options());
  open(agent);
  Server server4(wire::Family::ipv4), server6(wire::Family::ipv6);
  uint64_t sent = 0;
  net.outside([&] {
    FrameSocket link("x0");
    for (const auto& c : cases) {
      CAPTURE(c.what);
      // First a packet that carries nothing useful: an answer to it would arrive first.
      link.send(frame().ipv4(outer4(wire::protocol::ipip)).payload("no packet").build());
      link.send(c.packet);
      const std::string text((c.family == wire::Family::ipv4 ? server4 : server6).echo());
      CHECK(text == std::string(1, static_cast<char>(c.packet.back())));
      const Buffer answer = link.receive(is_no_resolution);
      REQUIRE(answer.size() > 14);
      const wire::Bytes packet(wire::Bytes(answer).subspan(14));
      if (c.family == wire::Family::ipv4) {
        CHECK(wire::to_string(wire::Ipv4View(packet).source()) == vip);
        CHECK(wire::Ipv4View(packet).protocol() == wire::protocol::udp);
      } else {
        CHECK(wire::to_string(wire::Ipv6View(packet).source()) == vip6);
        CHECK(wire::Ipv6View(packet).next_header() == wire::protocol::udp);
      }
      sent++;
    }
  });
  CHECK(counted(agent, Reason::delivered) == sent);
  CHECK(counted(agent, Reason::bad_inner_header) == sent);
  CHECK(agent.overflows() == 0);
}

TEST_CASE("fragments of an outer packet are reassembled, and joined datagrams are split") {
  if (!is_root()) return;
  const Namespaces net;
  Agent agent(options());
  open(agent);
  Server server(wire::Family::ipv4);
  const UdpLayer request{.source_port = client_port, .destination_port = server_port};
  net.outside([&] {
    FrameSocket link("x0");
    const Buffer inner = ipv4(inner4).udp(request).payload("0123456789abcdef").build();
    Ipv4Layer first = outer4(wire::protocol::ipip), second = first;
    first.id = second.id = 7;
    first.more = true;
    second.offset = 24;
    link.send(frame().ipv4(second).payload(Buffer(inner.begin() + 24, inner.end())).build());
    link.send(frame().ipv4(first).payload(Buffer(inner.begin(), inner.begin() + 24)).build());
    CHECK(server.echo() == "0123456789abcdef");

    const host::Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(gue_port);
    inet_pton(AF_INET, "10.9.0.1", &to.sin_addr);
    Buffer datagrams;
    int size = 0;
    for (const char* text : {"one", "two", "six"}) {
      const Buffer datagram = hex("00040000") + ipv4(inner4).udp(request).payload(text).build();
      size = static_cast<int>(datagram.size());
      datagrams = datagrams + datagram;
    }
    REQUIRE(setsockopt(socket.get(), IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size) == 0);
    REQUIRE(sendto(socket.get(), datagrams.data(), datagrams.size(), 0, reinterpret_cast<const sockaddr*>(&to),
                   sizeof to) == static_cast<ssize_t>(datagrams.size()));
    for (const char* text : {"one", "two", "six"}) CHECK(server.echo() == text);
  });
  CHECK(counted(agent, Reason::delivered) == 4);
}

TEST_CASE("the outer congestion mark is read from each kind of socket") {
  if (!is_root()) return;
  const Namespaces net;
  Agent agent(options());
  open(agent);
  FrameSocket device("decap-test");
  net.outside([&] {
    FrameSocket link("x0");
    Ipv4Layer marked4 = outer4(), capable4 = inner4;
    Ipv6Layer marked6 = outer6();
    marked4.tos = marked6.traffic_class = tos_congested;
    capable4.tos = tos_capable;
    const UdpLayer request{.source_port = client_port, .destination_port = server_port};
    for (const Buffer& packet : {frame().ipv4(marked4).ipv4(capable4).udp(request).build(),
                                 frame().ipv6(marked6).ipv4(capable4).udp(request).build(),
                                 frame().ipv4(marked4).udp(gue_udp).gue().ipv4(capable4).udp(request).build(),
                                 frame().ipv6(marked6).udp(gue_udp).gue().ipv4(capable4).udp(request).build()}) {
      link.send(packet);
      const Buffer inner = device.receive([](const Buffer& received) { return received[0] == 0x45; });
      REQUIRE(inner.size() > 20);
      CHECK(inner[1] == tos_congested);
      CHECK(wire::Ipv4View(inner).is_checksum_ok());
    }
  });
}

TEST_CASE("a host with strict source address checks accepts inner packets") {
  if (!is_root()) return;
  const Namespaces net;
  shell("echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter && echo 1 > /proc/sys/net/ipv4/conf/default/rp_filter");
  Agent agent(options());
  open(agent);
  Server server(wire::Family::ipv4);
  net.outside([&] {
    FrameSocket link("x0");
    const UdpLayer request{.source_port = client_port, .destination_port = server_port};
    link.send(frame().ipv4(outer4()).ipv4(inner4).udp(request).payload("x").build());
    CHECK(server.echo() == "x");
  });
}

TEST_CASE("device and addresses exist from open to close") {
  if (!is_root()) return;
  const Namespaces net;
  {
    Agent agent(options());
    open(agent);
    const std::string shown = output("ip -oneline address show dev decap-test");
    CHECK(shown.find("192.0.2.10/32") != std::string::npos);
    CHECK(shown.find("2001:db8::10/128") != std::string::npos);
    CHECK(shown.find("fe80") == std::string::npos);

    Agent second(options());
    host::Failure failure;
    CHECK_FALSE(second.open(failure));
    CHECK(failure.message ==
          "there is a device \"decap-test\" already (is another sluice decap running? use another "
          "name): Device or resource busy");
    AgentOptions other = options();
    other.device = "decap-other";
    Agent third(other);
    CHECK_FALSE(third.open(failure));
    CHECK(failure.message ==
          "cannot have UDP port 6080 over IPv4 (`ss -lunp` shows who has it; the kernel's own fou "
          "tunnel may: `ip fou show`): Address already in use");
    CHECK(output("ip link").find("decap-other") == std::string::npos);
    other.interface = "none0";
    Agent fourth(other);
    CHECK_FALSE(fourth.open(failure));
    CHECK(failure.message ==
          "cannot receive IP protocol 4 over IPv4 from device \"none0\" (see `ip link` for what there is): No such "
          "device");
  }
  CHECK(output("ip address").find("decap-test") == std::string::npos);
}

TEST_CASE("an agent whose device was removed reports it") {
  if (!is_root()) return;
  const Namespaces net;
  Agent agent(options());
  open(agent);
  CHECK_FALSE(agent.is_device_lost());
  shell("ip link delete decap-test");
  net.outside([&] {
    FrameSocket link("x0");
    const UdpLayer request{.source_port = client_port, .destination_port = server_port};
    link.send(frame().ipv4(outer4()).ipv4(inner4).udp(request).build());
  });
  constexpr int attempts = 400, pause = 5;  // milliseconds
  for (int i = 0; i < attempts && !agent.is_device_lost(); i++) poll(nullptr, 0, pause);
  CHECK(agent.is_device_lost());
  CHECK(counted(agent, Reason::refused) == 1);
}
