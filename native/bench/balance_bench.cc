// SPDX-License-Identifier: Apache-2.0
// Two tables. For hashing schedulers: which share of 100,000 clients gets another server after a change of the servers,
// beside the least possible share. And the cost of a pick with 10, 100 and 1000 servers.
#include <cstdio>
#include <ctime>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "director/services/scheduler.h"

namespace {

using namespace sluice;
using namespace sluice::director;

constexpr uint32_t client_count = 100'000;

struct Service {
  std::deque<Destination> servers;
  Destinations list;
  std::unique_ptr<Scheduler> scheduler;

  Service(const char* name, uint8_t flags) {
    scheduler = make_scheduler(name, {list, flags, [engine = std::mt19937(1)]() mutable { return engine(); }});
  }
  void add(uint32_t number, int32_t weight) {
    Destination& d = servers.emplace_back();
    wire::Ipv4Address address;
    address.raw = 0x0a | (2u << 8) | __builtin_bswap32(number);
    d.address = address;
    d.port = 80;
    d.set_weight(weight);
    list.insert(list.begin(), &d);
    scheduler->destinations_changed(nullptr);
  }
  void remove(Destination* d) {
    std::erase(list, d);
    scheduler->destinations_changed(d);
  }
  void reweigh(Destination* d, int32_t weight) {
    d->set_weight(weight);
    scheduler->destinations_changed(nullptr);
  }
};

ScheduleRequest request(uint32_t n) {
  wire::Ipv4Address client, to;
  client.raw = 11 + n * 0x9e3779b9u;
  to.raw = 0x6401000a;
  return {client, to, static_cast<uint16_t>(1024 + n % 60000), 80, 6, 1000 * second};
}

std::vector<Destination*> assign(Service& service) {
  std::vector<Destination*> result(client_count);
  for (uint32_t n = 0; n < client_count; n++) result[n] = service.scheduler->pick(request(n), nullptr);
  return result;
}

template <typename Change>
double moved(const char* name, uint32_t count, Change change) {
  Service service(name, flag_1);
  for (uint32_t n = 1; n <= count; n++) service.add(n, 10);
  const auto before = assign(service);
  change(service);
  const auto after = assign(service);
  uint32_t differ = 0;
  for (uint32_t n = 0; n < client_count; n++) differ += before[n] != after[n];
  return 100.0 * differ / client_count;
}

void print_moved() {
  std::printf("%-11s %8s %18s %18s %22s %22s\n", "scheduler", "servers", "one leaves", "one joins", "weight 10 -> 15",
              "weight 10 -> 0");
  for (uint32_t count : {10u, 100u}) {
    const double n = count;
    std::printf("%-11s %8u %17.2f%% %17.2f%% %21.2f%% %21.2f%%\n", "(least)", count, 100 / n, 100 / (n + 1),
                100 * (1.5 / (n + 0.5) - 1 / n), 100 / n);
    for (const char* name : {"sh", "mh", "ring", "rendezvous"}) {
      const double leaves = moved(name, count, [](Service& s) { s.remove(s.list[2]); });
      const double joins = moved(name, count, [](Service& s) { s.add(5000, 10); });
      const double heavier = moved(name, count, [](Service& s) { s.reweigh(s.list[2], 15); });
      const double drained = moved(name, count, [](Service& s) { s.reweigh(s.list[2], 0); });
      std::printf("%-11s %8u %17.2f%% %17.2f%% %21.2f%% %21.2f%%\n", name, count, leaves, joins, heavier, drained);
    }
  }
}

double nanoseconds_a_pick(std::string_view name, uint32_t count) {
  Service service(std::string(name).c_str(), flag_1);
  for (uint32_t n = 1; n <= count; n++) service.add(n, 1 + static_cast<int32_t>(n % 10));
  const uint32_t picks = 200'000;
  const auto open = [&service](uint32_t n) {
    Destination* d = service.scheduler->pick(request(n), nullptr);
    d->active++;
    service.scheduler->load_changed(*d);
  };
  for (uint32_t n = 0; n < picks / 10; n++) open(n);
  const std::clock_t start = std::clock();  // of this process, so that other work on the machine does not count
  for (uint32_t n = 0; n < picks; n++) open(n);
  return 1e9 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC / picks;
}

void print_cost() {
  std::printf("\n%-11s %18s %18s %18s\n", "scheduler", "10 servers", "100 servers", "1000 servers");
  for (std::string_view name : scheduler_names()) {
    if (name == "ovf") continue;  // it is full after a few flows
    std::printf("%-11.*s", static_cast<int>(name.size()), name.data());
    for (uint32_t count : {10u, 100u, 1000u}) std::printf(" %12.0f ns/pick", nanoseconds_a_pick(name, count));
    std::printf("\n");
  }
}

}  // namespace

int main() {
  print_moved();
  print_cost();
}
