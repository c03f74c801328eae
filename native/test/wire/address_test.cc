// SPDX-License-Identifier: Apache-2.0
#include "wire/address.h"

#include <doctest/doctest.h>

using namespace sluice;

TEST_CASE("addresses are read as a whole or refused, and written in canonical form") {
  const struct {
    const char* text;
    const char* canonical;  // nullptr: not an address
  } cases[] = {
      {"10.0.1.100", "10.0.1.100"},
      {"0.0.0.0", "0.0.0.0"},
      {"255.255.255.255", "255.255.255.255"},
      {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
      {"::", "::"},
      {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
      {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
      {"", nullptr},
      {"10.0.1", nullptr},
      {"10.0.1.256", nullptr},
      {"10.0.1.1 ", nullptr},
      {" 10.0.1.1", nullptr},
      {"10.0.1.1/24", nullptr},
      {"010.0.1.1", nullptr},
      {"1::2::3", nullptr},
      {"fe80::1%eth0", nullptr},
      {"2001:db8:0000:0000:0000:0000:0000:0001:2001:db8:0000:0000", nullptr},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    const auto parsed = wire::parse_address(c.text);
    CHECK(parsed.has_value() == (c.canonical != nullptr));
    if (parsed && c.canonical != nullptr) CHECK(wire::to_string(*parsed) == c.canonical);
  }
  CHECK(!wire::parse_address(std::string_view("10.0.1.1\0", 9)));
}

TEST_CASE("MAC addresses are six pairs of hexadecimal digits with colons") {
  CHECK(wire::to_string(wire::parse_mac("02:00:5E:10:0a:ff").value()) == "02:00:5e:10:0a:ff");
  for (const char* text :
       {"", "02:00:5e:10:0a", "02:00:5e:10:0a:fg", "02-00-5e-10-0a-ff", "02:00:5e:10:0a:ff:", "2:0:5e:10:a:ff"}) {
    CAPTURE(text);
    CHECK(!wire::parse_mac(text));
  }
}

TEST_CASE("an address of either family keeps the bytes it was made of") {
  const wire::Address v4 = wire::parse_address("10.0.1.100").value(), v6 = wire::parse_address("2001:db8::1").value();
  CHECK(wire::Address(v4.v4()) == v4);
  CHECK(wire::Address(v6.v6()) == v6);
  CHECK(v4.family == wire::Family::ipv4);
  CHECK(v6.family == wire::Family::ipv6);
  CHECK(wire::Address(wire::Ipv6Address{}).is_unspecified());
  CHECK(!v6.is_unspecified());
}
