// SPDX-License-Identifier: Apache-2.0
// No packet of any kind causes an allocation. This program counts every call of operator new.
//
// Packets of each kind pass a director twice to warm it up (the first flow of a scheduler or a pool may take memory).
// Then packets with other ports pass: those must not allocate.
#include <cstdlib>
#include <new>

#include "test/director/fixture.h"

namespace {
size_t allocations = 0;

void* counted(size_t size) {
  allocations++;
  if (void* const at = std::malloc(size)) return at;
  throw std::bad_alloc();
}
void* counted(size_t size, std::align_val_t alignment) {
  allocations++;
  const auto step = static_cast<size_t>(alignment);
  if (void* const at = std::aligned_alloc(step, (size + step - 1) / step * step)) return at;
  throw std::bad_alloc();
}
}  // namespace

void* operator new(size_t size) {
  return counted(size);
}
void* operator new[](size_t size) {
  return counted(size);
}
void* operator new(size_t size, std::align_val_t alignment) {
  return counted(size, alignment);
}
void* operator new[](size_t size, std::align_val_t alignment) {
  return counted(size, alignment);
}
// Without these functions AddressSanitizer's own would be called, and the functions below would get its memory.
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  allocations++;
  return std::malloc(size);
}
void* operator new[](size_t size, const std::nothrow_t&) noexcept {
  allocations++;
  return std::malloc(size);
}
void operator delete(void* at) noexcept {
  std::free(at);
}
void operator delete[](void* at) noexcept {
  std::free(at);
}
void operator delete(void* at, size_t) noexcept {
  std::free(at);
}
void operator delete[](void* at, size_t) noexcept {
  std::free(at);
}
void operator delete(void* at, std::align_val_t) noexcept {
  std::free(at);
}
void operator delete[](void* at, std::align_val_t) noexcept {
  std::free(at);
}
void operator delete(void* at, size_t, std::align_val_t) noexcept {
  std::free(at);
}
void operator delete[](void* at, size_t, std::align_val_t) noexcept {
  std::free(at);
}

using namespace sluice;
using namespace sluice::test;

namespace {

constexpr uint16_t first_port = 2000, real_port = 8080;

// A director whose packets are built beforehand, so that only the director works while allocations are counted.
struct Counted : Fixture {
  Counted() : Fixture() {}

  // Passes the packet as the workers do, without a trace. Returns the number of allocations that it caused.
  size_t pass(const Buffer& bytes, const Arrival& arrival, Reason reason) {
    std::copy(bytes.begin(), bytes.end(), room.begin() + director::required_headroom);
    director::Frame frame;
    frame.data = room.data() + director::required_headroom;
    frame.length = static_cast<uint32_t>(bytes.size());
    frame.port = *arrival.port;
    frame.checksum = arrival.checksum;
    frame.segmentation = arrival.segmentation;
    frame.segment_size = arrival.segment_size;
    out.clear();
    const size_t before = allocations;
    const director::Decision decision = director.receive(frame, now, out);
    const size_t after = allocations;
    CHECK(director::reason_name(decision.reason) == director::reason_name(reason));
    return after - before;
  }

