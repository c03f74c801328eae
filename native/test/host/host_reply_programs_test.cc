// SPDX-License-Identifier: Apache-2.0
// What a real TCP/IP stack answers, brought back by the programs at egress.
#include "host/host_reply_programs.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

#include "host/steal.h"
#include "namespace.h"
#include "plain_traffic.h"
#include "wire/packet.h"

using namespace sluice;
using test::address;
using test::Buffer;
using test::ethernet;
using test::FrameSocket;
using test::inside_mac;
using test::output;
using test::outside_mac;

namespace {

// Nobody listens to it: the stack answers with a reset, or with an ICMP error.
constexpr uint16_t server_port = 8080, client_port = 1234;

constexpr size_t link_length = 14, ipv4_length = 20, ipv6_length = 40;

struct Family {
  const char *server, *client;
  bool is_v4;
};
const Family families[] = {{"10.9.0.1", "10.9.0.2", true}, {"2001:db8:9::1", "2001:db8:9::2", false}};

test::PacketBuilder from_client(const Family& family) {
  auto link = ethernet({.source = outside_mac, .destination = inside_mac});
  if (family.is_v4) return link.ipv4({.source = family.client, .destination = family.server});
  return link.ipv6({.source = family.client, .destination = family.server});
}

Buffer syn(const Family& family) {
  return from_client(family).tcp({.source_port = client_port, .destination_port = server_port}).build();
}
Buffer datagram(const Family& family) {
  return from_client(family).udp({.source_port = client_port, .destination_port = server_port}).build();
}

director::HostReply reply(const Family& family, uint8_t protocol) {
  return {address(family.server), address(family.client), server_port, client_port, protocol};
}

uint8_t protocol_of(const Buffer& frame, const Family& family) {
  const size_t ip = family.is_v4 ? ipv4_length : ipv6_length;
  if (frame.size() < link_length + ip) return 0;
  if ((frame[link_length] >> 4 == 4) != family.is_v4) return 0;
  return frame[link_length + (family.is_v4 ? 9 : 6)];
}
uint8_t hop_limit_of(const Buffer& frame, const Family& family) {
  return frame[link_length + (family.is_v4 ? 8 : 7)];
}

class Rig {
 public:
  explicit Rig(host::StealWay way) {
    namespaces_.outside([&] { outside_.emplace("x0"); });
    host::Failure failure;
    const std::array<uint32_t, 1> interfaces = {interface()};
    steal_ = host::Steal::attach(interfaces, way, failure);
    REQUIRE_MESSAGE(steal_ != nullptr, failure.message);
    programs_ = steal_->host_replies(failure);
    REQUIRE_MESSAGE(programs_ != nullptr, failure.message);
    const bool is_attached = programs_->bring_back(interface(), {interface(), test::mac(inside_mac)}, failure);
    REQUIRE_MESSAGE(is_attached, failure.message);
    inside_.emplace("b0");
  }
  uint32_t interface() const { return namespaces_.interface(); }
  host::HostReplyPrograms& programs() { return *programs_; }
  void expect(const director::HostReply& reply) {
    host::Failure failure;
    REQUIRE_MESSAGE(programs_->expect(reply, failure), failure.message);
  }
  // What comes back from this real server is the director's, as for any real server.
  void own(const test::PlainTraffic::NatServer& server) {
    test::PlainTraffic owned;
    owned.nat_servers = {server};
    host::Failure failure;
    REQUIRE_MESSAGE(steal_->update(owned, failure), failure.message);
  }
  void send(const Buffer& frame) { outside_->send(frame); }
  // The stack's answer, where it leaves or where it comes back; neither sees it twice.
  Buffer left(const Family& family, uint8_t protocol) { return next(*outside_, family, protocol); }
  Buffer came_back(const Family& family, uint8_t protocol) { return next(*inside_, family, protocol); }
  void leave_behind() {
    steal_->leave_behind();
    steal_.reset();
  }

 private:
  static Buffer next(FrameSocket& socket, const Family& family, uint8_t protocol) {
    return socket.receive([&](const Buffer& frame) {
      const size_t source = link_length + (family.is_v4 ? 12 : 8), length = family.is_v4 ? 4 : 16;
      const wire::Address server = address(family.server);
      return protocol_of(frame, family) == protocol &&
             std::equal(&frame[source], &frame[source] + length, server.bytes.begin());
    });
  }

  test::Namespaces namespaces_;
  std::optional<FrameSocket> outside_, inside_;
  std::unique_ptr<host::Steal> steal_;
  host::HostReplyPrograms* programs_ = nullptr;
};

std::vector<host::StealWay> ways() {
  host::Failure failure;
  const std::array<uint32_t, 1> loopback = {if_nametoindex("lo")};
  const bool has_tcx = host::Steal::attach(loopback, host::StealWay::tcx, failure) != nullptr;
  if (has_tcx) return {host::StealWay::tcx, host::StealWay::clsact};
  return {host::StealWay::clsact};
}

}  // namespace

