// SPDX-License-Identifier: Apache-2.0
#include "director/flows/flow_table.h"

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <tuple>
#include <vector>

#include "memory/mapped_memory.h"

namespace sluice::director {
namespace {

using wire::Ipv4Address;
using wire::Ipv6Address;

constexpr uint8_t tcp = 6, udp = 17;

Ipv4Address address4(uint32_t number) {
  return {number};
}
Ipv6Address address6(uint32_t number) {
  return {{0x20010db8, number}};
}
template <class Address>
Address address(uint32_t number) {
  if constexpr (std::is_same_v<Address, Ipv4Address>)
    return address4(number);
  else
    return address6(number);
}

template <class Address>
Flow<Address> nat_flow(uint32_t client, uint16_t client_port, uint32_t virtual_address = 100, uint32_t real = 200,
                       Tick deadline = 1000) {
  Flow<Address> flow;
  flow.forward = {address<Address>(client), address<Address>(virtual_address), client_port, 80};
  flow.reverse = {address<Address>(real), address<Address>(client), 8080, client_port};
  flow.protocol = tcp;
  flow.flags = flow_has_reverse;
  flow.deadline = deadline;
  return flow;
}

FlowTableOptions options(uint32_t limit = 1 << 20, uint64_t seed = 1) {
  return {.limit = limit,
          .seed = {seed, seed * 3, seed * 5, seed * 7},
          .start = 0,
          .huge_pages = false,
          .memory = &memory::process_memory()};
}

constexpr auto always_over = [](auto&) { return true; };

TEST_CASE_TEMPLATE("a flow is found from both sides, with its direction", Address, Ipv4Address, Ipv6Address) {
  FlowTable<Address> table(options());
  Flow<Address>* flow = table.insert(nat_flow<Address>(1, 40000));
  REQUIRE(flow != nullptr);
  const auto forward = table.find(flow->key(Direction::forward));
  CHECK(forward.flow == flow);
  CHECK(forward.direction == Direction::forward);
  const auto reverse = table.find({{address<Address>(200), address<Address>(1), 8080, 40000}, tcp, false});
  CHECK(reverse.flow == flow);
  CHECK(reverse.direction == Direction::reverse);
  CHECK(table.size() == 1);

  SUBCASE("nothing is found for a key that differs in one field") {
    const auto key = flow->key(Direction::forward);
    auto other = key;
    other.protocol = udp;
    CHECK_FALSE(table.find(other));
    other = key;
    other.is_template = true;
    CHECK_FALSE(table.find(other));
    other = key;
    ++other.endpoints.source_port;
    CHECK_FALSE(table.find(other));
    other = key;
    other.endpoints = key.endpoints.mirrored();
    CHECK_FALSE(table.find(other));
  }
  SUBCASE("nothing is found once it is erased") {
    const auto forward_key = flow->key(Direction::forward), reverse_key = flow->key(Direction::reverse);
    table.erase(*flow);
    CHECK_FALSE(table.find(forward_key));
    CHECK_FALSE(table.find(reverse_key));
    CHECK(table.size() == 0);
  }
}

TEST_CASE("a flow without a reverse half is found only from the client's side") {
  FlowTable<Ipv4Address> table(options());
  auto values = nat_flow<Ipv4Address>(1, 40000);
  values.flags = 0;
  const auto* flow = table.insert(values);
  CHECK(table.find(flow->key(Direction::forward)).flow == flow);
  CHECK_FALSE(table.find(flow->key(Direction::reverse)));
}

TEST_CASE("a template is found by its template key and never by a packet's key") {
  FlowTable<Ipv4Address> table(options());
  Flow<Ipv4Address> values;
  values.forward = {address4(1), address4(100), 0, 80};
  values.protocol = tcp;
  values.flags = flow_is_template;
  values.deadline = 10;
  const auto* flow = table.insert(values);
  CHECK(table.find({values.forward, tcp, true}).flow == flow);
  CHECK_FALSE(table.find({values.forward, tcp, false}));
}

TEST_CASE("of flows with the same key the newest is found; after its end, the one before it") {
  // Enough flows to fill several overflow buckets: the same client port to 40 virtual addresses with one real server.
  FlowTable<Ipv4Address> table(options());
  std::vector<Flow<Ipv4Address>*> flows;
  for (uint32_t i = 0; i < 40; ++i) flows.push_back(table.insert(nat_flow<Ipv4Address>(1, 40000, 100 + i)));
  // Other flows make the buckets split meanwhile.
  for (uint32_t i = 0; i < 2000; ++i) table.insert(nat_flow<Ipv4Address>(1000 + i, 40000));
  const auto key = flows[0]->key(Direction::reverse);
  std::mt19937 random(7);
  while (!flows.empty()) {
    CHECK(table.find(key).flow == flows.back());
    if (random() % 4 == 0) flows.push_back(table.insert(nat_flow<Ipv4Address>(1, 40000, 5000 + random() % 1000)));
    const size_t gone = flows.size() > 2 && random() % 2 == 0 ? random() % flows.size() : flows.size() - 1;
    table.erase(*flows[gone]);
    flows.erase(flows.begin() + static_cast<std::ptrdiff_t>(gone));
  }
  CHECK_FALSE(table.find(key));
}

TEST_CASE("prefetch_flow() mostly returns what find() returns") {
  FlowTable<Ipv4Address> table(options());
  for (uint32_t i = 0; i < 50'000; ++i) table.insert(nat_flow<Ipv4Address>(i % 10'000, static_cast<uint16_t>(i)));
  uint32_t fetched = 0;
  for (uint32_t i = 0; i < 60'000; ++i) {
    const auto key = nat_flow<Ipv4Address>(i % 10'000, static_cast<uint16_t>(i)).key(static_cast<Direction>(i / 3 % 2));
    const uint64_t hash = table.hash(key);
    FoundFlow<Ipv4Address> probable;
    table.prefetch_flow(hash, table.prefetch_bucket(hash), probable);
    const auto found = table.find(hash, key);
    REQUIRE(static_cast<bool>(found) == (i < 50'000));
    fetched += static_cast<uint32_t>(found && probable.flow == found.flow && probable.direction == found.direction);
  }
  CHECK(fetched > 47'500);
}

TEST_CASE("insert fails at the limit and works again when a flow has ended") {
  FlowTable<Ipv4Address> table(options(3));
  auto* first = table.insert(nat_flow<Ipv4Address>(1, 1));
  CHECK(table.insert(nat_flow<Ipv4Address>(1, 2)) != nullptr);
  CHECK(table.insert(nat_flow<Ipv4Address>(1, 3)) != nullptr);
  CHECK(table.insert(nat_flow<Ipv4Address>(1, 4)) == nullptr);
  CHECK(table.size() == 3);
  table.erase(*first);
  CHECK(table.insert(nat_flow<Ipv4Address>(1, 4)) != nullptr);
  CHECK(table.span() == 3);  // the freed place was used again
}

// The model holds every key's flows in the order of their insertion.
template <class Address>
void compare_with_map(uint32_t seed) {
  CAPTURE(seed);
  FlowTable<Address> table(options(1 << 20, seed));
  using KeyTuple = std::tuple<uint32_t, uint16_t, uint32_t, int>;  // client, client's port, virtual or real, direction
  std::map<KeyTuple, std::vector<Flow<Address>*>> model;
  std::map<uint32_t, KeyTuple> live;  // index -> forward tuple
  std::mt19937 random(seed);
  constexpr uint32_t operations = 100'000;
  for (uint32_t step = 0; step < operations; ++step) {
    const uint32_t client = random() % 300, virtual_address = 1000 + random() % 3;
    const auto port = static_cast<uint16_t>(random() % 50);
    const KeyTuple forward{client, port, virtual_address, 0}, reverse{client, port, 5000, 1};
    const auto values = nat_flow<Address>(client, port, virtual_address, 5000);
    // The table grows in the first half and shrinks in the second.
    const uint32_t action = random() % 100;
    if (action < (step < operations / 2 ? 50 : 20)) {
      Flow<Address>* flow = table.insert(values);
      REQUIRE(flow != nullptr);
      REQUIRE(live.emplace(table.index_of(*flow), forward).second);
      model[forward].push_back(flow);
      model[reverse].push_back(flow);
    } else if (action < 70 && !live.empty()) {
      auto it = live.lower_bound(random() % (table.span() + 1));
      if (it == live.end()) it = live.begin();
      Flow<Address>& flow = table.at(it->first);
      const auto& [of_client, of_port, of_virtual, direction] = it->second;
      std::erase(model[it->second], &flow);
      std::erase(model[{of_client, of_port, 5000, 1}], &flow);
      live.erase(it);
      table.erase(flow);
    }
    const auto found_forward = table.find({values.forward, tcp, false});
    const auto found_reverse = table.find({values.reverse, tcp, false});
    const auto newest = [&](const KeyTuple& key) { return model[key].empty() ? nullptr : model[key].back(); };
    REQUIRE(found_forward.flow == newest(forward));
    REQUIRE(found_reverse.flow == newest(reverse));
    if (found_forward) REQUIRE(found_forward.direction == Direction::forward);
    if (found_reverse) REQUIRE(found_reverse.direction == Direction::reverse);
    REQUIRE(table.size() == live.size());
  }
  std::set<uint32_t> visited;
  table.walk(0, table.span(), [&](Flow<Address>& flow) { visited.insert(table.index_of(flow)); });
  CHECK(visited.size() == live.size());
  for (const auto& [index, key] : live) CHECK(visited.contains(index));
}

TEST_CASE("the table agrees with a map over 100 000 random operations") {
  for (uint32_t seed : {1U, 2U, 3U}) compare_with_map<Ipv4Address>(seed);
  compare_with_map<Ipv6Address>(4);
}

TEST_CASE("every flow stays found while the table grows from nothing to 300 000 flows") {
  FlowTable<Ipv4Address> table(options());
  std::mt19937 random(1);
  for (uint32_t i = 0; i < 300'000; ++i) {
    const auto* flow = table.insert(nat_flow<Ipv4Address>(i, static_cast<uint16_t>(i)));
    REQUIRE(table.find(flow->key(Direction::forward)).flow == flow);
    for (int look = 0; look < 4; ++look) {
      const auto& other = table.at(random() % (i + 1));
      REQUIRE(table.find(other.key(Direction::forward)).flow == &other);
      REQUIRE(table.find(other.key(Direction::reverse)).flow == &other);
    }
  }
}

TEST_CASE("memory per flow, everything included, is at most 96 bytes") {
  FlowTable<Ipv4Address> table(options(2'000'000));
  for (uint32_t count : {400'000U, 600'000U, 800'000U, 1'000'000U, 1'250'000U}) {
    while (table.size() < count) table.insert(nat_flow<Ipv4Address>(table.size(), static_cast<uint16_t>(table.size())));
    const double bytes = static_cast<double>(table.memory_bytes()) / count;
    CAPTURE(count);
    // Three arrays grow in steps of 2 MiB, which matters at this size.
    CHECK(bytes <= 96 + 3.0 * (2 << 20) / count);
  }
}

TEST_CASE("new flows use the memory of ended flows") {
  FlowTable<Ipv4Address> table(options());
  size_t memory = 0;
  for (uint32_t round = 0; round < 10; ++round) {
    for (uint32_t i = 0; i < 50'000; ++i) table.insert(nat_flow<Ipv4Address>(round << 20 | i, 1, 100, 200, round));
    if (round == 0) memory = table.memory_bytes();
    while (!table.advance(round, 1000, always_over)) {
    }
    CHECK(table.size() == 0);
  }
  CHECK(table.memory_bytes() == memory);
}

TEST_CASE("tuples that differ in a few bits spread evenly over the index with every seed") {
  for (uint64_t seed : {0ULL, 1ULL, 0x9e3779b97f4a7c15ULL}) {
    FlowTable<Ipv4Address> table(options(1 << 20, seed));
    std::vector<uint32_t> load(1 << 12);
    for (uint32_t host = 0; host < 256; ++host) {
      for (uint16_t port = 0; port < 256; ++port) {
        const FlowKey<Ipv4Address> key{{address4(0x0000000a | host << 24), address4(100), port, 80}, tcp, false};
        ++load[table.hash(key) % load.size()];
      }
    }
    // 65536 keys in 4096 places: 16 on average, standard deviation 4; chi-squared has mean 4095, deviation 90.
    double chi_squared = 0;
    for (uint32_t count : load) chi_squared += (count - 16.0) * (count - 16.0) / 16.0;
    CHECK(chi_squared > 4095 - 6 * 90);
    CHECK(chi_squared < 4095 + 6 * 90);
  }
}

TEST_CASE("a walk in parts visits each lasting flow once while others begin and end") {
  FlowTable<Ipv4Address> table(options());
  for (uint32_t i = 0; i < 1000; ++i) table.insert(nat_flow<Ipv4Address>(i, 1));
  std::vector<int> visits(1000);
  uint32_t cursor = 0, part = 0;
  while (cursor < table.span()) {
    cursor = table.walk(cursor, 64, [&](Flow<Ipv4Address>& flow) {
      const uint32_t client = flow.client().raw;
      if (client < 1000) ++visits[client];
      if (client < 1000 && client % 3 == 0) table.erase(flow);
    });
    table.insert(nat_flow<Ipv4Address>(5000 + part++, 1));
  }
  for (int count : visits) CHECK(count == 1);
  CHECK(table.size() == 1000 - 334 + part);
}

TEST_CASE("on_due may extend its flow, and erase, touch and insert others") {
  FlowTable<Ipv4Address> table(options());
  auto* held = table.insert(nat_flow<Ipv4Address>(1, 1, 100, 200, 5));
  auto* erased = table.insert(nat_flow<Ipv4Address>(2, 1, 100, 200, 5));
  auto* touched = table.insert(nat_flow<Ipv4Address>(3, 1, 100, 200, 5));
  const auto* cause = table.insert(nat_flow<Ipv4Address>(4, 1, 100, 200, 5));
  std::vector<uint32_t> asked;
  const auto on_due = [&](Flow<Ipv4Address>& flow) {
    asked.push_back(flow.client().raw);
    if (&flow == cause) {
      table.erase(*erased);
      table.touch(*touched, 9);
      table.insert(nat_flow<Ipv4Address>(5, 1, 100, 200, 5));
    }
    if (&flow == held) table.touch(flow, 7);
    return &flow != held;
  };
  CHECK(table.advance(5, 100, on_due));
  CHECK(asked == std::vector<uint32_t>{4, 5, 1});
  CHECK(table.advance(6, 100, on_due));
  CHECK(asked.size() == 3);
  CHECK(table.advance(9, 100, on_due));
  CHECK(asked == std::vector<uint32_t>{4, 5, 1, 1, 3});
  CHECK(table.size() == 1);
}

TEST_CASE("a flow that on_due keeps without a later deadline is asked about at the next tick, not at once") {
  FlowTable<Ipv4Address> table(options());
  table.insert(nat_flow<Ipv4Address>(1, 1, 100, 200, 5));
  int asked = 0;
  const auto keep = [&](Flow<Ipv4Address>&) { return ++asked, false; };
  CHECK(table.advance(5, 100, keep));
  CHECK(asked == 1);
  CHECK(table.advance(5, 100, keep));
  CHECK(asked == 1);
  CHECK(table.advance(6, 100, keep));
  CHECK(asked == 2);
}

TEST_CASE("expire ends a flow that was found before the wheel reached it") {
  FlowTable<Ipv4Address> table(options());
  auto* flow = table.insert(nat_flow<Ipv4Address>(1, 1, 100, 200, 5));
  CHECK_FALSE(table.expire(*flow, 8, [&](auto& due) {
    table.touch(due, 20);
    return false;
  }));
  CHECK(table.size() == 1);
  CHECK(table.expire(*flow, 21, always_over));
  CHECK(table.size() == 0);
  CHECK(table.advance(100, 100, always_over));
}

}  // namespace
}  // namespace sluice::director
