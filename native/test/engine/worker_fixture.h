// SPDX-License-Identifier: Apache-2.0
// A worker between the clients' and the servers' network with one service. Its ports are memory.
#pragma once

#include <doctest/doctest.h>

#include <thread>

#include "engine/director_work.h"
#include "port/memory_port.h"
#include "test/director/fixture.h"

namespace sluice::test {

using Worker = engine::DirectorWorker;

// The ports are used within a visit.
class Balancer {
 public:
  explicit Balancer(const Network& network = {}) {
    std::vector<std::unique_ptr<port::Port>> ports;
    for (const director::PortId number : {c0, s0}) {
      auto port = std::make_unique<port::MemoryPort>(number);
      ports_.push_back(port.get());
      ports.push_back(std::move(port));
    }
    engine::WorkerOptions options;
    options.name = "worker";
    engine::DirectorWorkOptions work;
    work.director = small_options();
    work.director.start = engine::monotonic_nanoseconds();
    worker = std::make_unique<Worker>(options, work, std::move(ports),
                                      std::get<engine::CounterBlock>(page_->claim("worker")));
    Worker::Visit visit(*worker);
    visit.director().set_route_table(network.route_table());
    REQUIRE(visit.change_services().services().add_service(tcp(), {}) == director::EditResult::done);
    add_server(visit, server4);
  }

  void add_server(Worker::Visit& visit, std::string_view host) {
    REQUIRE(visit.change_services().services().add_destination(tcp(), Fixture::server(host, 8080)) ==
            director::EditResult::done);
  }
  void arrive(director::PortId port, const Buffer& frame) {
    Worker::Visit visit(*worker);
    ports_[port]->arrive(frame);
  }
  std::vector<Buffer> sent(director::PortId port) {
    Worker::Visit visit(*worker);
    std::vector<Buffer> frames;
    for (const port::OwnedFrame& frame : ports_[port]->sent()) {
      frames.emplace_back(frame.bytes().begin(), frame.bytes().end());
    }
    return frames;
  }
  // Waits for the worker, which runs in its own thread.
  std::vector<Buffer> sent(director::PortId port, size_t count) {
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

inline Buffer syn(uint16_t port) {
  return from_client()
      .ipv4({.source = std::string(client4), .destination = std::string(vip4)})
      .tcp({.source_port = port, .destination_port = 80})
      .build();
}

}  // namespace sluice::test