TEST_CASE("an expected reply of the host's stack comes back, and any other leaves") {
  if (!test::is_root()) return;
  for (const host::StealWay way : ways()) {
    CAPTURE(static_cast<int>(way));
    Rig rig(way);
    for (const Family& family : families) {
      CAPTURE(family.server);
      rig.send(syn(family));
      const Buffer left = rig.left(family, wire::protocol::tcp);
      REQUIRE_FALSE(left.empty());

      rig.expect(reply(family, wire::protocol::tcp));
      rig.send(syn(family));
      const Buffer back = rig.came_back(family, wire::protocol::tcp);
      REQUIRE_FALSE(back.empty());
      CHECK(Buffer(back.begin(), back.begin() + 6) == Buffer(left.begin() + 6, left.begin() + 12));
      CHECK(hop_limit_of(back, family) == hop_limit_of(left, family) + 1);
      wire::Packet packet;
      CHECK(wire::dissect(back, packet) == wire::Malformed::ok);
      if (family.is_v4) CHECK(wire::ipv4_header_checksum_ok(back, packet));

      rig.programs().forget(reply(family, wire::protocol::tcp));
      rig.send(syn(family));
      CHECK_FALSE(rig.left(family, wire::protocol::tcp).empty());
    }
  }
}

TEST_CASE("an error of the host's stack comes back where it quotes what would have been answered so") {
  if (!test::is_root()) return;
  Rig rig(ways().front());
  for (const Family& family : families) {
    CAPTURE(family.server);
    const uint8_t icmp = family.is_v4 ? wire::protocol::icmp : wire::protocol::icmpv6;
    const auto is_unreachable = [&](const Buffer& frame) {
      const size_t type = link_length + (family.is_v4 ? ipv4_length : ipv6_length);
      return frame.size() > type && frame[type] == (family.is_v4 ? wire::icmp_type::unreachable : 1);
    };
    rig.expect(reply(family, wire::protocol::udp));
    rig.send(datagram(family));
    Buffer back = rig.came_back(family, icmp);
    while (!back.empty() && !is_unreachable(back)) back = rig.came_back(family, icmp);
    CHECK(is_unreachable(back));
  }
}

TEST_CASE("fragments of an expected reply come back with the first") {
  if (!test::is_root()) return;
  Rig rig(ways().front());
  for (const Family& family : families) {
    CAPTURE(family.server);
    const uint8_t protocol = family.is_v4 ? wire::protocol::udp : wire::protocol::fragment;
    rig.own({address(family.server), server_port, wire::protocol::udp});
    rig.expect(reply(family, wire::protocol::udp));
    const host::Descriptor server(socket(family.is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_storage here{}, there{};
    const auto fill = [&](sockaddr_storage& to, const char* host, uint16_t port) -> socklen_t {
      if (family.is_v4) {
        auto& v4 = reinterpret_cast<sockaddr_in&>(to);
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        REQUIRE(inet_pton(AF_INET, host, &v4.sin_addr) == 1);
        return sizeof v4;
      }
      auto& v6 = reinterpret_cast<sockaddr_in6&>(to);
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(port);
      REQUIRE(inet_pton(AF_INET6, host, &v6.sin6_addr) == 1);
      return sizeof v6;
    };
    const socklen_t length = fill(here, family.server, server_port);
    fill(there, family.client, client_port);
    REQUIRE(bind(server.get(), reinterpret_cast<const sockaddr*>(&here), length) == 0);
    const std::string data(4000, 'x');
    REQUIRE(sendto(server.get(), data.data(), data.size(), 0, reinterpret_cast<const sockaddr*>(&there), length) ==
            4000);
    for (int piece = 0; piece < 3; piece++) CHECK_FALSE(rig.came_back(family, protocol).empty());
  }
}

TEST_CASE("what a packet socket sends is not brought back") {
  if (!test::is_root()) return;
  Rig rig(ways().front());
  const Family& family = families[0];
  rig.expect(reply(family, wire::protocol::tcp));
  FrameSocket sender("b0");
  sender.send(ethernet({.source = inside_mac, .destination = outside_mac})
                  .ipv4({.source = family.server, .destination = family.client})
                  .tcp({.source_port = server_port, .destination_port = client_port})
                  .build());
  CHECK_FALSE(rig.left(family, wire::protocol::tcp).empty());
}

TEST_CASE("programs that were left at the egress are removed by who comes next") {
  if (!test::is_root()) return;
  Rig rig(host::StealWay::clsact);
  const auto has_program = [] { return output("tc filter show dev b0 egress").find("sluice") != std::string::npos; };
  CHECK(has_program());
  rig.leave_behind();
  CHECK(has_program());
  host::Failure failure;
  REQUIRE_MESSAGE(host::Steal::remove_left_overs(failure), failure.message);
  CHECK_FALSE(has_program());
  CHECK(output("tc qdisc show dev b0").find("clsact") == std::string::npos);
}

TEST_CASE("a process without such servers replaces what the one before has left at the egress") {
  if (!test::is_root()) return;
  Rig rig(host::StealWay::clsact);
  rig.leave_behind();
  host::Failure failure;
  const std::array<uint32_t, 1> interfaces = {rig.interface()};
  const auto next = host::Steal::attach(interfaces, host::StealWay::clsact, failure);
  REQUIRE_MESSAGE(next != nullptr, failure.message);
  REQUIRE_MESSAGE(next->update({}, failure), failure.message);
  CHECK(output("tc filter show dev b0 egress").find("sluice") == std::string::npos);
  CHECK(output("tc filter show dev b0 ingress").find("sluice") != std::string::npos);
}
