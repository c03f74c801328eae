// SPDX-License-Identifier: Apache-2.0
#include "director/handshake/syn_cookie.h"

#include <doctest/doctest.h>

#include <random>
#include <vector>

#include "test/director/services/farm.h"

namespace sluice::director::test {
namespace {

std::mt19937 engine(20);
uint32_t any() {
  return static_cast<uint32_t>(engine());
}

CookieFlow any_flow(wire::Family family) {
  CookieFlow flow;
  for (wire::Address* a : {&flow.client, &flow.virtual_address}) {
    a->family = family;
    for (size_t i = 0; i < (family == wire::Family::ipv4 ? 4u : 16u); i++) a->bytes[i] = static_cast<uint8_t>(any());
  }
  flow.client_port = static_cast<uint16_t>(any());
  flow.virtual_port = static_cast<uint16_t>(any());
  return flow;
}

SynOptions any_options(wire::Family family) {
  SynOptions options;
  options.mss = (family == wire::Family::ipv4 ? mss_table_ipv4 : mss_table_ipv6)[any() % 8];
  options.window_scale = static_cast<uint8_t>(any() % 16);
  options.sack_permitted = any() % 2 == 0;
  return options;
}

struct Secrets : CookieSecrets {
  explicit Secrets(Time now, uint32_t seed = 1) : random(seeded(seed)) { renew(now, random); }
  void at(Time now) { renew(now, random); }
  RandomSource random;
};

constexpr Time start = 1'000'000 * CookieSecrets::slot_length;

TEST_CASE("SipHash agrees with its authors' vectors") {
  constexpr core::SipKey key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  CHECK(core::SipHash<2, 4>(key).finish(0, 0) == 0x726fdb47dd0e0e31);
  CHECK(core::SipHash<2, 4>(key).finish(0, 1) == 0x74f839c593dc67fd);
  CHECK(core::SipHash<2, 4>(key).add(0x0706050403020100).finish(0, 8) == 0x93f5f5799a932462);
  CHECK(core::SipHash<2, 4>(key).add(0x0706050403020100).finish(0x0e0d0c0b0a0908, 15) == 0xa129ca6149be45e5);
}

TEST_CASE("a good cookie gives back the options that it was made of") {
  for (wire::Family family : {wire::Family::ipv4, wire::Family::ipv6}) {
    for (int i = 0; i < 5000; i++) {
      const Secrets secrets(start + any() * second, any());
      const CookieFlow flow = any_flow(family);
      const SynOptions options = any_options(family);
      const uint32_t sequence = any();
      const auto opened = open_cookie(flow, sequence, make_cookie(flow, sequence, options, secrets), secrets);
      REQUIRE(opened.has_value());
      CHECK(*opened == options);
    }
  }
}

TEST_CASE("a cookie holds the largest MSS in its table that does not exceed the client's") {
  const Secrets secrets(start);
  const auto through = [&](wire::Family family, uint16_t mss) {
    const CookieFlow flow = any_flow(family);
    SynOptions options;
    options.mss = mss;
    return open_cookie(flow, 1, make_cookie(flow, 1, options, secrets), secrets)->mss;
  };
  const struct {
    wire::Family family;
    uint16_t offered, kept;
  } table[] = {
      {wire::Family::ipv4, 1460, 1460},  {wire::Family::ipv4, 1459, 1440}, {wire::Family::ipv4, 1452, 1440},
      {wire::Family::ipv4, 536, 536},    {wire::Family::ipv4, 535, 216},   {wire::Family::ipv4, 1, 216},
      {wire::Family::ipv4, 65535, 8960}, {wire::Family::ipv4, 0, 536},     {wire::Family::ipv6, 1440, 1440},
      {wire::Family::ipv6, 1439, 1420},  {wire::Family::ipv6, 0, 1220},    {wire::Family::ipv6, 65535, 8940},
  };
  for (const auto& [family, offered, kept] : table) {
    CAPTURE(offered);
    CHECK(through(family, offered) == kept);
  }
}

TEST_CASE("a cookie with a changed bit is refused, and so is the cookie of another flow") {
  for (int i = 0; i < 300; i++) {
    const Secrets secrets(start, any());
    const wire::Family family = i % 2 == 0 ? wire::Family::ipv4 : wire::Family::ipv6;
    const CookieFlow flow = any_flow(family);
    const uint32_t sequence = any();
    const uint32_t cookie = make_cookie(flow, sequence, any_options(family), secrets);
    for (int bit = 0; bit < 32; bit++) {
      CHECK_FALSE(open_cookie(flow, sequence, cookie ^ 1u << bit, secrets).has_value());
      CHECK_FALSE(open_cookie(flow, sequence ^ 1u << bit, cookie, secrets).has_value());
    }
    for (int bit = 0; bit < 16; bit++) {
      CookieFlow other = flow;
      other.client_port = static_cast<uint16_t>(flow.client_port ^ 1 << bit);
      CHECK_FALSE(open_cookie(other, sequence, cookie, secrets).has_value());
      other = flow;
      other.virtual_port = static_cast<uint16_t>(flow.virtual_port ^ 1 << bit);
      CHECK_FALSE(open_cookie(other, sequence, cookie, secrets).has_value());
    }
    for (int bit = 0; bit < (family == wire::Family::ipv4 ? 32 : 128); bit++) {
      CookieFlow other = flow;
      other.client.bytes[static_cast<size_t>(bit / 8)] ^= static_cast<uint8_t>(1 << bit % 8);
      CHECK_FALSE(open_cookie(other, sequence, cookie, secrets).has_value());
      other = flow;
      other.virtual_address.bytes[static_cast<size_t>(bit / 8)] ^= static_cast<uint8_t>(1 << bit % 8);
      CHECK_FALSE(open_cookie(other, sequence, cookie, secrets).has_value());
    }
  }
}

TEST_CASE("guessed cookies are refused") {
  const Secrets secrets(start);
  int accepted = 0;
  for (int i = 0; i < 200'000; i++)
    accepted += open_cookie(any_flow(wire::Family::ipv4), any(), any(), secrets).has_value();
  CHECK(accepted == 0);  // one in 2^23 would be accepted; with this seed none is
}

TEST_CASE("a cookie is good in its slot and the next one") {
  const CookieFlow flow = any_flow(wire::Family::ipv4);
  for (Time into_slot : {Time{0}, 30 * second, CookieSecrets::slot_length - 1}) {
    Secrets secrets(start + into_slot);
    const uint32_t cookie = make_cookie(flow, 7, {}, secrets);
    secrets.at(start + CookieSecrets::slot_length - 1);
    CHECK(open_cookie(flow, 7, cookie, secrets).has_value());
    secrets.at(start + CookieSecrets::slot_length);
    CHECK(open_cookie(flow, 7, cookie, secrets).has_value());
    secrets.at(start + 2 * CookieSecrets::slot_length - 1);
    CHECK(open_cookie(flow, 7, cookie, secrets).has_value());
    secrets.at(start + 2 * CookieSecrets::slot_length);
    CHECK_FALSE(open_cookie(flow, 7, cookie, secrets).has_value());
  }
  SUBCASE("and no cookie is good after a pause of the director") {
    Secrets secrets(start);
    const uint32_t cookie = make_cookie(flow, 7, {}, secrets);
    const core::SipKey before = secrets.key_of(secrets.slot());
    secrets.at(start + 5 * CookieSecrets::slot_length);
    CHECK_FALSE(secrets.key_of(CookieSecrets::slot_at(start)) == before);
    CHECK_FALSE(secrets.key_of(CookieSecrets::slot_at(start) - 1) == before);
    CHECK_FALSE(open_cookie(flow, 7, cookie, secrets).has_value());
  }
}

TEST_CASE("the options of a SYN are read as they were written") {
  for (int i = 0; i < 2000; i++) {
    SynOptions options;
    options.mss = static_cast<uint16_t>(any());
    if (any() % 2 == 0) options.window_scale = static_cast<uint8_t>(any() % 15);
    options.sack_permitted = any() % 2 == 0;
    options.timestamps = any() % 2 == 0;
    if (options.timestamps) {
      options.timestamp = any();
      options.timestamp_echo = any();
    }
    std::array<uint8_t, 20> bytes;
    const size_t length = write_syn_options(options, bytes);
    CHECK(length % 4 == 0);
    CHECK(length <= bytes.size());
    CHECK(read_syn_options(wire::Bytes(bytes.data(), length)) == options);
  }
  CHECK(read_syn_options({}) == SynOptions{});
  const uint8_t too_wide[] = {3, 3, 99, 0};
  CHECK(read_syn_options(too_wide).window_scale == 14);
  const uint8_t lying[] = {2, 4, 5, 180, 8, 40, 0, 0};
  CHECK(read_syn_options(lying).mss == 1460);
  CHECK_FALSE(read_syn_options(lying).timestamps);
}

struct Segment {
  std::vector<uint8_t> bytes;
  wire::MutableTcpView view() {
    auto parsed = wire::MutableTcpView::parse(bytes);
    REQUIRE(parsed);
    return *parsed;
  }
  uint16_t checksum() { return wire::internet_checksum(bytes); }
};

Segment segment(uint32_t sequence, uint32_t acknowledgement, uint16_t window, std::vector<uint8_t> options,
                uint8_t flags = wire::tcp_flag::ack) {
  wire::TcpFields fields;
  fields.sequence = sequence;
  fields.acknowledgement = acknowledgement;
  fields.window = window;
  fields.flags = flags;
  fields.options = options;
  Segment result;
  result.bytes.resize(20 + options.size() + 3);
  wire::emit(fields, result.bytes.data());
  result.bytes[20 + options.size()] = 0xab;
  auto view = result.view();
  view.set_checksum(result.checksum());
  return result;
}

TEST_CASE("a splice moves the server's numbers and leaves the client's unchanged") {
  const Splice splice{1000, 50, 7, 7};
  const std::vector<uint8_t> timestamps{1, 1, 8, 10, 0, 0, 0, 100, 0, 0, 0, 200};
  Segment answer = segment(5, 77, 300, timestamps);
  to_client(answer.view(), splice);
  CHECK(answer.view().sequence() == 1005);
  CHECK(answer.view().acknowledgement() == 77);
  CHECK(answer.view().window() == 300);
  CHECK(read_syn_options(answer.view().options()).timestamp == 150);
  CHECK(read_syn_options(answer.view().options()).timestamp_echo == 200);

  Segment request = segment(77, 1005, 300, {1, 1, 5, 18, 0, 0, 7, 208, 0, 0, 8, 0, 0, 0, 0, 1, 0, 0, 0, 2});
  to_server(request.view(), splice);
  CHECK(request.view().sequence() == 77);
  CHECK(request.view().acknowledgement() == 5);
  const auto options = request.view().options();
  CHECK(wire::load_be32(&options[4]) == 1000);
  CHECK(wire::load_be32(&options[8]) == 1048);
  CHECK(wire::load_be32(&options[12]) == 1u - 1000u);
  CHECK(wire::load_be32(&options[16]) == 2u - 1000u);

  Segment reset = segment(78, 9, 0, {}, wire::tcp_flag::rst);
  to_server(reset.view(), splice);
  CHECK(reset.view().acknowledgement() == 9);
}

TEST_CASE("windows have the promised scale and are never too wide") {
  const struct {
    uint16_t window;
    uint8_t real, promised;
    uint16_t said;
  } table[] = {{1000, 7, 7, 1000}, {1000, 0, 7, 7},       {1000, 7, 0, 65535}, {100, 7, 0, 12800},
               {127, 0, 7, 0},     {65535, 14, 0, 65535}, {65535, 0, 14, 3},   {0, 14, 0, 0}};
  for (const auto& [window, real, promised, said] : table) {
    CAPTURE(window);
    Segment s = segment(1, 2, window, {});
    to_client(s.view(), {0, 0, promised, real});
    CHECK(s.view().window() == said);
  }
}

TEST_CASE("the two directions of a splice undo each other, and checksums stay right") {
  for (int i = 0; i < 5000; i++) {
    const Splice splice{any(), any(), static_cast<uint8_t>(any() % 15), static_cast<uint8_t>(any() % 15)};
    std::vector<uint8_t> options;
    const auto pad = [&] { options.insert(options.end(), any() % 4, 1); };
    pad();
    if (any() % 2 == 0) {
      options.insert(options.end(), {8, 10});
      for (int k = 0; k < 8; k++) options.push_back(static_cast<uint8_t>(any()));
    }
    pad();
    if (const unsigned blocks = any() % 3; blocks > 0) {
      options.insert(options.end(), {5, static_cast<uint8_t>(2 + 8 * blocks)});
      for (unsigned k = 0; k < 8 * blocks; k++) options.push_back(static_cast<uint8_t>(any()));
    }
    while (options.size() % 4 != 0) options.push_back(0);
    Segment s = segment(any(), any(), static_cast<uint16_t>(any()), options);
    const bool outwards = any() % 2 == 0;
    auto view = s.view();
    const uint32_t before = outwards ? view.sequence() : view.acknowledgement();
    const wire::Sum change = outwards ? to_client(view, splice) : to_server(view, splice);
    view.set_checksum(wire::updated_checksum(view.checksum(), change));
    CHECK(s.checksum() == 0);
    CHECK((outwards ? view.sequence() - splice.sequence : view.acknowledgement() + splice.sequence) == before);
  }
}

TEST_CASE("options with wrong lengths are neither read nor written past their end") {
  for (int i = 0; i < 20'000; i++) {
    std::vector<uint8_t> options(4 * (any() % 11));
    for (uint8_t& byte : options)
      byte = any() % 3 == 0 ? static_cast<uint8_t>(any()) : std::array<uint8_t, 6>{0, 1, 5, 8, 10, 2}[any() % 6];
    Segment s = segment(any(), any(), 1, options);
    auto view = s.view();
    view.set_checksum(wire::updated_checksum(view.checksum(), to_client(view, {any(), any(), 3, 2})));
    view.set_checksum(wire::updated_checksum(view.checksum(), to_server(view, {any(), any(), 3, 2})));
    CHECK(s.checksum() == 0);
    read_syn_options(view.options());
  }
}

}  // namespace
}  // namespace sluice::director::test