  Buffer room = Buffer(director::required_headroom + 80000);
  director::TransmitQueue out{4096};
};

struct Packet {
  const char* what;
  std::function<Buffer(uint16_t port)> make;
  Reason reason;
  size_t leave = 1;  // number of frames that leave
  Arrival arrival = {};
  PortId port = c0;
};

void pass_all(Counted& f, std::initializer_list<Packet> packets) {
  // The first rounds warm up: the first flow takes memory, and its end gives some back.
  for (uint16_t round = 0; round < 4; round++) {
    f.now += 2 * second;
    for (const Packet& packet : packets) {
      INFO(packet.what);
      CAPTURE(round);
      const Buffer bytes = packet.make(static_cast<uint16_t>(first_port + round));
      Arrival arrival = packet.arrival;
      arrival.port = packet.port;
      const size_t allocated = f.pass(bytes, arrival, packet.reason);
      CHECK(f.out.entries().size() == packet.leave);
      if (round > 1) CHECK(allocated == 0);
    }
  }
}

struct Mode {
  const char* what;
  Forwarding forwarding;
  director::Tunnel tunnel = {};
  bool sees_replies() const { return forwarding == Forwarding::nat || forwarding == Forwarding::fullnat; }
};
const Mode modes[] = {
    {"NAT", Forwarding::nat},
    {"FULLNAT", Forwarding::fullnat},
    {"DR", Forwarding::dr},
    {"IP in IP", Forwarding::tunnel, {}},
    {"GUE", Forwarding::tunnel, {.encapsulation = Encapsulation::gue, .port = 6080, .checksum = true}},
    {"GRE", Forwarding::tunnel, {.encapsulation = Encapsulation::gre, .checksum = true}},
};

// A packet of a client, in either family.
PacketBuilder request(bool is_v4, bool dont_fragment = false) {
  PacketBuilder builder = from_client();
  if (is_v4) {
    builder.ipv4({.dont_fragment = dont_fragment});
  } else {
    builder.ipv6({.source = client6, .destination = vip6});
  }
  return builder;
}
PacketBuilder reply(bool is_v4) {
  PacketBuilder builder = from_server();
  if (is_v4) {
    builder.ipv4({.source = server4, .destination = client4});
  } else {
    builder.ipv6({.source = server6, .destination = client6});
  }
  return builder;
}

void add_mode(Counted& f, const Mode& mode, bool is_v4, director::ServiceSettings settings = {}) {
  f.set_pool(1, {"10.0.2.200", "2001:db8:2::200"}, 40000, 40100);
  settings.pool = 1;
  for (const director::ServiceKey& key : {tcp(is_v4 ? vip4 : vip6), udp(is_v4 ? vip4 : vip6)}) {
    f.add(key, settings);
    f.add_server(key, is_v4 ? server4 : server6, real_port, {.forwarding = mode.forwarding, .tunnel = mode.tunnel});
  }
}

template <class Test>
void in_every_mode(Test test) {
  for (const Mode& mode : modes) {
    for (const bool is_v4 : {true, false}) {
      INFO(mode.what);
      CAPTURE(is_v4);
      Counted f;
      add_mode(f, mode, is_v4);
      test(f, mode, is_v4);
    }
  }
}

}  // namespace

TEST_CASE("this program counts allocations") {
  const size_t before = allocations;
  const auto something = std::make_unique<int>(1);
  CHECK(allocations == before + 1);
}

TEST_CASE("packets that open flows and packets of flows allocate nothing, in every mode") {
  in_every_mode([](Counted& f, const Mode&, bool is_v4) {
    pass_all(f, {{"SYN", [&](uint16_t port) { return request(is_v4).tcp({.source_port = port}).build(); },
                  Reason::scheduled},
                 {"ACK", [&](uint16_t port) { return request(is_v4).tcp({.source_port = port, .flags = ACK}).build(); },
                  Reason::established},
                 {"datagram that opens a flow",
                  [&](uint16_t port) {
                    return request(is_v4).udp({.source_port = port, .destination_port = 53}).payload("who").build();
                  },
                  Reason::scheduled},
                 {"datagram of a flow",
                  [&](uint16_t port) {
                    return request(is_v4).udp({.source_port = port, .destination_port = 53}).payload("who").build();
                  },
                  Reason::established}});
  });
}

TEST_CASE("replies allocate nothing") {
  for (const bool is_v4 : {true, false}) {
    CAPTURE(is_v4);
    Counted f;
    add_mode(f, modes[0], is_v4);
    pass_all(
        f,
        {{"SYN", [&](uint16_t port) { return request(is_v4).tcp({.source_port = port}).build(); }, Reason::scheduled},
         {"SYN-ACK",
          [&](uint16_t port) {
            return reply(is_v4).tcp({.source_port = real_port, .destination_port = port, .flags = SYN | ACK}).build();
          },
          Reason::reply,
          1,
          {},
          s0}});
  }
}

TEST_CASE("persistent clients and firewall marks allocate nothing") {
  Counted f;
  add_mode(f, modes[0], true, {.persistence = 60});
  f.director.set_marks({{.mark = 7, .protocol = wire::protocol::tcp, .ports = director::MarkRule::PortRange{90, 99}}});
  f.add(mark(7));
  f.add_server(mark(7), server4, 0);
  pass_all(
      f,
      {{"SYN to the persistent service",
        [](uint16_t port) {
          return from_client()
              .ipv4({.source = "10.0.1." + std::to_string(10 + port % 100)})
              .tcp({.source_port = port})
              .build();
        },
        Reason::scheduled},
       {"SYN that a rule marks",
        [](uint16_t port) { return from_client().ipv4().tcp({.source_port = port, .destination_port = 95}).build(); },
        Reason::scheduled}});
}

