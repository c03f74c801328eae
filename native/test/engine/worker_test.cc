// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <thread>

#include "engine/worker_fixture.h"

using namespace sluice;
using namespace sluice::test;
TEST_CASE("a frame from one port leaves by another, and is counted") {
  Balancer balancer;
  balancer.worker->start();
  balancer.arrive(c0, syn(40000));
  const auto sent = balancer.sent(s0, 1);
  REQUIRE(sent.size() == 1);
  CHECK(wire::describe(sent[0]).find("10.0.1.2.40000 > 10.0.2.11.8080") != std::string::npos);
  balancer.worker->stop();
  CHECK(balancer.count(engine::Counter::frames_received) == 1);
  CHECK(balancer.count(engine::Counter::frames_transmitted) == 1);
  CHECK(balancer.count(engine::Counter::frames_dropped) == 0);
}

TEST_CASE("a frame waits while its next hop is being resolved, and leaves when the answer is there") {
  Network without_server;
  without_server.neighbours.clear();
  Balancer balancer(without_server);
  balancer.worker->start();
  balancer.arrive(c0, syn(40000));
  // The director asks for the neighbour.
  REQUIRE(balancer.sent(s0, 1).size() == 1);
  {
    Worker::Visit visit(*balancer.worker);
    visit.director().set_route_table(Network().route_table());
    visit.try_waiting_frames();
  }
  const auto sent = balancer.sent(s0, 2);
  REQUIRE(sent.size() == 2);
  CHECK(wire::describe(sent[1]).find("10.0.1.2.40000 > 10.0.2.11.8080") != std::string::npos);
}

TEST_CASE("changes during traffic lose no packet") {
  Balancer balancer;
  balancer.worker->start();
  constexpr uint16_t frames = 1000;
  for (uint16_t i = 0; i < frames; i++) {
    balancer.arrive(c0, syn(static_cast<uint16_t>(40000 + i)));
    Worker::Visit visit(*balancer.worker);
    if (i % 2 == 0) {
      balancer.add_server(visit, "10.0.2.12");
    } else {
      REQUIRE(visit.change_services().remove_destination(tcp(), address("10.0.2.12"), 8080) ==
              director::EditResult::done);
    }
  }
  CHECK(balancer.sent(s0, frames).size() == frames);
}

TEST_CASE("each visitor has the worker to itself") {
  Balancer balancer;
  balancer.worker->start();
  int inside = 0, visits = 0;
  const auto visit_often = [&] {
    for (int i = 0; i < 200; i++) {
      Worker::Visit visit(*balancer.worker);
      CHECK(++inside == 1);
      visits++;
      inside--;
    }
  };
  std::thread other(visit_often);
  visit_often();
  other.join();
  CHECK(visits == 400);
}

TEST_CASE("a worker that was never started can be visited and stopped") {
  Balancer balancer;
  CHECK(Worker::Visit(*balancer.worker).director().services().service_count() == 1);
  balancer.worker->stop();
}

namespace {

// Sends every frame back by the port that received it, with its first byte changed, and one frame of its own when it is
// due.
class Echo final : public engine::Work {
 public:
  void receive(std::span<director::Frame> batch, const Turn& turn) override {
    for (director::Frame& frame : batch) {
      frame.data[0]++;
      turn.out.push(frame);
    }
    received += batch.size();
  }
  bool advance(const Turn& turn) override {
    if (own_time == 0 || turn.now < own_time) return true;
    own_time = 0;
    director::Frame frame;
    frame.data = own.data();
    frame.length = static_cast<uint32_t>(own.size());
    turn.out.push(frame);
    return true;
  }
  bool publish(Time, engine::CounterBlock&) override { return true; }
  Time due() const override { return own_time == 0 ? UINT64_MAX : own_time; }
  void finish(engine::CounterBlock&) override { has_finished = true; }

  size_t received = 0;
  Time own_time = 0;
  Buffer own = Buffer(60, 7);
  bool has_finished = false;
};

// A worker whose work is not a director's.
struct EchoWorker {
  std::vector<uint64_t> words = std::vector<uint64_t>(engine::layout::block_stride);
  Echo echo;
  port::MemoryPort* port = nullptr;
  std::unique_ptr<engine::Worker> worker;

