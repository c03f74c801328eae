// SPDX-License-Identifier: Apache-2.0
// Cost of a local port, including the flow table's lookup and insertion: for remote ends with few flows each, for one
// remote end from its first flow to its last free port, and for a miss.
//
//   port_pool_bench
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <vector>

#include "director/pools/port_pool.h"
#include "memory/mapped_memory.h"

namespace {

using namespace sluice::director;
using sluice::wire::Ipv4Address;

double thread_nanoseconds() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

struct Egress {
  FlowTable<Ipv4Address> table{{.limit = 4'000'000, .seed = {1, 2, 3, 4}, .memory = &sluice::memory::process_memory()}};
  PortPool<Ipv4Address> pool{std::vector<Ipv4Address>{{10}, {11}, {12}, {13}},
                             {},
                             [random = std::mt19937(1)]() mutable { return static_cast<uint32_t>(random()); },
                             sluice::memory::process_memory()};

  bool open(uint32_t remote, uint32_t client) {
    const RemoteEndpoint<Ipv4Address> end{{remote}, 443, 6};
    const auto local = pool.allocate(table, end);
    if (!local) return false;
    Flow<Ipv4Address> flow;
    flow.forward = {{client}, end.address, 1, 443};
    flow.reverse = {end.address, local->address, 443, local->port};
    flow.protocol = 6;
    flow.flags = flow_has_reverse;
    return table.insert(flow) != nullptr;
  }
};

void open_sparse() {
  constexpr uint32_t flows = 1'000'000;
  Egress egress;
  const double from = thread_nanoseconds();
  for (uint32_t i = 0; i < flows; ++i) {
    if (!egress.open(1000 + i / 10, i)) std::abort();
  }
  std::printf("10 flows to each remote end: %.0f ns a flow with its insertion; pool's memory %.2f bytes a flow\n",
              (thread_nanoseconds() - from) / flows, static_cast<double>(egress.pool.memory_bytes()) / flows);
}

void open_dense() {
  Egress egress;
  const uint32_t places = egress.pool.places();
  std::vector<double> costs;
  for (uint32_t i = 0; i < places; ++i) {
    const double from = thread_nanoseconds();
    if (!egress.open(1, i)) std::abort();
    costs.push_back(thread_nanoseconds() - from);
  }
  const auto mean = [&](size_t begin, size_t end) {
    double sum = 0;
    for (size_t i = begin; i < end; ++i) sum += costs[i];
    return sum / static_cast<double>(end - begin);
  };
  std::printf(
      "one remote end, %u places, with insertion and clock: first tenth %.0f ns, middle %.0f ns, last 1000 %.0f ns\n",
      places, mean(0, places / 10), mean(places / 2, places / 2 + places / 10), mean(places - 1000, places));
  std::ranges::sort(costs);
  std::printf("  1 in 10000 above %.1f us, worst %.1f us (interrupts included)\n",
              costs[places - places / 10'000 - 1] / 1000, costs.back() / 1000);
  constexpr int misses = 10'000;
  const double from = thread_nanoseconds();
  for (int i = 0; i < misses; ++i) {
    if (egress.open(1, 0)) std::abort();
  }
  std::printf("  a miss: %.0f ns\n", (thread_nanoseconds() - from) / misses);
}

}  // namespace

int main() {
  open_sparse();
  open_dense();
  return 0;
}
