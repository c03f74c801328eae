// SPDX-License-Identifier: Apache-2.0
#include "engine/worker.h"

#include <doctest/doctest.h>

#include <thread>

#include "director/fixture.h"
#include "port/memory_port.h"

using namespace sluice;
using namespace sluice::test;
using engine::Worker;

namespace {

// A worker between the client's and the servers' network, whose ports are memory: used within a visit.
class Balancer {
 public:
  explicit Balancer(const Network& network = {}) {
    std::vector<std::unique_ptr<port::Port>> ports;
    for (const lvs::PortId number : {c0, s0}) {
      auto port = std::make_unique<port::MemoryPort>(number);
      ports_.push_back(port.get());
      ports.push_back(std::move(port));
    }
    engine::WorkerOptions options;
    options.name = "worker";
    options.director = small_options();
    options.director.start = engine::monotonic_nanoseconds();
    worker =
        std::make_unique<Worker>(options, std::move(ports), std::get<engine::CounterBlock>(page_->claim("worker")));
    Worker::Visit visit(*worker);
    visit.director().set_surroundings(network.surroundings());
    REQUIRE(visit.director().services().add_service(tcp(), {}) == lvs::EditResult::done);
    add_server(visit, server4);
  }

  void add_server(Worker::Visit& visit, std::string_view host) {
    REQUIRE(visit.director().services().add_destination(tcp(), Fixture::server(host, 8080)) == lvs::EditResult::done);
  }
  void arrive(lvs::PortId port, const Buffer& frame) {
    Worker::Visit visit(*worker);
    ports_[port]->arrive(frame);
  }
  std::vector<Buffer> sent(lvs::PortId port) {
    Worker::Visit visit(*worker);
    std::vector<Buffer> frames;
    for (const port::OwnedFrame& frame : ports_[port]->sent()) {
      frames.emplace_back(frame.bytes().begin(), frame.bytes().end());
    }
    return frames;
  }
  // Waits for the worker, which works beside us.
  std::vector<Buffer> sent(lvs::PortId port, size_t count) {
    for (int attempt = 0; attempt < 1000 && sent(port).size() < count; attempt++) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return sent(port);
  }
  uint64_t count(engine::Counter counter) {
    return words_[engine::layout::first_block + engine::layout::first_counter + static_cast<size_t>(counter)];
  }

 private:
  std::vector<uint64_t> words_ = std::vector<uint64_t>(engine::layout::size);
  std::unique_ptr<engine::StatisticsPage> page_ = engine::StatisticsPage::format(words_);
  std::vector<port::MemoryPort*> ports_;

 public:
  std::unique_ptr<Worker> worker;
};

Buffer syn(uint16_t port) {
  return from_client()
      .ipv4({.source = std::string(client4), .destination = std::string(vip4)})
      .tcp({.source_port = port, .destination_port = 80})
      .build();
}

}  // namespace

TEST_CASE("what comes on one port leaves on another, and is counted") {
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

TEST_CASE("a frame whose next hop is being asked for waits, and leaves when the answer is there") {
  Network without_server;
  without_server.neighbours.clear();
  Balancer balancer(without_server);
  balancer.worker->start();
  balancer.arrive(c0, syn(40000));
  for (int attempt = 0; attempt < 1000 && balancer.sent(s0).empty(); attempt++) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  // The director's own question.
  REQUIRE(balancer.sent(s0).size() == 1);
  {
    Worker::Visit visit(*balancer.worker);
    visit.director().set_surroundings(Network().surroundings());
    visit.try_waiting_frames();
  }
  const auto sent = balancer.sent(s0, 2);
  REQUIRE(sent.size() == 2);
  CHECK(wire::describe(sent[1]).find("10.0.1.2.40000 > 10.0.2.11.8080") != std::string::npos);
}

TEST_CASE("changes beside traffic lose no packet") {
  Balancer balancer;
  balancer.worker->start();
  constexpr uint16_t frames = 1000;
  for (uint16_t i = 0; i < frames; i++) {
    balancer.arrive(c0, syn(static_cast<uint16_t>(40000 + i)));
    Worker::Visit visit(*balancer.worker);
    if (i % 2 == 0) {
      balancer.add_server(visit, "10.0.2.12");
    } else {
      REQUIRE(visit.director().remove_destination(tcp(), address("10.0.2.12"), 8080) == lvs::EditResult::done);
    }
  }
  CHECK(balancer.sent(s0, frames).size() == frames);
}

TEST_CASE("a visitor has the worker to itself, whoever else visits") {
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

TEST_CASE("a worker that was never started can be visited, and stops") {
  Balancer balancer;
  CHECK(Worker::Visit(*balancer.worker).director().services().service_count() == 1);
  balancer.worker->stop();
}
