// SPDX-License-Identifier: Apache-2.0
// The live director in a namespace, with two workers, and packets from the host outside.
#pragma once

#include <linux/if_tun.h>
#include <sys/resource.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/connections.h"
#include "engine/live_director.h"
#include "host/namespace.h"
#include "port/virtio_header.h"

namespace sluice::test {

using engine::LiveDirector;
using engine::PlanStep;

inline constexpr const char *vip = "10.9.0.100", *other_vip = "10.9.0.101", *server_address = "10.9.0.2";
inline constexpr uint32_t flow_limit = 1000, fragment_limit = 100;

inline director::ServiceKey service(const char* host) {
  director::ServiceKey key;
  key.address = address(host);
  key.port = 80;
  key.protocol = wire::protocol::tcp;
  return key;
}

inline engine::AddServer nat_server(const char* host) {
  director::DestinationSettings settings;
  settings.address = address(server_address);
  settings.port = 8080;
  settings.forwarding = director::Forwarding::nat;
  return {service(host), settings};
}

inline std::vector<PlanStep> one_service(const char* host = vip) {
  return {engine::AddService{service(host), {}}, nat_server(host)};
}

// More networks than the kernel's map holds.
inline engine::SetEgress too_much_egress() {
  engine::SetEgress step;
  for (uint32_t i = 0; i < 5000; i++) {
    const auto bytes = std::to_string(i / 250) + "." + std::to_string(i % 250);
    step.rules.push_back({address("172." + std::to_string(16) + "." + bytes), 32, 0});
  }
  return step;
}

inline Buffer syn(uint16_t port, const char* to = vip) {
  return ethernet({.source = outside_mac, .destination = inside_mac})
      .ipv4({.source = server_address, .destination = to})
      .tcp({.source_port = port, .destination_port = 80, .flags = SYN})
      .build();
}

// A virtual machine's interface.
class Tap {
 public:
  Tap() : device_(open("/dev/net/tun", O_RDWR | O_CLOEXEC)) {
    ifreq request{};
    std::strcpy(request.ifr_name, "tap0");
    request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    REQUIRE(ioctl(device_.get(), TUNSETIFF, &request) == 0);
    shell("ip link set tap0 address 02:00:00:00:09:03 up");
  }
  // Makes a frame one to this interface, or to d0.
  static Buffer addressed(Buffer frame) {
    frame[5] = 3;
    return frame;
  }
  void write(Buffer frame, const port::VirtioHeader& header = {}) const {
    frame.insert(frame.begin(), sizeof header, 0);
    std::memcpy(frame.data(), &header, sizeof header);
    REQUIRE(::write(device_.get(), frame.data(), frame.size()) == static_cast<ssize_t>(frame.size()));
  }

 private:
  host::Descriptor device_;
};

// A second interface of the balancer, which comes and goes.
inline constexpr const char* make_d0 =
    "ip link add d0 address 02:00:00:00:09:03 type veth peer name d1 && ip link set d0 up && ip link set d1 up";

// A live director on b0, unless interfaces are given.
class Live {
 public:
  explicit Live(engine::CrashState* crash_state = nullptr, std::vector<std::string> interfaces = {"b0"},
                std::optional<bool> opens = true, std::vector<int> cpus = {-1, -1}) {
    engine::LiveDirectorOptions options;
    options.interfaces = std::move(interfaces);
    options.cpus = std::move(cpus);
    options.director.flow_limit = flow_limit;
    options.director.fragment_limit = fragment_limit;
    options.director.random = arc4random;
    options.crash_state = crash_state;
    live = std::make_unique<LiveDirector>(options, *page_);
    const bool is_open = live->open(refused_to_open);
    INFO(refused_to_open.message);
    REQUIRE(is_open == opens.value_or(is_open));
  }

