// SPDX-License-Identifier: Apache-2.0
#include "wire/tcp.h"

#include <doctest/doctest.h>

#include "wire/samples.h"

using namespace sluice;
using namespace sluice::test;
using wire::Malformed;

namespace {
std::string printed(const TcpLayer& layer, std::string_view payload = "") {
  const Buffer segment = PacketBuilder().tcp(layer).payload(payload).build();
  std::string text;
  wire::print(text, *wire::TcpView::parse(segment), payload.size());
  return text;
}
}  // namespace

TEST_CASE("a TCP header's fields are read") {
  const Buffer segment = PacketBuilder()
                             .tcp({.source_port = 1,
                                   .destination_port = 2,
                                   .sequence = 0x01020304,
                                   .acknowledgement = 0xfffefdfc,
                                   .flags = SYN | ACK,
                                   .window = 512,
                                   .urgent_pointer = 9,
                                   .options = mss_option,
                                   .checksum = 0x1234})
                             .payload("abc")
                             .build();
  const auto tcp = wire::TcpView::parse(segment);
  REQUIRE(tcp);
  CHECK(tcp->source_port() == 1);
  CHECK(tcp->destination_port() == 2);
  CHECK(tcp->sequence() == 0x01020304);
  CHECK(tcp->acknowledgement() == 0xfffefdfc);
  CHECK(tcp->header_length() == 24);
  CHECK(tcp->has(SYN));
  CHECK(!tcp->has(FIN));
  CHECK(tcp->window() == 512);
  CHECK(tcp->checksum() == wire::raw16(0x1234));
  CHECK(tcp->urgent_pointer() == 9);
  CHECK(tcp->options().size() == 4);
  CHECK(tcp->payload().size() == 3);
}

TEST_CASE("TCP headers with impossible lengths are refused") {
  CHECK(wire::TcpView::parse(Buffer(19)).reason() == Malformed::truncated);
  for (int words = 0; words < 16; words++) {
    CAPTURE(words);
    const Buffer segment = PacketBuilder().tcp({.header_words = static_cast<uint8_t>(words)}).payload("1234").build();
    const Malformed expected = words < 5   ? Malformed::header_too_short
                               : words > 6 ? Malformed::header_beyond_packet
                                           : Malformed::ok;
    CHECK(wire::name(wire::TcpView::parse(segment).reason()) == wire::name(expected));
  }
}

TEST_CASE("a TCP header is rewritten in place and its checksum filled in over the pseudo-header") {
  Buffer packet = ipv4().tcp({.checksum = 0}).payload("abc").build();
  auto tcp = *wire::MutableTcpView::parse(wire::MutableBytes(packet).subspan(20));
  tcp.set_source_port(1);
  tcp.set_destination_port(2);
  tcp.set_sequence(3);
  tcp.set_acknowledgement(4);
  tcp.set_flags(ACK);
  tcp.set_window(5);
  tcp.fill_checksum(wire::pseudo_header_sum(address("10.0.1.2").v4(), address("10.0.1.100").v4(), 6, 23));
  CHECK(
      packet ==
      ipv4()
          .tcp(
              {.source_port = 1, .destination_port = 2, .sequence = 3, .acknowledgement = 4, .flags = ACK, .window = 5})
          .payload("abc")
          .build());
  tcp.set_header_length(24);
  CHECK(tcp.header_length() == 24);
}

TEST_CASE("the walk over options ends at the end of the list or at the first wrong length") {
  const struct {
    const char* what;
    const char* options;
    std::vector<uint8_t> kinds;
    Malformed reason;
  } cases[] = {
      {"none", "", {}, Malformed::ok},
      {"a client's", "020405b4 0402080a 00000064 00000000 01030307", {2, 4, 8, 1, 3}, Malformed::ok},
      {"the end of the list", "01 00 02 04", {1}, Malformed::ok},
      {"a length of zero", "01 02 00 00", {1}, Malformed::bad_option},
      {"a length past the header", "0204", {}, Malformed::bad_option},
      {"a kind alone", "01 01 01 02", {1, 1, 1}, Malformed::bad_option},
  };
  for (const auto& c : cases) {
    CAPTURE(c.what);
    const Buffer options = hex(c.options);
    wire::OptionWalk walk(options);
    wire::Option option;
    std::vector<uint8_t> kinds;
    while (walk.next(option)) kinds.push_back(option.kind);
    CHECK(kinds == c.kinds);
    CHECK(walk.reason() == c.reason);
  }
}

TEST_CASE("segments are printed as by tcpdump") {
  CHECK(printed({.flags = 0}) == "Flags [none], win 64240, length 0");
  CHECK(printed({.flags = 0xff}) == "Flags [FSRP.UEW], seq 1, ack 0, win 64240, urg 0, length 0");
  CHECK(printed({.sequence = 0xffffffff, .flags = ACK}, "ab") ==
        "Flags [.], seq 4294967295:1, ack 0, win 64240, length 2");
  CHECK(printed({.options = hex("4c040102")}) == "Flags [S], seq 1, win 64240, options [unknown-76 0x0102], length 0");
  CHECK(printed({.options = hex("fe141f90 20010db8000000000000000000000001")}) ==
        "Flags [S], seq 1, win 64240, options [toa 2001:db8::1.8080], length 0");
}
