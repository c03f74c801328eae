// SPDX-License-Identifier: Apache-2.0
#include "wire/arp.h"

#include <doctest/doctest.h>

#include "packet_builder.h"

using namespace sluice;
using namespace sluice::test;
using wire::Malformed;

namespace {
const Buffer request = hex("0001 0800 06 04 0001 020000000001 0a000102 000000000000 0a000101");
}

TEST_CASE("ARP messages for anything but IPv4 over Ethernet are refused") {
  const struct {
    const char* what;
    size_t at;
    uint8_t value;
  } cases[] = {{"hardware", 1, 6}, {"protocol", 2, 0x86}, {"hardware length", 4, 8}, {"protocol length", 5, 16}};
  for (const auto& c : cases) {
    CAPTURE(c.what);
    Buffer bytes = request;
    bytes[c.at] = c.value;
    CHECK(wire::ArpView::parse(bytes).reason() == Malformed::bad_format);
  }
  for (size_t length = 0; length < request.size(); length++) {
    CHECK(wire::ArpView::parse(wire::Bytes(request).first(length)).reason() == Malformed::truncated);
  }
}

TEST_CASE("an ARP message is read without the frame's padding, and emitted to the same bytes") {
  const Buffer padded = request + Buffer(18);
  const auto arp = wire::ArpView::parse(padded);
  REQUIRE(arp);
  const wire::ArpView view = *arp;
  CHECK(view.bytes().size() == 28);
  CHECK(view.operation() == wire::arp_operation::request);
  CHECK(view.sender_mac() == mac("02:00:00:00:00:01"));
  CHECK(view.sender() == address("10.0.1.2").v4());
  CHECK(view.target_mac() == wire::MacAddress{});
  CHECK(view.target() == address("10.0.1.1").v4());

  Buffer emitted(wire::ArpView::length);
  wire::emit(wire::ArpFields{view.operation(), view.sender_mac(), view.sender(), view.target_mac(), view.target()},
             emitted.data());
  CHECK(emitted == request);
}

TEST_CASE("an operation without a name is printed by its number") {
  Buffer bytes = request;
  bytes[7] = 9;
  std::string text;
  wire::print(text, *wire::ArpView::parse(bytes), 28);
  CHECK(text == "ARP, Unknown (9), length 28");
}
