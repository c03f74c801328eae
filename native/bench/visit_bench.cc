// SPDX-License-Identifier: Apache-2.0
// How long a worker that forwards packets of many flows without a pause stands still for visits: the table of
// connections in parts, a plan in parts, another route table, a copy of the director that explains a packet.
//
//   visit_bench [FLOWS [STEPS]]
//
// A visit is measured as the worker counts it, from its beginning to its end, and in CPU time of the visitor's thread:
// its duration if no other work wants the core. For the copy, the longest time between two batches until the answer is
// there is measured too: it contains the worker's page faults after the visit.
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "engine/connections.h"
#include "engine/director_work.h"
#include "engine/plan.h"
#include "engine/rehearsal.h"
#include "host/descriptor.h"
#include "memory/mapped_memory.h"
#include "memory_port.h"

using namespace sluice;
using A = wire::Ipv4Address;

namespace {

constexpr uint32_t batch = 64;
constexpr uint8_t syn = 2, ack = 16;

double wall_nanoseconds() {
  return static_cast<double>(engine::monotonic_nanoseconds());
}

// Gives packets of one flow after another, without end.
class BusyPort final : public port::Port {
 public:
  BusyPort(const bench::FarmOptions& options, uint32_t flows)
      : options_(options), flows_(flows), frames_(wire::protocol::tcp, batch) {}

  size_t receive(std::span<director::Frame> frames) override {
    const double now = wall_nanoseconds();
    longest_gap_ = std::max(longest_gap_.load(), now - before_);
    before_ = now;
    const size_t count = std::min<size_t>(frames.size(), batch);
    for (uint32_t i = 0; i < count; i++) {
      frames_.fill(i, bench::client_endpoints<A>(options_, next_), true, ack);
      frames[i] = frames_.received(i);
      next_ = (next_ + 7919) % flows_;
    }
    return count;
  }
  void release() override {}
  void transmit(const director::Frame&) override {}
  void flush() override {}
  int fd() const override { return -1; }
  bool prepare_to_wait() override { return false; }
  port::PortStatistics statistics() override { return {}; }
  // Between two batches since it was asked last, in nanoseconds.
  double take_longest_gap() { return longest_gap_.exchange(0); }

 private:
  std::atomic<double> longest_gap_ = 0;
  double before_ = wall_nanoseconds();
  const bench::FarmOptions& options_;
  const uint32_t flows_;
  bench::MemoryPort<A> frames_;
  uint32_t next_ = 0;
};

class SilentPort final : public port::Port {
 public:
  size_t receive(std::span<director::Frame>) override { return 0; }
  void release() override {}
  void transmit(const director::Frame&) override {}
  void flush() override {}
  int fd() const override { return -1; }
  bool prepare_to_wait() override { return true; }
  port::PortStatistics statistics() override { return {}; }
};

// The times of visits of one kind, in microseconds.
class Visits {
 public:
  template <class Body>
  void visit(engine::DirectorWorker& worker, Body body) {
    double wall, own;
    {
      engine::DirectorWorker::Visit visit(worker);
      wall = wall_nanoseconds();
      own = bench::thread_nanoseconds();
      body(visit);
      own = bench::thread_nanoseconds() - own;
    }
    wall_.push_back((wall_nanoseconds() - wall) / 1000);
    own_.push_back(own / 1000);
  }

  void add(double wall) { wall_.push_back(wall / 1000); }

  void print(const char* what) {
    for (const auto& [clock, times] : {std::pair{"", &wall_}, std::pair{", CPU time", &own_}}) {
      if (times->empty()) continue;
      std::sort(times->begin(), times->end());
      const auto figure = [&](const char* which, double value) {
        std::printf("{\"figure\":\"%s: %s of %zu visits%s\",\"value\":%.1f,\"unit\":\"us\"}\n", what, which,
                    times->size(), clock, value);
      };
      figure("median", (*times)[times->size() / 2]);
      figure("longest", times->back());
    }
  }

