// SPDX-License-Identifier: Apache-2.0
// What an explanation costs a worker: how long it stands still for the copy of its director, and how much slower
// packets are afterwards, when pages that the copy shared are written for the first time.
//
//   rehearsal_bench [FLOWS [ROUNDS]]
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "engine/absent_port.h"
#include "engine/rehearsal.h"
#include "memory/mapped_memory.h"
#include "memory_port.h"

using namespace sluice;
using A = wire::Ipv4Address;

namespace {

constexpr uint32_t batch = 16384;

// Passes one packet of every flow.
double nanoseconds_a_packet(director::Director& director, bench::MemoryPort<A>& port, const bench::FarmOptions& options,
                            uint32_t flows, uint8_t flags) {
  double spent = 0;
  for (uint32_t done = 0; done < flows; done += batch) {
    const uint32_t count = std::min(batch, flows - done);
    for (uint32_t i = 0; i < count; i++) port.fill(i, bench::client_endpoints<A>(options, done + i), true, flags);
    const double begin = bench::thread_nanoseconds();
    port.pass(director, count, second);
    spent += bench::thread_nanoseconds() - begin;
    port.check(count);
  }
  return spent / flows;
}

void configure(director::Director& director, const bench::FarmOptions& options) {
  director.set_route_table(bench::route_table_of<A>(options));
  const director::ServiceKey key = bench::service_key<A>(options, 0);
  if (director.services().add_service(key, {.scheduler = "rr"}) != director::EditResult::done) std::abort();
  for (uint32_t i = 0; i < options.servers; i++) {
    const auto added = director.services().add_destination(key, bench::server_settings<A>(options, i));
    if (added != director::EditResult::done) std::abort();
  }
}

// What a fork costs at least: in microseconds, of this process as it is.
double fork_alone() {
  const double begin = static_cast<double>(engine::monotonic_nanoseconds());
  const pid_t child = fork();
  if (child == 0) _exit(0);
  const double spent = static_cast<double>(engine::monotonic_nanoseconds()) - begin;
  if (child < 0 || waitpid(child, nullptr, 0) != child) std::abort();
  return spent / 1000;
}

double median(std::vector<double>& values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const uint32_t flows = argc > 1 ? static_cast<uint32_t>(std::atoi(argv[1])) : 1'000'000;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 15;
  std::vector<double> alone;
  for (int round = 0; round < rounds; round++) alone.push_back(fork_alone());
  const bench::FarmOptions options;
  std::vector<uint64_t> words(engine::layout::size);
  const auto page = engine::StatisticsPage::format(words);
  engine::WorkerOptions settings;
  settings.name = "worker";
  engine::DirectorWorkOptions work;
  work.director.start = second;
  work.director.memory.own = &memory::process_memory();
  work.director.seed = {1, 2, 3, 4};
  work.director.random = [engine = std::mt19937(1)]() mutable { return static_cast<uint32_t>(engine()); };
  std::vector<std::unique_ptr<port::Port>> ports;
  for (int i = 0; i < 2; i++) ports.push_back(std::make_unique<engine::AbsentPort>());
  // The worker is never started: the visitor's thread does everything, so that no other thread takes time from it.
  engine::DirectorWorker worker(settings, work, std::move(ports),
                                std::get<engine::CounterBlock>(page->claim("worker")));
  auto& director = engine::DirectorWorker::Visit(worker).change_services();
  configure(director, options);
  bench::MemoryPort<A> port(wire::protocol::tcp, batch);
  constexpr uint8_t syn = 2, ack = 16;
  nanoseconds_a_packet(director, port, options, flows, syn);

  std::vector<double> still, before, after;
  std::vector<uint8_t> frame(60, 0);
  for (int round = 0; round < rounds; round++) {
    before.push_back(nanoseconds_a_packet(director, port, options, flows, ack));
    engine::Rehearsal rehearsal;
    host::Failure failure;
    if (!engine::rehearse(worker, {{.port = bench::client_port, .bytes = frame}}, {}, rehearsal, failure)) {
      std::fprintf(stderr, "%s\n", failure.message.c_str());
      return 1;
    }
    still.push_back(static_cast<double>(rehearsal.stood_still) / 1000);
    after.push_back(nanoseconds_a_packet(director, port, options, flows, ack));
  }
  const double pass_before = median(before), pass_after = median(after);
  const auto print = [&](const char* what, double value, const char* unit) {
    std::printf("{\"figure\":\"%s, %u flows\",\"value\":%.1f,\"unit\":\"%s\"}\n", what, flows, value, unit);
  };
  print("a fork before there is a director", median(alone), "us");
  print("the worker stands still", median(still), "us");
  print("a packet of each flow before", pass_before, "ns");
  print("a packet of each flow after", pass_after, "ns");
  return 0;
}
