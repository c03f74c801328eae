// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "director/outgoing/outgoing.h"
#include "pieces.h"

using namespace sluice;
using namespace sluice::test;

namespace {

constexpr const char* our_mac = "02:00:00:00:00:99";
constexpr uint8_t solicited = wire::NeighbourView::solicited_flag, override = wire::NeighbourView::override_flag;

class Room {
 public:
  uint8_t* get() { return bytes_.get(); }
  Buffer first(size_t length) const { return {bytes_.get(), bytes_.get() + length}; }

 private:
  std::unique_ptr<uint8_t[]> bytes_{new uint8_t[director::resolution_reply_room]};
};

Buffer arp(ArpLayer layer) {
  return PacketBuilder().arp(layer).build();
}

Buffer arp_reply_to(const Buffer& request) {
  Room room;
  return room.first(director::write_arp_reply(request, mac(our_mac), room.get()));
}

Buffer advertisement_for(const Buffer& solicitation, uint32_t transport = wire::Ipv6View::header_length) {
  Room room;
  return room.first(director::write_neighbour_advertisement(solicitation, transport, mac(our_mac), room.get()));
}

constexpr Ipv6Layer asked_by_multicast{.source = "2001:db8::2", .destination = "ff02::1:ff00:100", .hop_limit = 255};
constexpr NeighbourLayer asks{.target = "2001:db8::100", .link_address = "02:00:00:00:00:01"};

// A solicitation without options.
Buffer probe(Ipv6Layer ip) {
  NeighbourLayer layer = asks;
  const Buffer with_option = ipv6(ip).neighbour(layer).build();
  const Buffer message(with_option.begin() + 40 + 8, with_option.begin() + 40 + 24);
  return ipv6(ip).icmpv6({.type = wire::icmpv6_type::neighbour_solicitation, .rest = 0}).payload(message).build();
}

}  // namespace

TEST_CASE("ARP requests are answered from the requested address") {
  const struct {
    const char* what;
    ArpLayer request;
    ArpLayer reply;
  } cases[] = {
      {"a host asks",
       {.sender_mac = "02:00:00:00:00:01", .sender = "10.0.1.2", .target = "10.0.1.100"},
       {.operation = 2,
        .sender_mac = our_mac,
        .sender = "10.0.1.100",
        .target_mac = "02:00:00:00:00:01",
        .target = "10.0.1.2"}},
      {"a probe (RFC 5227) has no address yet",
       {.sender_mac = "02:00:00:00:00:01", .sender = "0.0.0.0", .target = "10.0.1.100"},
       {.operation = 2,
        .sender_mac = our_mac,
        .sender = "10.0.1.100",
        .target_mac = "02:00:00:00:00:01",
        .target = "0.0.0.0"}},
      {"a host that knows us checks whether we are still there",
       {.sender = "10.0.1.2", .target_mac = our_mac, .target = "10.0.1.100"},
       {.operation = 2,
        .sender_mac = our_mac,
        .sender = "10.0.1.100",
        .target_mac = "02:00:00:00:00:01",
        .target = "10.0.1.2"}},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    CHECK(digits(arp_reply_to(arp(c.request))) == digits(arp(c.reply)));
    const Buffer padded = arp(c.request) + Buffer(18);
    CHECK_MESSAGE(digits(arp_reply_to(padded)) == digits(arp(c.reply)), "a frame's padding is none of the message");
  }
}

TEST_CASE("ARP messages that are not requests are not answered") {
  Buffer other_hardware = arp({.target = "10.0.1.100"});
  other_hardware[1] = 6;
  const struct {
    const char* what;
    Buffer message;
  } cases[] = {
      {"a reply", arp({.operation = 2, .target = "10.0.1.100"})},
      {"an operation that nobody knows", arp({.operation = 3, .target = "10.0.1.100"})},
      {"an announcement of the address itself", arp({.sender = "10.0.1.100", .target = "10.0.1.100"})},
      {"a sender that cannot be one", arp({.sender_mac = "ff:ff:ff:ff:ff:ff", .target = "10.0.1.100"})},
      {"another kind of link", other_hardware},
      {"less than a message", Buffer(27)},
      {"nothing", {}},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    CHECK(arp_reply_to(c.message).empty());
  }
}