 private:
  std::vector<double> wall_, own_;
};

void open_flows(director::Director& director, const bench::FarmOptions& options, uint32_t flows) {
  constexpr uint32_t part = 16384;
  bench::MemoryPort<A> port(wire::protocol::tcp, part);
  for (uint32_t done = 0; done < flows; done += part) {
    const uint32_t count = std::min(part, flows - done);
    for (uint32_t i = 0; i < count; i++) port.fill(i, bench::client_endpoints<A>(options, done + i), true, syn);
    port.pass(director, count, engine::monotonic_nanoseconds());
    port.check(count);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const uint32_t flows = argc > 1 ? static_cast<uint32_t>(std::atoi(argv[1])) : 1'000'000;
  const uint32_t steps = argc > 2 ? static_cast<uint32_t>(std::atoi(argv[2])) : 20'000;
  const bench::FarmOptions options;
  std::vector<uint64_t> words(engine::layout::size), rows(engine::service_layout::area_stride);
  const auto page = engine::StatisticsPage::format(words);
  engine::WorkerOptions settings;
  settings.name = "worker";
  engine::DirectorWorkOptions work;
  work.director.start = engine::monotonic_nanoseconds();
  work.director.seed = {1, 2, 3, 4};
  work.director.random = [engine = std::mt19937(1)]() mutable { return static_cast<uint32_t>(engine()); };
  work.service_rows = rows;
  // As for `sluice run`: flows outlive the process.
  const host::Descriptor flow_file(memfd_create("flows", MFD_CLOEXEC));
  work.director.memory.own = &memory::process_memory();
  work.director.memory.flows4 = memory::file_memory(flow_file.get());
  std::vector<std::unique_ptr<port::Port>> ports;
  auto busy = std::make_unique<BusyPort>(options, flows);
  BusyPort& busy_port = *busy;
  ports.push_back(std::move(busy));
  ports.push_back(std::make_unique<SilentPort>());
  engine::DirectorWorker worker(settings, work, std::move(ports),
                                std::get<engine::CounterBlock>(page->claim("worker")));
  const auto route_table = bench::route_table_of<A>(options);
  {
    engine::DirectorWorker::Visit visit(worker);
    director::Director& director = visit.change_services();
    director.set_route_table(route_table);
    director.services().reserve(65536, 65536);
    carry_out(engine::AddService{bench::service_key<A>(options, 0), {.scheduler = "rr"}}, director);
    for (uint32_t i = 0; i < options.servers; i++) {
      carry_out(engine::AddServer{bench::service_key<A>(options, 0), bench::server_settings<A>(options, i)}, director);
    }
    open_flows(director, options, flows);
  }
  worker.start();

  // As in binding/live_director_object.cc and LiveDirector.
  constexpr uint32_t connections_in_part = 1024;
  constexpr Time longest_part = 200'000;
  Visits listing, plan, routes;
  size_t listed = 0;
  for (std::optional<engine::ConnectionCursor> at = 0; at;) {
    std::vector<engine::Connection> part;
    part.reserve(connections_in_part);
    listing.visit(worker, [&](engine::DirectorWorker::Visit& visit) {
      at = engine::read_connections(visit.director(), visit.now(), *at, connections_in_part, part);
    });
    listed += part.size();
  }
  Visits copies, answers, gaps;
  const std::vector<uint8_t> frame(60, 0);
  for (int i = 0; i < 100; i++) {
    engine::Rehearsal rehearsal;
    host::Failure failure;
    busy_port.take_longest_gap();
    const double begun = wall_nanoseconds();
    if (!engine::rehearse(worker, {{.port = bench::client_port, .bytes = frame}}, {}, rehearsal, failure)) {
      std::fprintf(stderr, "%s\n", failure.message.c_str());
      return 1;
    }
    answers.add(wall_nanoseconds() - begun);
    copies.add(static_cast<double>(rehearsal.stood_still));
    gaps.add(busy_port.take_longest_gap());
  }
  bench::FarmOptions more = options;
  more.services = steps / 2 + 1;
  more.servers = 1;
  for (uint32_t done = 0; done < steps;) {
    plan.visit(worker, [&](engine::DirectorWorker::Visit& visit) {
      const Time begun = visit.now();
      director::Director& director = visit.change_services();
      do {
        const director::ServiceKey key = bench::service_key<A>(more, 1 + done / 2);
        const engine::PlanStep step =
            done % 2 == 0 ? engine::PlanStep(engine::AddService{key, {.scheduler = "rr"}})
                          : engine::PlanStep(engine::AddServer{key, bench::server_settings<A>(more, done)});
        if (carry_out(step, director) != "done") std::abort();
        done++;
      } while (done < steps && visit.now() - begun < longest_part);
    });
  }
  for (int i = 0; i < 200; i++) {
    const auto next = bench::route_table_of<A>(options);
    routes.visit(worker, [&](engine::DirectorWorker::Visit& visit) {
      visit.director().set_route_table(next);
      visit.try_waiting_frames();
    });
  }
  Visits pool, table;
  engine::SetPool whole{1, {}};
  for (uint32_t i = 0; i < 256; i++) whole.settings.addresses.push_back(bench::Networks<A>::local(i));
  for (const engine::PlanStep& step : in_small_steps(whole, nullptr)) {
    pool.visit(worker, [&](engine::DirectorWorker::Visit& visit) { carry_out(step, visit.change_services()); });
  }
  const director::ServiceKey hashed = bench::service_key<A>(more, steps);
  for (uint32_t i = 0; i <= 100; i++) {
    const engine::PlanStep step = i == 0 ? engine::PlanStep(engine::AddService{hashed, {.scheduler = "mh"}})
                                         : engine::AddServer{hashed, bench::server_settings<A>(more, i)};
    table.visit(worker, [&](engine::DirectorWorker::Visit& visit) { carry_out(step, visit.change_services()); });
  }
  Visits order;
  const director::ServiceKey large = bench::service_key<A>(more, steps + 1);
  std::vector<director::DestinationSettings> servers;
  for (uint32_t i = 0; i < 1000; i++) servers.push_back(bench::server_settings<A>(more, i));
  const auto change = [&](const engine::PlanStep& step) {
    engine::DirectorWorker::Visit visit(worker);
    carry_out(step, visit.change_services());
  };
  change(engine::AddService{large, {.scheduler = "rr"}});
  for (const director::DestinationSettings& server : servers) change(engine::AddServer{large, server});
  for (int i = 0; i < 20; i++) {
    std::reverse(servers.begin(), servers.end());
    const engine::OrderServers step{large, servers};
    order.visit(worker, [&](engine::DirectorWorker::Visit& visit) { carry_out(step, visit.change_services()); });
  }
  worker.stop();
  if (listed < flows) {
    std::fprintf(stderr, "%zu of %u connections were listed\n", listed, flows);
    return 1;
  }
  listing.print("connections in parts of 1024");
  plan.print("a plan of services and servers, in parts");
  routes.print("another route table");
  table.print("a server of up to 100 for the scheduler mh");
  pool.print("a pool of 256 addresses, in parts");
  order.print("the order of 1,000 servers");
  copies.print("a copy of the director that explains");
  gaps.print("the longest time between two batches, from such a copy to its answer");
  answers.print("until the answer is there");
  const auto counted = [&](engine::Counter counter) {
    return words[engine::layout::first_block + engine::layout::first_counter + static_cast<size_t>(counter)];
  };
  std::printf("{\"figure\":\"longest visit that the worker has counted\",\"value\":%.1f,\"unit\":\"us\"}\n",
              static_cast<double>(counted(engine::Counter::longest_visit_nanoseconds)) / 1000);
  std::printf("packets forwarded meanwhile: %llu\n",
              static_cast<unsigned long long>(counted(engine::Counter::packets_established)));
  return 0;
}