TEST_CASE("fragments allocate nothing, whether they follow their first or wait for it") {
  in_every_mode([](Counted& f, const Mode&, bool is_v4) {
    if (!is_v4) return;
    const auto piece = [](uint16_t port, uint16_t offset, bool more) {
      const Buffer whole = ipv4().udp({.source_port = port, .destination_port = 53}).payload(Buffer(120, 6)).build();
      return from_client()
          .ipv4({.id = port, .offset = offset, .more = more, .protocol = 17})
          .payload(Buffer(whole.begin() + 20 + offset, whole.begin() + 20 + offset + 64))
          .build();
    };
    pass_all(f, {{"later one before its first", [&](uint16_t port) { return piece(port, 64, false); },
                  Reason::fragment_held, 0},
                 {"first, which the later one follows", [&](uint16_t port) { return piece(port, 0, true); },
                  Reason::scheduled, 2},
                 {"first of another datagram",
                  [&](uint16_t port) { return piece(static_cast<uint16_t>(port + 1000), 0, true); }, Reason::scheduled},
                 {"its last", [&](uint16_t port) { return piece(static_cast<uint16_t>(port + 1000), 64, false); },
                  Reason::fragment}});
  });
}

TEST_CASE("fragments of IPv6 allocate nothing") {
  for (const Mode& mode : modes) {
    INFO(mode.what);
    Counted f;
    add_mode(f, mode, false);
    const auto piece = [](uint16_t port, uint16_t offset, bool more) {
      const Buffer whole = ipv6({.source = client6, .destination = vip6})
                               .udp({.source_port = port, .destination_port = 53})
                               .payload(Buffer(120, 6))
                               .build();
      return from_client()
          .ipv6({.source = client6, .destination = vip6})
          .fragment({.offset = offset, .more = more, .id = port, .next_header = wire::protocol::udp})
          .payload(Buffer(whole.begin() + 40 + offset, whole.begin() + 40 + offset + 64))
          .build();
    };
    pass_all(f, {{"later one before its first", [&](uint16_t port) { return piece(port, 64, false); },
                  Reason::fragment_held, 0},
                 {"first, which the later one follows", [&](uint16_t port) { return piece(port, 0, true); },
                  Reason::scheduled, 2}});
  }
}

TEST_CASE("packets that are cut into fragments where they leave allocate nothing") {
  for (const Mode& mode : modes) {
    INFO(mode.what);
    Counted f;
    add_mode(f, mode, true);
    Network narrow;
    narrow.ports[s0].mtu = 600;
    f.use(narrow);
    pass_all(f, {{"datagram of 1400 bytes",
                  [](uint16_t port) {
                    return from_client()
                        .ipv4()
                        .udp({.source_port = port, .destination_port = 53})
                        .payload(Buffer(1400, 3))
                        .build();
                  },
                  Reason::scheduled, 3}});
  }
}

TEST_CASE("frames whose segments are still to be cut allocate nothing") {
  in_every_mode([](Counted& f, const Mode& mode, bool is_v4) {
    const Arrival cut{.checksum = TransportChecksum::partial,
                      .segmentation = is_v4 ? Segmentation::tcp4 : Segmentation::tcp6,
                      .segment_size = 1000};
    const bool is_tunnel = mode.forwarding == Forwarding::tunnel;
    pass_all(f, {{"SYN", [&](uint16_t port) { return request(is_v4).tcp({.source_port = port}).build(); },
                  Reason::scheduled},
                 {"ten segments",
                  [&](uint16_t port) {
                    return request(is_v4)
                        .tcp({.source_port = port, .flags = ACK, .sum = Sum::partial})
                        .payload(Buffer(10000, 9))
                        .build();
                  },
                  Reason::established, is_tunnel ? size_t{10} : size_t{1}, cut}});
  });
}

TEST_CASE("ICMP errors that the director sends allocate nothing") {
  in_every_mode([](Counted& f, const Mode&, bool is_v4) {
    // Each error goes to another port and address, so that the rate limit per receiver does not apply.
    pass_all(f, {{"hop limit used up",
                  [&](uint16_t port) {
                    PacketBuilder builder = from_client();
                    is_v4 ? builder.ipv4({.ttl = 1})
                          : builder.ipv6({.source = client6, .destination = vip6, .hop_limit = 1});
                    return builder.tcp({.source_port = port}).build();
                  },
                  Reason::ttl_exceeded},
                 {"too big",
                  [&](uint16_t port) {
                    return request(is_v4, true)
                        .udp({.source_port = port, .destination_port = 53})
                        .payload(Buffer(1600, 3))
                        .build();
                  },
                  Reason::too_big}});
  });
}

TEST_CASE("ICMP errors that the director translates allocate nothing") {
  for (const bool is_v4 : {true, false}) {
    CAPTURE(is_v4);
    Counted f;
    add_mode(f, modes[0], is_v4);
    const auto error = [&](uint16_t port) {
      // About a request as the real server received it.
      const Buffer quoted = is_v4 ? ipv4({.source = client4, .destination = server4})
                                        .tcp({.source_port = port, .destination_port = real_port})
                                        .build()
                                  : ipv6({.source = client6, .destination = server6})
                                        .tcp({.source_port = port, .destination_port = real_port})
                                        .build();
      const IcmpLayer layer{.type = static_cast<uint8_t>(is_v4 ? 3 : 1), .code = static_cast<uint8_t>(is_v4 ? 3 : 4)};
      PacketBuilder builder = reply(is_v4);
      is_v4 ? builder.icmp(layer) : builder.icmpv6(layer);
      return builder.payload(quoted).build();
    };
    pass_all(f, {{"SYN", [&](uint16_t port) { return request(is_v4).tcp({.source_port = port}).build(); },
                  Reason::scheduled},
                 {"port unreachable", error, Reason::related_error, 1, {}, s0}});
  }
}