  EchoWorker() {
    auto memory = std::make_unique<port::MemoryPort>(0);
    port = memory.get();
    std::vector<std::unique_ptr<port::Port>> ports;
    ports.push_back(std::move(memory));
    engine::WorkerOptions options;
    options.name = "echo";
    worker = std::make_unique<engine::Worker>(options, std::move(ports), echo, engine::CounterBlock(words, 0));
  }
  size_t sent() {
    engine::Worker::Visit visit(*worker);
    return port->sent().size();
  }
  bool await_sent(size_t count) {
    constexpr int attempts = 10'000;
    for (int i = 0; i < attempts && sent() < count; i++) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return sent() >= count;
  }
  uint64_t count(engine::Counter counter) {
    engine::Worker::Visit visit(*worker);
    return words[engine::layout::first_counter + static_cast<size_t>(counter)];
  }
};

}  // namespace

TEST_CASE("a worker does the work that it is given") {
  EchoWorker one;
  one.worker->start();
  {
    engine::Worker::Visit visit(*one.worker);
    one.port->arrive(Buffer(60, 1));
    one.port->arrive(Buffer(60, 2));
  }
  REQUIRE(one.await_sent(2));
  {
    engine::Worker::Visit visit(*one.worker);
    CHECK(one.echo.received == 2);
    CHECK(one.port->sent()[0].bytes()[0] == 2);
    CHECK(one.port->sent()[1].bytes()[0] == 3);
    one.echo.own_time = visit.now() + 1'000'000;
  }
  // Due work is done although no frame comes.
  REQUIRE(one.await_sent(3));
  CHECK(one.count(engine::Counter::frames_received) == 2);
  CHECK(one.count(engine::Counter::frames_transmitted) == 3);
  one.worker->stop();
  CHECK(one.echo.has_finished);
}

TEST_CASE("a worker makes a round between two visits, however many visitors wait") {
  EchoWorker one;
  one.worker->start();
  std::atomic<bool> is_over = false;
  std::vector<std::thread> visitors;
  for (int i = 0; i < 4; i++) {
    visitors.emplace_back([&] {
      while (!is_over.load()) engine::Worker::Visit visit(*one.worker);
    });
  }
  constexpr size_t frames = 200;
  for (size_t i = 0; i < frames; i++) {
    engine::Worker::Visit visit(*one.worker);
    one.port->arrive(Buffer(60, 1));
  }
  CHECK(one.await_sent(frames));
  is_over = true;
  for (std::thread& visitor : visitors) visitor.join();
}

TEST_CASE("the longest visit of a running worker is counted") {
  EchoWorker one;
  { engine::Worker::Visit before_it_runs(*one.worker); }
  CHECK(one.words[engine::layout::first_counter + static_cast<size_t>(engine::Counter::longest_visit_nanoseconds)] ==
        0);
  one.worker->start();
  Time lasted = 0;
  {
    engine::Worker::Visit visit(*one.worker);
    const Time begun = visit.now();
    while (lasted < 2'000'000) lasted = visit.now() - begun;
  }
  const uint64_t longest = one.count(engine::Counter::longest_visit_nanoseconds);
  CHECK(longest >= lasted);
  { engine::Worker::Visit short_one(*one.worker); }
  CHECK(one.count(engine::Counter::longest_visit_nanoseconds) >= longest);
  one.worker->stop();
}

TEST_CASE("replace_port() returns the old port, to be closed after the visit") {
  EchoWorker one;
  one.worker->start();
  port::Port* const before = one.port;
  auto next = std::make_unique<port::MemoryPort>(0);
  one.port = next.get();
  std::unique_ptr<port::Port> replaced;
  {
    engine::Worker::Visit visit(*one.worker);
    replaced = visit.replace_port(0, std::move(next));
  }
  CHECK(replaced.get() == before);
  {
    engine::Worker::Visit visit(*one.worker);
    one.port->arrive(Buffer(60, 1));
  }
  CHECK(one.await_sent(1));
}
