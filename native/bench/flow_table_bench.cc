// SPDX-License-Identifier: Apache-2.0
// Cost of the flow table alone: insertion, batch lookup in random order from both sides, timers, memory.
//
//   flow_table_bench [flows, default 1000000] [prepared]     prepared: all memory at the start, in huge pages
//
// To count instructions instead of times, for 5 x 2097152 lookups:
//   valgrind --tool=callgrind --toggle-collect='*look_up_batches<false>*' flow_table_bench 1000
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <random>
#include <vector>

#include "director/flows/flow_table.h"
#include "memory/mapped_memory.h"

namespace {

using namespace sluice;
using namespace sluice::director;
using sluice::wire::Ipv4Address;
using Table = FlowTable<Ipv4Address>;

constexpr unsigned batch_size = 32;  // as many as the director takes from a port at once
constexpr Tick start = 1000;
constexpr uint32_t expiry_budget = 256;

// CPU time of this thread only, so that other work on the core does not count.
double now_in_nanoseconds() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}
double nanoseconds_since(double from) {
  return now_in_nanoseconds() - from;
}

Flow<Ipv4Address> nat_flow(uint32_t number) {
  const Ipv4Address client{0x0a000000 + number / 50'000 * 7919};
  const auto port = static_cast<uint16_t>(1024 + number % 50'000);
  Flow<Ipv4Address> flow;
  flow.forward = {client, {0x6401000a}, port, 80};
  flow.reverse = {{0x0b02000a + (number % 16 << 24)}, client, 8080, port};
  flow.protocol = 6;
  flow.flags = flow_has_reverse;
  flow.deadline = start + 100 + number % 3;
  return flow;
}

// As the director does with new flows: looks a batch up in vain, then inserts each flow.
[[gnu::noinline]] double insert_all(Table& table, uint32_t flows) {
  const double from = now_in_nanoseconds();
  for (uint32_t at = 0; at < flows; at += batch_size) {
    const uint32_t end = std::min(at + batch_size, flows);
    for (uint32_t i = at; i < end; ++i) table.prefetch_bucket(table.hash(nat_flow(i).key(Direction::forward)));
    for (uint32_t i = at; i < end; ++i) {
      const Flow<Ipv4Address> flow = nat_flow(i);
      if (table.find(flow.key(Direction::forward)) || table.insert(flow) == nullptr) std::abort();
    }
  }
  return nanoseconds_since(from) / flows;
}

template <bool in_vain>  // two functions, so that callgrind distinguishes them
[[gnu::noinline]] uint64_t look_up_batches(Table& table, const FlowKey<Ipv4Address>* keys, size_t count,
                                           Tick deadline) {
  uint64_t found = 0, hashes[batch_size];
  const Table::Bucket* buckets[batch_size];
  for (size_t at = 0; at + batch_size <= count; at += batch_size) {
    const auto* batch = keys + at;
    for (unsigned i = 0; i < batch_size; ++i) {
      hashes[i] = table.hash(batch[i]);
      buckets[i] = &table.prefetch_bucket(hashes[i]);
    }
    FoundFlow<Ipv4Address> probable;
    for (unsigned i = 0; i < batch_size; ++i) table.prefetch_flow(hashes[i], *buckets[i], probable);
    for (unsigned i = 0; i < batch_size; ++i) {
      const auto hit = table.find(hashes[i], batch[i]);
      if (!hit) continue;
      if (in_vain) std::abort();
      table.touch(*hit.flow, deadline);
      hit.flow->count_packet();
      ++found;
    }
  }
  return found;
}

void report_lookups(Table& table, uint32_t flows) {
  constexpr size_t count = 1 << 21;
  std::vector<FlowKey<Ipv4Address>> keys(count);
  std::mt19937_64 random(1);
  for (auto& key : keys) {
    const uint64_t draw = random();
    key = nat_flow(static_cast<uint32_t>(draw >> 32) % flows).key(static_cast<Direction>(draw & 1));
  }
  std::vector<double> rounds;
  for (Tick round = 0; round < 5; ++round) {
    const auto from = now_in_nanoseconds();
    if (look_up_batches<false>(table, keys.data(), count, start + 200 + round) != count) std::abort();
    rounds.push_back(nanoseconds_since(from) / count);
  }
  std::ranges::sort(rounds);
  std::printf("look up and touch, batches of 32: %.1f ns a packet (median of 5 x %zu packets; %.1f to %.1f)\n",
              rounds[2], count, rounds.front(), rounds.back());

  for (auto& key : keys) key.protocol = 17;
  const auto from = now_in_nanoseconds();
  if (look_up_batches<true>(table, keys.data(), count, start + 300) != 0) std::abort();
  std::printf("look up in vain: %.1f ns a packet\n", nanoseconds_since(from) / count);
}

[[gnu::noinline]] void expire_all(Table& table, Tick now) {
  const uint32_t flows = table.size();
  const double from = now_in_nanoseconds();
  while (!table.advance(now, expiry_budget, [](Flow<Ipv4Address>&) { return true; })) {
  }
  std::printf("expire: %.1f ns a flow\n", nanoseconds_since(from) / flows);
}

void report(const char* what, std::vector<float>& costs) {
  std::ranges::sort(costs);
  std::printf("%s: median %.2f us, 1 in 10000 above %.2f us, worst %.2f us\n", what,
              static_cast<double>(costs[costs.size() / 2]) / 1000,
              static_cast<double>(costs[costs.size() - costs.size() / 10'000 - 1]) / 1000,
              static_cast<double>(costs.back()) / 1000);
}

// Does the same steps three times. A step that takes long each time is slow because of the table; if it takes long only
// once, an interrupt or another process was the reason.
void report_pauses(const FlowTableOptions& options, uint32_t flows) {
  std::vector<float> insertions(flows, 1e9F), calls;
  for (int run = 0; run < 3; ++run) {
    Table table(options);
    for (uint32_t i = 0; i < flows; ++i) {
      const Flow<Ipv4Address> flow = nat_flow(i);
      const double from = now_in_nanoseconds();
      if (table.insert(flow) == nullptr) std::abort();
      insertions[i] = std::min(insertions[i], static_cast<float>(nanoseconds_since(from)));
    }
    bool done = false;
    for (size_t call = 0; !done; ++call) {
      const double from = now_in_nanoseconds();
      done = table.advance(start + 1000, expiry_budget, [](Flow<Ipv4Address>&) { return true; });
      const auto cost = static_cast<float>(nanoseconds_since(from));
      if (call == calls.size()) calls.push_back(cost);
      calls[call] = std::min(calls[call], cost);
    }
  }
  report("one insertion while the table grows", insertions);
  std::printf("all flows over at once, %zu calls with a budget of %u; ", calls.size(), expiry_budget);
  report("one call", calls);
}

}  // namespace

int main(int argc, char** argv) {
  const uint32_t flows = argc > 1 ? static_cast<uint32_t>(std::strtoul(argv[1], nullptr, 10)) : 1'000'000;
  const bool prepared = argc > 2 && std::strcmp(argv[2], "prepared") == 0;
  const FlowTableOptions options{.limit = flows,
                                 .seed = {1, 2, 3, 4},
                                 .start = start,
                                 .prepared = prepared ? flows : 0,
                                 .huge_pages = prepared,
                                 .memory = &sluice::memory::process_memory()};
  std::printf("%u flows, %s\n", flows, prepared ? "prepared in huge pages" : "memory taken as it grows, 4 KiB pages");
  {
    Table table(options);
    const double growing = insert_all(table, flows);
    std::printf("look up in vain and insert, table growing: %.1f ns (%.2f million a second)\n", growing,
                1000 / growing);
    std::printf("memory: %.1f bytes a flow (%.1f MiB)\n", static_cast<double>(table.memory_bytes()) / flows,
                static_cast<double>(table.memory_bytes()) / (1 << 20));
    report_lookups(table, flows);
    expire_all(table, start + 1000);
    const double again = insert_all(table, flows);
    std::printf("look up in vain and insert, grown table: %.1f ns (%.2f million a second)\n", again, 1000 / again);
    expire_all(table, start + 2000);
  }
  report_pauses(options, flows);
  return 0;
}