  void apply(std::vector<PlanStep> steps) {
    LiveDirector::Refusal refusal;
    const bool is_prepared = live->prepare(std::move(steps), refusal);
    INFO(refusal.reason);
    REQUIRE(is_prepared);
    live->commit();
  }
  void start() {
    live->start();
    host::Failure failure;
    const bool is_stolen = live->steal(failure);
    INFO(failure.message);
    REQUIRE(is_stolen);
    REQUIRE(live->take_over(failure));
  }
  LiveDirector::Refusal refused(std::vector<PlanStep> steps) {
    LiveDirector::Refusal refusal;
    REQUIRE_FALSE(live->prepare(std::move(steps), refusal));
    return refusal;
  }

  LiveDirector::Explanation explain(const Buffer& frame, director::PortId port = 0) {
    LiveDirector::Explanation explanation;
    host::Failure failure;
    // A busy host may have no time for the copy: whoever asks is told to ask again.
    bool is_explained = false;
    for (int attempt = 0; attempt < 20 && !is_explained; ++attempt) {
      is_explained = live->explain({{.port = port, .bytes = frame}}, explanation, failure);
    }
    INFO(failure.message);
    REQUIRE(is_explained);
    REQUIRE(explanation.judgements[0].has_value());
    return explanation;
  }
  // Whose a frame is.
  host::bpf::steal_owner owner(const Buffer& frame) { return explain(frame).judgements[0]->owner; }
  bool every_worker_has(const char* host) {
    size_t workers = 0;
    for (size_t i = 0; i < live->workers(); i++) {
      engine::DirectorWorker::Visit visit(live->worker(i));
      if (visit.director().services().find(service(host)) != nullptr) workers++;
    }
    CHECK((workers == 0 || workers == live->workers()));
    return workers == live->workers();
  }
  std::vector<engine::Connection> connections(size_t worker) {
    std::vector<engine::Connection> all;
    for (std::optional<engine::ConnectionCursor> at = 0; at;) {
      engine::DirectorWorker::Visit visit(live->worker(worker));
      at = engine::read_connections(visit.director(), visit.now(), *at, 7, all);
    }
    return all;
  }
  size_t connections() {
    size_t count = 0;
    for (size_t i = 0; i < live->workers(); i++) count += connections(i).size();
    return count;
  }
  uint64_t count(size_t worker, engine::Counter counter) const {
    const size_t word = engine::layout::first_block + worker * engine::layout::block_stride +
                        engine::layout::first_counter + static_cast<size_t>(counter);
    return std::atomic_ref<uint64_t>(const_cast<uint64_t&>(words_[word])).load();
  }
  uint64_t count(engine::Counter counter) const { return count(0, counter) + count(1, counter); }

  std::unique_ptr<LiveDirector> live;
  host::Failure refused_to_open;

 private:
  std::vector<uint64_t> words_ = std::vector<uint64_t>(engine::layout::size);
  std::unique_ptr<engine::StatisticsPage> page_ = engine::StatisticsPage::format(words_);

 public:
  // The director must end before the memory that it writes.
  ~Live() { live.reset(); }
};

// While it exists, this process can open no more files, sockets or links of BPF programs than so many.
class FewMoreFiles {
 public:
  explicit FewMoreFiles(size_t count) {
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const host::Descriptor lowest_free(dup(0));
    const rlimit few = {static_cast<rlim_t>(lowest_free.get()) + count, before_.rlim_max};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &few) == 0);
  }
  ~FewMoreFiles() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

inline bool await(const std::function<bool()>& condition) {
  constexpr int attempts = 2000, pause = 5;  // milliseconds: ten seconds in all
  for (int i = 0; i < attempts && !condition(); i++) poll(nullptr, 0, pause);
  return condition();
}

inline void send_syns(const Namespaces& namespaces, uint16_t count) {
  namespaces.outside([&] {
    FrameSocket socket("x0");
    for (uint16_t port = 0; port < count; port++) socket.send(syn(static_cast<uint16_t>(10000 + port)));
  });
}

}  // namespace sluice::test
