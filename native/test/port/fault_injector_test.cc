// SPDX-License-Identifier: Apache-2.0
#include "port/fault_injector.h"

#include <doctest/doctest.h>

#include <bit>

#include "port/memory_port.h"
#include "wire/bytes.h"

namespace sluice::port {
namespace {

using Bytes = std::vector<uint8_t>;
constexpr uint32_t many = 10'000;
constexpr size_t length = 64;

void arrive(MemoryPort& port, uint32_t number,
            director::TransportChecksum checksum = director::TransportChecksum::complete) {
  Bytes bytes(length);
  wire::store_be32(bytes.data(), number);
  port.arrive(OwnedFrame(bytes, {.checksum = checksum}));
}

uint32_t number_of(const director::Frame& frame) {
  return wire::load_be32(frame.data);
}

// All frames that have arrived.
std::vector<uint32_t> receive_all(FaultInjector& port) {
  std::vector<uint32_t> numbers;
  director::Frame frames[32];
  for (size_t count; (count = port.receive(frames)) != 0;) {
    for (size_t i = 0; i < count; ++i) numbers.push_back(number_of(frames[i]));
  }
  return numbers;
}

std::vector<uint32_t> pass(const Faults& faults, uint64_t seed, FaultCounts* counts = nullptr) {
  MemoryPort memory;
  FaultInjector port(memory, faults, {}, seed);
  std::vector<uint32_t> numbers;
  for (uint32_t i = 0; i < many; ++i) {
    port.set_time(uint64_t{i} * 1000);
    arrive(memory, i);
    std::ranges::copy(receive_all(port), std::back_inserter(numbers));
  }
  port.set_time(UINT64_MAX);
  std::ranges::copy(receive_all(port), std::back_inserter(numbers));
  if (counts != nullptr) *counts = port.inwards();
  return numbers;
}

TEST_CASE("a line without faults changes no frame") {
  const std::vector<uint32_t> passed = pass({}, 1);
  REQUIRE(passed.size() == many);
  CHECK(std::ranges::is_sorted(passed));
}

TEST_CASE("the same seed makes the same faults, another seed makes others") {
  const Faults faults{.loss = 0.1, .duplication = 0.1, .reordering = 0.1, .jitter_ns = 5000};
  CHECK(pass(faults, 1) == pass(faults, 1));
  CHECK(pass(faults, 1) != pass(faults, 2));
}

TEST_CASE("each fault happens as often as configured, and is counted") {
  FaultCounts counts;
  const size_t kept = pass({.loss = 0.05}, 1, &counts).size();
  CHECK(counts.lost == many - kept);
  CHECK(counts.lost > many * 0.04);
  CHECK(counts.lost < many * 0.06);

  const size_t doubled = pass({.duplication = 0.05}, 1, &counts).size();
  CHECK(counts.duplicated == doubled - many);
  CHECK(counts.duplicated > many * 0.04);
  CHECK(counts.duplicated < many * 0.06);

  std::vector<uint32_t> mixed = pass({.reordering = 0.05, .detour_ns = 3500}, 1, &counts);
  size_t late = 0;
  for (size_t i = 0; i + 1 < mixed.size(); ++i) late += mixed[i] > mixed[i + 1] ? 1 : 0;
  CHECK(late > many * 0.03);
  CHECK(late <= counts.reordered);
  CHECK(counts.reordered < many * 0.06);
  std::ranges::sort(mixed);
  CHECK(mixed == pass({}, 1));

  CHECK(pass({.loss = 1}, 1).empty());
}

TEST_CASE("a reordered frame arrives after the frames that were sent during its delay") {
  MemoryPort memory;
  FaultInjector port(memory, {.reordering = 1, .detour_ns = 100}, {}, 1);
  arrive(memory, 1);
  CHECK(receive_all(port).empty());
  CHECK(port.next_ns() == 100);
  CHECK(port.prepare_to_wait());
  port.set_time(100);
  CHECK_FALSE(port.prepare_to_wait());
  CHECK(receive_all(port) == std::vector<uint32_t>{1});
  CHECK_FALSE(port.next_ns().has_value());
}

TEST_CASE("corruption changes one bit of the frame") {
  MemoryPort memory;
  FaultInjector port(memory, {.corruption = 1}, {}, 3);
  director::Frame frame;
  for (int i = 0; i < 100; ++i) {
    arrive(memory, 0);
    REQUIRE(port.receive({&frame, 1}) == 1);
    int bits = 0;
    for (uint32_t at = 0; at < frame.length; ++at) bits += std::popcount(frame.data[at]);
    CHECK(bits == 1);
  }
  CHECK(port.inwards().corrupted == 100);
}

TEST_CASE("a frame with a partial checksum is lost instead of corrupted") {
  MemoryPort memory;
  FaultInjector port(memory, {.corruption = 1}, {}, 3);
  arrive(memory, 0, director::TransportChecksum::partial);
  CHECK(receive_all(port).empty());
  CHECK(port.inwards().corrupted == 1);
}

TEST_CASE("delay holds frames of both directions in order, and a full line loses further frames") {
  MemoryPort memory;
  const Faults slow{.delay_ns = 1000, .limit = 3};
  FaultInjector port(memory, slow, slow, 1);
  for (uint32_t i = 0; i < 5; ++i) arrive(memory, i);
  CHECK(receive_all(port).empty());
  CHECK(port.inwards().overflowed == 2);
  port.set_time(400);
  Bytes bytes(length, 7);
  port.transmit({.data = bytes.data(), .length = length});
  port.flush();
  bytes[0] = 0;  // the line has its own copy
  CHECK(memory.sent().empty());
  CHECK(port.next_ns() == 1000);
  port.set_time(1000);
  CHECK(receive_all(port) == std::vector<uint32_t>{0, 1, 2});
  port.flush();
  CHECK(memory.sent().empty());
  CHECK(port.next_ns() == 1400);
  port.set_time(1400);
  port.flush();
  REQUIRE(memory.sent().size() == 1);
  CHECK(memory.sent()[0].bytes()[0] == 7);
  CHECK(port.statistics().transmitted == 1);
}

}  // namespace
}  // namespace sluice::port