TEST_CASE("neighbour solicitations are answered from the requested address") {
  const auto advertisement = [](const char* to, uint8_t flags) {
    return ipv6({.source = "2001:db8::100", .destination = to, .hop_limit = 255})
        .neighbour({.type = wire::icmpv6_type::neighbour_advertisement,
                    .flags = flags,
                    .target = "2001:db8::100",
                    .link_address = our_mac})
        .build();
  };
  const Ipv6Layer unicast{.source = "fe80::2", .destination = "2001:db8::100", .hop_limit = 255};
  const Ipv6Layer nobody{.source = "::", .destination = "ff02::1:ff00:100", .hop_limit = 255};
  const struct {
    const char* what;
    Buffer solicitation, expected;
  } cases[] = {
      {"to the solicited-node group", ipv6(asked_by_multicast).neighbour(asks).build(),
       advertisement("2001:db8::2", solicited | override)},
      {"to the address itself, without an option", probe(unicast), advertisement("fe80::2", solicited | override)},
      {"duplicate address detection is answered to all, unsolicited", probe(nobody),
       advertisement("ff02::1", override)},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    CHECK(digits(advertisement_for(c.solicitation)) == digits(c.expected));
  }
}

TEST_CASE("neighbour solicitations that RFC 4861 calls invalid are not answered") {
  Ipv6Layer routed = asked_by_multicast;
  routed.hop_limit = 254;
  Buffer wrong_sum = ipv6(asked_by_multicast).neighbour(asks).build();
  wrong_sum[42] ^= 1;
  NeighbourLayer answer = asks;
  answer.type = wire::icmpv6_type::neighbour_advertisement;
  const Buffer target(16);
  const Ipv6Layer nobody_to_all{.source = "::", .destination = "ff02::1", .hop_limit = 255};
  const Ipv6Layer nobody_to_other{.source = "::", .destination = "ff02::1:ff00:101", .hop_limit = 255};
  const Ipv6Layer nobody{.source = "::", .destination = "ff02::1:ff00:100", .hop_limit = 255};
  const auto raw = [](uint8_t code, Buffer body) {
    return ipv6(asked_by_multicast)
        .icmpv6({.type = wire::icmpv6_type::neighbour_solicitation, .code = code, .rest = 0})
        .payload(std::move(body))
        .build();
  };
  const struct {
    const char* what;
    Buffer packet;
  } cases[] = {
      {"a router has passed it on", ipv6(routed).neighbour(asks).build()},
      {"a wrong checksum", wrong_sum},
      {"an advertisement", ipv6(asked_by_multicast).neighbour(answer).build()},
      {"a code", raw(1, target)},
      {"no whole target", raw(0, Buffer(15))},
      {"an option of length zero", raw(0, target + Buffer(8))},
      {"detection of duplicates to all nodes", probe(nobody_to_all)},
      {"detection of duplicates to another's group", probe(nobody_to_other)},
      {"detection of duplicates that names its link address", ipv6(nobody).neighbour(asks).build()},
      {"an echo request", ipv6(asked_by_multicast).icmpv6().payload(pattern(24)).build()},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    CHECK(advertisement_for(c.packet).empty());
  }
}

TEST_CASE("next hops are asked for: by broadcast with ARP, by the solicited-node group with neighbour discovery") {
  Room room;
  const uint32_t arp_length =
      director::write_resolution_request(address("10.0.2.11"), address("10.0.2.1"), mac(our_mac), room.get());
  CHECK(digits(room.first(arp_length)) ==
        digits(arp({.sender_mac = our_mac, .sender = "10.0.2.1", .target = "10.0.2.11"})));
  CHECK(director::resolution_target(address("10.0.2.11")) == mac("ff:ff:ff:ff:ff:ff"));

  const wire::Address target = address("fd00:2::12:3456");
  const uint32_t length = director::write_resolution_request(target, address("fd00:2::1"), mac(our_mac), room.get());
  const Buffer solicitation = room.first(length);
  CHECK(digits(solicitation) ==
        digits(ipv6({.source = "fd00:2::1", .destination = "ff02::1:ff12:3456", .hop_limit = 255})
                   .neighbour({.target = "fd00:2::12:3456", .link_address = our_mac})
                   .build()));
  CHECK(director::resolution_target(target) == mac("33:33:ff:12:34:56"));
  CHECK_MESSAGE(!advertisement_for(solicitation).empty(), "a neighbour like this host would answer");
}

TEST_CASE("addresses are announced to all on the link") {
  Room room;
  const uint32_t arp_length = director::write_announcement(address("10.0.1.100"), mac(our_mac), room.get());
  CHECK(digits(room.first(arp_length)) ==
        digits(arp({.sender_mac = our_mac, .sender = "10.0.1.100", .target = "10.0.1.100"})));
  const uint32_t length = director::write_announcement(address("2001:db8::100"), mac(our_mac), room.get());
  CHECK(digits(room.first(length)) ==
        digits(ipv6({.source = "2001:db8::100", .destination = "ff02::1", .hop_limit = 255})
                   .neighbour({.type = wire::icmpv6_type::neighbour_advertisement,
                               .flags = override,
                               .target = "2001:db8::100",
                               .link_address = our_mac})
                   .build()));
}
