// SPDX-License-Identifier: Apache-2.0
#include "director/flows/fragment_table.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace sluice::director {
namespace {

using wire::Ipv4Address;
using wire::Ipv6Address;
using Info = FragmentInfo<Ipv4Address>;
using Held = std::vector<std::pair<uint64_t, FragmentDrop>>;

constexpr uint8_t tcp = 6, udp = 17;

Info piece(uint32_t offset, uint32_t length, bool more, uint32_t identification = 1, uint8_t protocol = udp) {
  return {.key = {{1}, {2}, identification, protocol},
          .transport = protocol,
          .offset = offset,
          .length = length,
          .more = more};
}

struct Fixture {
  Held dropped;
  FragmentTable<Ipv4Address> table;
  explicit Fixture(const FragmentTableOptions& options = {})
      : table(options, [this](uint64_t context, FragmentDrop reason) { dropped.emplace_back(context, reason); }) {}

  FragmentOutcome offer(const Info& info, Time now = second, uint64_t context = 0, size_t size = 100) {
    const std::vector<uint8_t> frame(size, static_cast<uint8_t>(context));
    return table.offer(info, frame, context, now);
  }
  // Returns the contexts of the frames that are given back.
  std::vector<uint64_t> decide(uint32_t identification, uint64_t decision) {
    std::vector<uint64_t> contexts;
    table.decide(piece(0, 8, true, identification).key, decision, [&](wire::Bytes frame, uint64_t context) {
      contexts.push_back(context);
      for (uint8_t byte : frame) REQUIRE(byte == static_cast<uint8_t>(context));
    });
    return contexts;
  }
};

TEST_CASE("later fragments follow the decision for the first, and a complete datagram is forgotten") {
  Fixture fixture;
  CHECK(fixture.offer(piece(0, 1480, true)).step == FragmentStep::first);
  CHECK(fixture.decide(1, 77).empty());
  const FragmentOutcome second_piece = fixture.offer(piece(1480, 1480, true));
  CHECK(second_piece.step == FragmentStep::follow);
  CHECK(second_piece.decision == 77);
  CHECK(fixture.table.size() == 1);
  CHECK(fixture.offer(piece(2960, 5, false)).step == FragmentStep::follow);
  CHECK(fixture.table.size() == 0);
}

TEST_CASE("fragments that come before their first wait, and are given back in the order of arrival") {
  Fixture fixture;
  CHECK(fixture.offer(piece(2960, 5, false), second, 3).step == FragmentStep::held);
  CHECK(fixture.offer(piece(1480, 1480, true), second, 4, 1514).step == FragmentStep::held);
  const uint32_t free_chunks = fixture.table.free_chunks();
  CHECK(fixture.offer(piece(0, 1480, true), second, 5).step == FragmentStep::first);
  CHECK(fixture.decide(1, 77) == std::vector<uint64_t>{3, 4});
  CHECK(fixture.table.free_chunks() == free_chunks + 2);
  CHECK(fixture.table.size() == 0);
  CHECK(fixture.dropped.empty());
}

TEST_CASE("a postponed first fragment comes again, and later fragments wait for it") {
  Fixture fixture;
  CHECK(fixture.offer(piece(1480, 1480, true), second, 3).step == FragmentStep::held);
  CHECK(fixture.offer(piece(0, 1480, true)).step == FragmentStep::first);
  fixture.table.postpone(piece(0, 1480, true).key);
  CHECK(fixture.offer(piece(2960, 5, false), second, 4).step == FragmentStep::held);
  CHECK(fixture.offer(piece(0, 1480, true)).step == FragmentStep::first);
  CHECK(fixture.decide(1, 77) == std::vector<uint64_t>{3, 4});
  CHECK(fixture.table.size() == 0);
}

TEST_CASE("a frame larger than a chunk is given back whole") {
  Fixture fixture;
  std::vector<uint8_t> frame(60'000);
  for (size_t i = 0; i < frame.size(); ++i) frame[i] = static_cast<uint8_t>(i * 31 + i / 256);
  CHECK(fixture.table.offer(piece(1480, 59'960, false), frame, 9, second).step == FragmentStep::held);
  CHECK(fixture.offer(piece(0, 1480, true)).step == FragmentStep::first);
  std::vector<uint8_t> back;
  fixture.table.decide(piece(0, 8, true).key, 1,
                       [&](wire::Bytes bytes, uint64_t) { back.assign(bytes.begin(), bytes.end()); });
  CHECK(back == frame);
  CHECK(fixture.table.free_chunks() == FragmentTableOptions{}.chunks);
}

TEST_CASE("fragments with wrong lengths or a hidden transport header are dropped with a reason") {
  struct Case {
    const char* description;
    Info info;
    FragmentDrop reason;
  };
  const Case cases[] = {
      {"no payload", piece(1480, 0, true), FragmentDrop::malformed},
      {"not a multiple of eight before the end", piece(0, 1479, true), FragmentDrop::malformed},
      {"beyond 65535 bytes", piece(65528, 8, false), FragmentDrop::malformed},
      {"TCP header cut, RFC 1858", piece(0, 16, true, 1, tcp), FragmentDrop::tiny},
      {"TCP flags in the second fragment, RFC 1858", piece(8, 16, true, 1, tcp), FragmentDrop::tiny},
      {"TCP checksum in the second fragment", piece(16, 16, true, 1, tcp), FragmentDrop::tiny},
      {"SCTP header cut", piece(0, 8, true, 1, 132), FragmentDrop::tiny},
  };
  for (const Case& test : cases) {
    CAPTURE(test.description);
    Fixture fixture;
    const FragmentOutcome outcome = fixture.offer(test.info);
    CHECK(outcome.step == FragmentStep::drop);
    CHECK(outcome.reason == test.reason);
    CHECK(fixture.table.dropped(test.reason) == 1);
    CHECK(fixture.table.size() == 0);
  }
}

TEST_CASE(
    "the transport header must be whole after IPv6 extension headers, too, and atomic fragments are independent") {
  FragmentTable<Ipv6Address> table({.timeout = 60 * second}, [](uint64_t, FragmentDrop) {});
  FragmentInfo<Ipv6Address> info{
      .key = {{{1, 2}}, {{3, 4}}, 7, 0}, .transport = tcp, .transport_offset = 24, .length = 40, .more = true};
  CHECK(table.offer(info, {}, 0, second).reason == FragmentDrop::tiny);
  info.length = 48;
  CHECK(table.offer(info, {}, 0, second).step == FragmentStep::first);
  info.more = false;
  CHECK(table.offer(info, {}, 0, second).step == FragmentStep::whole);
  CHECK(table.size() == 1);
}

TEST_CASE("an overlap spoils the datagram until its timeout; an exact duplicate does not") {
  struct Case {
    const char* description;
    std::vector<Info> before;
    Info info;
    FragmentDrop reason;
  };
  const Case cases[] = {
      {"exact duplicate of the first", {piece(0, 80, true)}, piece(0, 80, true), FragmentDrop::duplicate},
      {"exact duplicate of the last", {piece(80, 8, false)}, piece(80, 8, false), FragmentDrop::duplicate},
      {"the last's place with more to come", {piece(80, 8, false)}, piece(80, 8, true), FragmentDrop::overlap},
      {"into the first from behind", {piece(0, 80, true)}, piece(72, 80, true), FragmentDrop::overlap},
      {"within another", {piece(0, 800, true)}, piece(80, 8, true), FragmentDrop::overlap},
      {"around another", {piece(80, 8, true)}, piece(0, 800, true), FragmentDrop::overlap},
      {"beyond the end", {piece(80, 8, false)}, piece(88, 8, true), FragmentDrop::overlap},
      {"a second end further on", {piece(80, 8, false)}, piece(160, 8, false), FragmentDrop::overlap},
      {"an end before what came", {piece(160, 8, true)}, piece(80, 8, false), FragmentDrop::overlap},
  };
  for (const Case& test : cases) {
    CAPTURE(test.description);
    Fixture fixture;
    for (const Info& info : test.before) CHECK(fixture.offer(info).step != FragmentStep::drop);
    CHECK(fixture.offer(test.info).reason == test.reason);
    const FragmentOutcome next = fixture.offer(piece(8000, 8, true));
    const bool is_spoiled = test.reason == FragmentDrop::overlap;
    CHECK(next.reason == (is_spoiled            ? FragmentDrop::spoiled
                          : test.before[0].more ? FragmentDrop::none
                                                : FragmentDrop::overlap));
    CHECK(fixture.offer(piece(0, 80, true), 31 * second).step == FragmentStep::first);
  }
}

TEST_CASE("waiting frames are dropped and reported if their datagram is given up") {
  Fixture fixture({.datagrams = 2, .chunks = 4});
  SUBCASE("the first was dropped") {
    fixture.offer(piece(80, 8, false), second, 1);
    CHECK(fixture.offer(piece(0, 80, true)).step == FragmentStep::first);
    fixture.table.reject(piece(0, 80, true).key);
    CHECK(fixture.dropped == Held{{1, FragmentDrop::rejected}});
    CHECK(fixture.offer(piece(80, 8, false)).reason == FragmentDrop::spoiled);
  }
  SUBCASE("overlap") {
    fixture.offer(piece(80, 80, true), second, 1);
    CHECK(fixture.offer(piece(88, 80, true), second, 2).reason == FragmentDrop::overlap);
    CHECK(fixture.dropped == Held{{1, FragmentDrop::overlap}});
  }
  SUBCASE("timeout") {
    fixture.offer(piece(80, 8, false), second, 1);
    fixture.table.expire(31 * second - 1, 10);
    CHECK(fixture.dropped.empty());
    fixture.table.expire(31 * second, 10);
    CHECK(fixture.dropped == Held{{1, FragmentDrop::timed_out}});
  }
  SUBCASE("newer datagrams") {
    fixture.offer(piece(80, 8, false, 1), second, 1);
    fixture.offer(piece(80, 8, false, 2), second, 2);
    fixture.offer(piece(80, 8, false, 3), second, 3);
    CHECK(fixture.dropped == Held{{1, FragmentDrop::displaced}});
    CHECK(fixture.table.size() == 2);
  }
  SUBCASE("no memory") {
    fixture.offer(piece(80, 80, true, 1), second, 1, 3 * FragmentTable<Ipv4Address>::chunk_size);
    fixture.offer(piece(80, 80, true, 2), second, 2);
    CHECK(fixture.offer(piece(160, 8, false, 2), second, 3).reason == FragmentDrop::out_of_memory);
    CHECK(fixture.dropped == Held{{2, FragmentDrop::out_of_memory}});
    CHECK(fixture.table.free_chunks() == 1);
  }
  for (uint32_t i = 10; i < 12; ++i) fixture.offer(piece(0, 80, true, i), second);
  CHECK(fixture.table.free_chunks() == 4);
}

TEST_CASE("one datagram has no more pieces than the longest honest one, and no more memory than its share") {
  Fixture fixture;
  constexpr size_t limit = FragmentTable<Ipv4Address>::fragment_limit;
  CHECK(fixture.offer(piece(0, 8, true)).step == FragmentStep::first);
  fixture.decide(1, 5);
  for (uint32_t i = 1; i < limit; ++i) CHECK(fixture.offer(piece(i * 8, 8, true)).step == FragmentStep::follow);
  CHECK(fixture.offer(piece(limit * 8, 8, false)).reason == FragmentDrop::too_many);

  constexpr uint32_t share = FragmentTable<Ipv4Address>::chunks_a_datagram;
  for (uint32_t i = 1; i <= share; ++i) CHECK(fixture.offer(piece(i * 8, 8, true, 2)).step == FragmentStep::held);
  CHECK(fixture.offer(piece(share * 8 + 8, 8, true, 2)).reason == FragmentDrop::out_of_memory);
  CHECK(fixture.dropped.size() == share);
}

TEST_CASE("shuffled fragments of many datagrams all come out, each once") {
  Fixture fixture;
  std::mt19937 random(1);
  struct Offered {
    Info info;
    uint64_t context;
  };
  std::vector<Offered> all;
  for (uint32_t datagram = 0; datagram < 500; ++datagram) {
    const uint32_t pieces = 2 + random() % 5;
    for (uint32_t i = 0; i < pieces; ++i) {
      all.push_back({piece(i * 1480, i + 1 < pieces ? 1480 : 7, i + 1 < pieces, datagram), all.size()});
    }
  }
  // Disorder as in a network: over a short distance.
  for (size_t i = 0; i + 20 < all.size(); ++i) std::swap(all[i], all[i + random() % 20]);
  std::vector<uint32_t> passed(all.size());
  for (const Offered& offered : all) {
    const auto outcome = fixture.offer(offered.info, second, offered.context);
    REQUIRE(outcome.step != FragmentStep::drop);
    if (outcome.step != FragmentStep::held) ++passed[offered.context];
    if (outcome.step == FragmentStep::follow) CHECK(outcome.decision == offered.info.key.identification);
    if (outcome.step != FragmentStep::first) continue;
    const uint32_t identification = offered.info.key.identification;
    for (uint64_t context : fixture.decide(identification, identification)) ++passed[context];
  }
  CHECK(std::ranges::all_of(passed, [](uint32_t times) { return times == 1; }));
  CHECK(fixture.table.size() == 0);
  CHECK(fixture.table.free_chunks() == FragmentTableOptions{}.chunks);
}

}  // namespace
}  // namespace sluice::director