TEST_CASE("an error of a router within a tunnel, which is translated for the client, allocates nothing") {
  Counted f;
  add_mode(f, modes[3], true);
  pass_all(f, {{"SYN", [&](uint16_t port) { return request(true, true).tcp({.source_port = port}).build(); },
                Reason::scheduled},
               {"fragmentation needed",
                [&](uint16_t port) {
                  const Buffer inside = ipv4({.dont_fragment = true}).tcp({.source_port = port}).build();
                  const Buffer outside =
                      ipv4({.source = "10.0.2.1", .destination = server4, .dont_fragment = true, .protocol = 4})
                          .payload(inside)
                          .build();
                  return from_server()
                      .ipv4({.source = "10.0.2.11", .destination = "10.0.2.1"})
                      .icmp({.type = 3, .code = 4, .rest = 1400})
                      .payload(outside)
                      .build();
                },
                Reason::tunnel_error,
                1,
                {},
                s0}});
}

TEST_CASE("connections that servers open, and echo, allocate nothing") {
  Counted f;
  f.add(tcp());
  f.set_pool(2, {"10.0.1.200"}, 50000, 50100);
  f.director.set_egress({{address("10.0.2.0"), 24, 2}});
  pass_all(f, {{"SYN of a server",
                [](uint16_t port) {
                  return from_server()
                      .ipv4({.source = server4, .destination = "198.51.100.7"})
                      .tcp({.source_port = port, .destination_port = 443})
                      .build();
                },
                Reason::egress_opened,
                1,
                {},
                s0},
               {"echo to the virtual address",
                [](uint16_t port) { return from_client().ipv4().icmp({.type = 8, .rest = port}).build(); },
                Reason::echo_answered},
               {"ARP for the virtual address",
                [](uint16_t) {
                  return ethernet({.source = client_mac, .destination = "ff:ff:ff:ff:ff:ff"})
                      .arp({.operation = 1,
                            .sender_mac = client_mac,
                            .sender = client4,
                            .target_mac = "00:00:00:00:00:00",
                            .target = vip4})
                      .build();
                },
                Reason::arp_answered}});
}

TEST_CASE("handshakes of the SYN proxy, with and without the PROXY protocol, allocate nothing") {
  for (const bool has_header : {false, true}) {
    for (const bool is_v4 : {true, false}) {
      CAPTURE(has_header);
      CAPTURE(is_v4);
      Counted f;
      director::ServiceSettings settings;
      settings.syn_proxy = director::SynProxy::on;
      settings.proxy_protocol = has_header;
      add_mode(f, modes[0], is_v4, settings);
      for (uint16_t round = 0; round < 4; round++) {
        f.now += 2 * second;
        const auto port = static_cast<uint16_t>(first_port + round);
        const auto pass = [&](const Buffer& bytes, PortId from, Reason reason) {
          const size_t allocated = f.pass(bytes, {.port = from}, reason);
          if (round > 1) CHECK(allocated == 0);
        };
        pass(request(is_v4).tcp({.source_port = port, .sequence = 1000}).build(), c0, Reason::syn_cookie_sent);
        wire::Packet packet;
        const director::Frame answer = f.out.entries().front().frame;
        REQUIRE(wire::dissect({answer.data, answer.length}, packet) == wire::Malformed::ok);
        const uint32_t cookie = wire::load_be32(answer.data + packet.l4 + 4);
        pass(request(is_v4)
                 .tcp({.source_port = port, .sequence = 1001, .acknowledgement = cookie + 1, .flags = ACK})
                 .build(),
             c0, Reason::syn_proxy_handshake);
        pass(reply(is_v4)
                 .tcp({.source_port = real_port,
                       .destination_port = port,
                       .sequence = 9000,
                       .acknowledgement = 1001,
                       .flags = SYN | ACK})
                 .build(),
             s0, Reason::syn_proxy_handshake);
        pass(request(is_v4)
                 .tcp({.source_port = port, .sequence = 1001, .acknowledgement = cookie + 1, .flags = ACK})
                 .payload("GET /")
                 .build(),
             c0, Reason::established);
      }
    }
  }
}
