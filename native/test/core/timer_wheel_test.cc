// SPDX-License-Identifier: Apache-2.0
#include "core/timer_wheel.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

namespace sluice::director {
namespace {

struct Timer {
  Tick deadline = 0, armed = 0;
  uint32_t timer_next = 0, timer_previous = core::TimerWheel<Timer>::unqueued;
};

constexpr auto no_soon = [](uint32_t) {};
constexpr uint32_t unbounded = ~uint32_t{0};

// Each timer must fire in the first advance() whose time is at or after its deadline.
void compare_with_scan(uint32_t seed, Tick start, uint32_t budget, unsigned longest_step_bits) {
  CAPTURE(seed);
  CAPTURE(start);
  std::mt19937 random(seed);
  std::vector<Timer> timers(500);
  std::vector<bool> queued(timers.size());
  core::TimerWheel<Timer> wheel(start);
  Tick now = start;
  const auto touch = [&](uint32_t index, Tick deadline) {
    timers[index].deadline = deadline;
    if (static_cast<int32_t>(deadline - timers[index].armed) < 0) wheel.rearm(timers.data(), index);
  };
  for (int round = 0; round < 3000; ++round) {
    for (int i = 0; i < 30; ++i) {
      const uint32_t index = random() % timers.size();
      // Deadlines of every order of magnitude, up to the limit.
      const Tick deadline = now + 1 + random() % (1U << random() % 31);
      if (!queued[index]) {
        timers[index].deadline = deadline;
        wheel.arm(timers.data(), index);
        queued[index] = true;
      } else if (random() % 8 == 0) {
        wheel.disarm(timers.data(), index);
        queued[index] = false;
      } else {
        touch(index, deadline);
      }
    }
    now += random() % (1U << random() % longest_step_bits);
    std::vector<uint32_t> expected, fired;
    for (uint32_t i = 0; i < timers.size(); ++i) {
      if (queued[i] && is_due(timers[i].deadline, now)) expected.push_back(i);
    }
    Tick last = 0;
    const auto due = [&](uint32_t index) {
      if (!fired.empty()) REQUIRE(static_cast<int32_t>(timers[index].deadline - last) >= 0);  // in the order of time
      last = timers[index].deadline;
      fired.push_back(index);
      queued[index] = false;
    };
    uint32_t calls = 0;
    while (!wheel.advance(timers.data(), now, budget, due, no_soon)) REQUIRE(++calls < 1'000'000);
    std::ranges::sort(fired);
    REQUIRE(fired == expected);
  }
}

TEST_CASE("timers fire exactly when a scan of all deadlines finds them due") {
  compare_with_scan(1, 0, unbounded, 8);
  compare_with_scan(2, 12345, unbounded, 16);
  compare_with_scan(3, 255, unbounded, 26);
}

TEST_CASE("timers fire in time across the wrap of the tick counter") {
  compare_with_scan(4, ~Tick{0} - 1000, unbounded, 10);
  compare_with_scan(5, (Tick{1} << 31) - 5000, unbounded, 12);
}

TEST_CASE("with few steps per call, every timer fires exactly once") {
  compare_with_scan(6, 77, 1, 9);
  compare_with_scan(7, 77, 3, 20);
}

TEST_CASE("moving a deadline later relinks nothing, and the timer fires at the later deadline") {
  std::vector<Timer> timers(2);
  core::TimerWheel<Timer> wheel(0);
  timers[0].deadline = timers[1].deadline = 100;
  wheel.arm(timers.data(), 0);
  wheel.arm(timers.data(), 1);
  timers[0].deadline = 5000;
  std::vector<uint32_t> fired;
  const auto due = [&](uint32_t index) { fired.push_back(index); };
  CHECK(wheel.advance(timers.data(), 4999, unbounded, due, no_soon));
  CHECK(fired == std::vector<uint32_t>{1});
  CHECK(timers[0].armed == 5000);
  CHECK(wheel.advance(timers.data(), 5000, unbounded, due, no_soon));
  CHECK(fired == std::vector<uint32_t>{1, 0});
}

TEST_CASE("a timer whose record has been freed by another process is in no slot: nothing else is touched") {
  std::vector<Timer> timers(2);
  core::TimerWheel<Timer> wheel(0);
  timers[0].deadline = timers[1].deadline = 100;
  wheel.arm(timers.data(), 0);
  timers[1].timer_previous = core::TimerWheel<Timer>::freed;
  timers[1].timer_next = 0;
  wheel.rearm(timers.data(), 1);
  std::vector<uint32_t> fired;
  CHECK(wheel.advance(
      timers.data(), 100, unbounded, [&](uint32_t index) { fired.push_back(index); }, no_soon));
  CHECK(fired == std::vector<uint32_t>{1, 0});
}

TEST_CASE("an empty wheel skips any time, and timers armed afterwards fire in time") {
  std::vector<Timer> timers(1);
  core::TimerWheel<Timer> wheel(7);
  Tick now = 7;
  for (const Tick idle : {Tick{0}, Tick{300}, Tick{1} << 24, Tick{1} << 31, ~Tick{0}}) {
    now += idle;
    wheel.skip(now);
    timers[0].deadline = now + 5;
    wheel.arm(timers.data(), 0);
    unsigned fired = 0;
    const auto due = [&](uint32_t) { ++fired; };
    CHECK(wheel.advance(timers.data(), now + 4, unbounded, due, no_soon));
    CHECK(fired == 0);
    CHECK(wheel.advance(timers.data(), now + 5, unbounded, due, no_soon));
    CHECK(fired == 1);
    now += 5;
  }
}

TEST_CASE("no call does more than its budget") {
  std::vector<Timer> timers(10'000);
  core::TimerWheel<Timer> wheel(0);
  for (uint32_t i = 0; i < timers.size(); ++i) {
    timers[i].deadline = 70'000;
    wheel.arm(timers.data(), i);
  }
  uint32_t fired = 0, calls = 0;
  bool done = false;
  while (!done) {
    const uint32_t before = fired;
    done = wheel.advance(
        timers.data(), 70'000, 128, [&](uint32_t) { ++fired; }, no_soon);
    CHECK(fired - before <= 128);
    ++calls;
  }
  CHECK(fired == timers.size());
  CHECK(calls >= timers.size() / 128);
}

}  // namespace
}  // namespace sluice::director
