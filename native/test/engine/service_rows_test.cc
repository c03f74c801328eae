// SPDX-License-Identifier: Apache-2.0
#include "engine/service_rows.h"

#include <algorithm>

#include "engine/worker_fixture.h"

using namespace sluice;
using namespace sluice::test;

namespace {

namespace layout = engine::service_layout;

class Area {
 public:
  engine::Words words() { return words_; }
  uint64_t header(engine::AreaWord word) const { return words_[static_cast<size_t>(word)]; }
  std::string name(size_t row) const { return reinterpret_cast<const char*>(&at(row)[1]); }
  uint64_t count(size_t row, engine::RowCount count) const {
    return at(row)[layout::first_count + static_cast<size_t>(count)];
  }
  bool is_whole(size_t row) const { return at(row)[0] % 2 == 0; }

 private:
  const uint64_t* at(size_t row) const { return &words_[layout::first_row + row * layout::row_stride]; }
  std::vector<uint64_t> words_ = std::vector<uint64_t>(layout::area_stride);
};

constexpr Time start = 1'000'000'000;

}  // namespace

TEST_CASE("services and servers are rows with names and counts, which are renewed after the interval") {
  Area area;
  engine::ServiceRows rows(area.words());
  Fixture fixture;
  REQUIRE(fixture.director.services().add_service(tcp(), {}) == director::EditResult::done);
  fixture.add_server(tcp(), server4, 8080);
  CHECK(rows.advance(fixture.director, start));
  CHECK(area.header(engine::AreaWord::rows) == 2);
  CHECK(area.name(0) == "4 tcp 10.0.1.100:80");
  CHECK(area.name(1) == "4 tcp 10.0.1.100:80 > 10.0.2.11:8080");
  CHECK(area.count(1, engine::RowCount::connections) == 0);
  fixture.receive(syn(40000));
  CHECK(rows.advance(fixture.director, start + engine::ServiceRows::interval - 1));
  CHECK(area.count(1, engine::RowCount::connections) == 0);
  CHECK(rows.advance(fixture.director, start + engine::ServiceRows::interval));
  for (const size_t row : {0, 1}) {
    CHECK(area.is_whole(row));
    CHECK(area.count(row, engine::RowCount::connections) == 1);
    CHECK(area.count(row, engine::RowCount::packets_in) == 1);
  }
  CHECK(area.header(engine::AreaWord::passes) == 2);
}

TEST_CASE("rates follow what comes in, as the kernel's estimator, and go back when nothing comes") {
  Area area;
  engine::ServiceRows rows(area.words());
  Fixture fixture;
  REQUIRE(fixture.director.services().add_service(tcp(), {}) == director::EditResult::done);
  fixture.add_server(tcp(), server4, 8080);
  Time now = start;
  const auto two_seconds = [&](uint16_t connections) {
    static uint16_t port = 1;
    for (uint16_t i = 0; i < connections; i++) fixture.receive(syn(port++));
    now += director::Rates::interval;
    CHECK(rows.advance(fixture.director, now));
    return area.count(1, engine::RowCount::connection_rate);
  };
  CHECK(rows.advance(fixture.director, now));
  // 200 in two seconds are 100 a second. A sample counts a quarter: 25, 43.75, 57.8 …, rounded to the nearest.
  CHECK(two_seconds(200) == 25);
  CHECK(two_seconds(200) == 44);
  CHECK(two_seconds(200) == 58);
  CHECK(area.count(0, engine::RowCount::connection_rate) == 58);
  CHECK(area.count(1, engine::RowCount::packet_in_rate) == 58);
  CHECK(static_cast<double>(area.count(1, engine::RowCount::byte_in_rate)) ==
        doctest::Approx(57.8 * static_cast<double>(syn(1).size() - 14)).epsilon(0.01));
  CHECK(two_seconds(0) == 43);
  fixture.director.zero_counters(*fixture.director.services().find(tcp()));
  CHECK(two_seconds(0) == 0);
}

TEST_CASE("a changed configuration is listed again, and many rows take several rounds") {
  Area area;
  engine::ServiceRows rows(area.words());
  Fixture fixture;
  REQUIRE(fixture.director.services().add_service(tcp(), {}) == director::EditResult::done);
  CHECK(rows.advance(fixture.director, start));
  fixture.add_server(tcp(), server4, 8080);
  for (uint16_t port = 1; port <= 200; port++) fixture.add_server(tcp(), "10.0.2.12", port);
  rows.invalidate();
  CHECK(rows.advance(fixture.director, start));
  CHECK(area.header(engine::AreaWord::rows) == 1);
  constexpr size_t all = 202;
  for (size_t written = engine::ServiceRows::rows_a_round; written < all;
       written += engine::ServiceRows::rows_a_round) {
    CHECK_FALSE(rows.advance(fixture.director, start + engine::ServiceRows::interval));
  }
  CHECK(rows.advance(fixture.director, start + engine::ServiceRows::interval));
  CHECK(area.header(engine::AreaWord::rows) == all);
  std::vector<std::string> names;
  for (size_t row = 0; row < all; row++) names.push_back(area.name(row));
  std::sort(names.begin(), names.end());
  CHECK(std::unique(names.begin(), names.end()) == names.end());
}

TEST_CASE("rows beyond the limit are counted and left out") {
  Area area;
  engine::ServiceRows rows(area.words());
  Fixture fixture;
  for (uint16_t port = 1; port <= layout::row_count + 2; port++) {
    director::ServiceKey key = tcp();
    key.port = port;
    REQUIRE(fixture.director.services().add_service(key, {}) == director::EditResult::done);
  }
  while (!rows.advance(fixture.director, start)) {
  }
  CHECK(area.header(engine::AreaWord::rows) == layout::row_count + 2);
}

TEST_CASE("a worker counts packets by reason, and the time that it was awake") {
  Balancer balancer;
  balancer.worker->start();
  balancer.arrive(c0, syn(40000));
  REQUIRE(balancer.sent(s0, 1).size() == 1);
  balancer.worker->stop();
  CHECK(balancer.count(engine::Counter::packets_scheduled) == 1);
  CHECK(balancer.count(engine::Counter::packets_established) == 0);
  CHECK(balancer.count(engine::Counter::awake_nanoseconds) > 0);
}
