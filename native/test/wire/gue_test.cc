// SPDX-License-Identifier: Apache-2.0
#include "wire/gue.h"

#include <doctest/doctest.h>

#include "packet_builder.h"

using namespace sluice;
using namespace sluice::test;
using wire::Malformed;

TEST_CASE("GUE headers are read as Linux writes them") {
  const struct {
    const char* what;
    const char* bytes;
    uint8_t variant, protocol;
    bool control;
    size_t header_length;
    std::optional<wire::RemoteChecksum> remote_checksum;
  } cases[] = {
      {"variant 0 that carries IPv4", "00040000 ff", 0, 4, false, 4, {}},
      {"variant 0 that carries IPv6", "00290000 ff", 0, 41, false, 4, {}},
      {"a control message", "20010000 ff", 0, 1, true, 4, {}},
      {"the remote checksum", "02040001 80000000 00140024 ff", 0, 4, false, 12, wire::RemoteChecksum{20, 36}},
      {"private data without it", "01040001 00000000 ff", 0, 4, false, 8, {}},
      {"fields that no flag explains", "01040000 00000000 ff", 0, 4, false, 8, {}},
      {"variant 1, IPv4", "45000000", 1, 4, false, 0, {}},
      {"variant 1, IPv6", "60000000", 1, 41, false, 0, {}},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    const Buffer bytes = hex(c.bytes);
    const auto gue = wire::GueView::parse(bytes);
    REQUIRE(gue);
    CHECK(int{gue->variant()} == int{c.variant});
    CHECK(int{gue->protocol()} == int{c.protocol});
    CHECK(gue->is_control() == c.control);
    CHECK(gue->header_length() == c.header_length);
    CHECK(gue->remote_checksum() == c.remote_checksum);
    CHECK(gue->payload().size() == bytes.size() - c.header_length);
  }
}

TEST_CASE("unsupported GUE headers are refused") {
  const struct {
    const char* what;
    const char* bytes;
    Malformed reason;
  } cases[] = {
      {"three bytes", "000400", Malformed::truncated},
      {"variant 2", "80040000", Malformed::bad_version},
      {"variant 1 without IP", "50000000", Malformed::bad_version},
      {"a header past the packet", "01040000", Malformed::header_beyond_packet},
      {"a flag whose field nobody knows", "01040002 00000000", Malformed::bad_format},
      {"a private flag whose field nobody knows", "01040001 40000000", Malformed::bad_format},
      {"private data that are not there", "00040001", Malformed::header_too_short},
      {"a remote checksum that is not there", "01040001 80000000", Malformed::header_too_short},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    CHECK(wire::name(wire::GueView::parse(hex(c.bytes)).reason()) == wire::name(c.reason));
  }
}

TEST_CASE("emitted GUE headers have the expected bytes") {
  Buffer plain(4), remote(12);
  CHECK(wire::emit(wire::GueFields{.protocol = 41}, plain.data()) == 4);
  CHECK(plain == hex("00290000"));
  CHECK(wire::emit(wire::GueFields{.remote_checksum = wire::RemoteChecksum{20, 36}}, remote.data()) == 12);
  CHECK(remote == hex("02040001 80000000 00140024"));
}
