// SPDX-License-Identifier: Apache-2.0
// The live director in a namespace, with two workers, and packets from the host outside.
#include "engine/live_director.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>

#include <memory>
#include <set>
#include <thread>

#include "engine/connections.h"
#include "host/namespace.h"
#include "wire/describe.h"

using namespace sluice;
using namespace sluice::test;
using engine::LiveDirector;
using engine::PlanStep;

namespace {

constexpr const char *vip = "10.9.0.100", *other_vip = "10.9.0.101", *server_address = "10.9.0.2";
constexpr uint32_t flow_limit = 1000, fragment_limit = 100;

director::ServiceKey service(const char* host) {
  director::ServiceKey key;
  key.address = address(host);
  key.port = 80;
  key.protocol = wire::protocol::tcp;
  return key;
}

engine::AddServer nat_server(const char* host) {
  director::DestinationSettings settings;
  settings.address = address(server_address);
  settings.port = 8080;
  settings.forwarding = director::Forwarding::nat;
  return {service(host), settings};
}

std::vector<PlanStep> one_service(const char* host = vip) {
  return {engine::AddService{service(host), {}}, nat_server(host)};
}

// More networks than the kernel's map holds.
engine::SetEgress too_much_egress() {
  engine::SetEgress step;
  for (uint32_t i = 0; i < 5000; i++) {
    const auto bytes = std::to_string(i / 250) + "." + std::to_string(i % 250);
    step.rules.push_back({address("172." + std::to_string(16) + "." + bytes), 32, 0});
  }
  return step;
}

Buffer syn(uint16_t port, const char* to = vip) {
  return ethernet({.source = outside_mac, .destination = inside_mac})
      .ipv4({.source = server_address, .destination = to})
      .tcp({.source_port = port, .destination_port = 80, .flags = SYN})
      .build();
}

Buffer reply() {
  return ethernet({.source = outside_mac, .destination = inside_mac})
      .ipv4({.source = server_address, .destination = "10.9.0.77"})
      .tcp({.source_port = 8080, .destination_port = 1234, .flags = SYN | ACK})
      .build();
}

// A live director on b0.
class Live {
 public:
  explicit Live(engine::CrashState* crash_state = nullptr) {
    engine::LiveDirectorOptions options;
    options.interfaces = {"b0"};
    options.cpus = {-1, -1};
    options.director.flow_limit = flow_limit;
    options.director.fragment_limit = fragment_limit;
    options.director.random = arc4random;
    options.crash_state = crash_state;
    live = std::make_unique<LiveDirector>(options, *page_);
    host::Failure failure;
    const bool is_open = live->open(failure);
    INFO(failure.message);
    REQUIRE(is_open);
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
  }
  LiveDirector::Refusal refused(std::vector<PlanStep> steps) {
    LiveDirector::Refusal refusal;
    REQUIRE_FALSE(live->prepare(std::move(steps), refusal));
    return refusal;
  }

  // The owner of a frame.
  host::bpf::steal_owner owner(const Buffer& frame) {
    LiveDirector::Explanation explanation;
    host::Failure failure;
    const bool is_explained = live->explain({{.port = 0, .bytes = frame}}, explanation, failure);
    INFO(failure.message);
    REQUIRE(is_explained);
    REQUIRE(explanation.judgements[0].has_value());
    return explanation.judgements[0]->owner;
  }
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

 private:
  std::vector<uint64_t> words_ = std::vector<uint64_t>(engine::layout::size);
  std::unique_ptr<engine::StatisticsPage> page_ = engine::StatisticsPage::format(words_);

 public:
  // The director must end before the memory that it writes.
  ~Live() { live.reset(); }
};

bool await(const std::function<bool()>& condition) {
  constexpr int attempts = 2000, pause = 5;  // milliseconds: ten seconds in all
  for (int i = 0; i < attempts && !condition(); i++) poll(nullptr, 0, pause);
  return condition();
}

void send_syns(const Namespaces& namespaces, uint16_t count) {
  namespaces.outside([&] {
    FrameSocket socket("x0");
    for (uint16_t port = 0; port < count; port++) socket.send(syn(static_cast<uint16_t>(10000 + port)));
  });
}

}  // namespace

TEST_CASE("a plan with a refused step changes nothing") {
  if (!is_root()) return;
  const Namespaces namespaces;
  Live live;
  live.apply(one_service());
  live.start();
  auto steps = one_service(other_vip);
  steps.push_back(engine::AddService{service(vip), {}});
  const auto refusal = live.refused(steps);
  CHECK(refusal.step == 2);
  CHECK(refusal.reason == "service-exists");
  CHECK(live.every_worker_has(vip));
  CHECK_FALSE(live.every_worker_has(other_vip));
  CHECK(live.owner(syn(1, other_vip)) == host::bpf::STEAL_NOTHING);
}

TEST_CASE("a plan that the kernel refuses changes neither what is forwarded nor what is stolen") {
  if (!is_root()) return;
  const Namespaces namespaces;
  Live live;
  live.apply(one_service());
  live.start();
  auto steps = one_service(other_vip);
  steps.push_back(engine::RemoveService{service(vip)});
  steps.push_back(too_much_egress());
  const auto refusal = live.refused(steps);
  CHECK_FALSE(refusal.step.has_value());
  CHECK_FALSE(refusal.reason.empty());
  CHECK(live.every_worker_has(vip));
  CHECK_FALSE(live.every_worker_has(other_vip));
  CHECK(live.owner(syn(1, vip)) == host::bpf::STEAL_TAKEN);
  CHECK(live.owner(syn(1, other_vip)) == host::bpf::STEAL_NOTHING);
  // The next plan is carried out.
  live.apply(one_service(other_vip));
  CHECK(live.every_worker_has(other_vip));
  CHECK(live.owner(syn(1, other_vip)) == host::bpf::STEAL_TAKEN);
}

TEST_CASE("an aborted plan changes nothing, and a committed plan is in force on every worker") {
  if (!is_root()) return;
  const Namespaces namespaces;
  Live live;
  live.apply(one_service());
  live.start();
  LiveDirector::Refusal refusal;
  auto steps = one_service(other_vip);
  steps.push_back(engine::RemoveService{service(vip)});
  REQUIRE(live.live->prepare(steps, refusal));
  CHECK(live.every_worker_has(vip));
  CHECK_FALSE(live.every_worker_has(other_vip));
  CHECK(live.owner(syn(1, vip)) == host::bpf::STEAL_TAKEN);
  CHECK_FALSE(live.live->prepare({}, refusal));
  CHECK(refusal.remedy == "commit or abort it first");
  live.live->abort();
  CHECK(live.owner(syn(1, vip)) == host::bpf::STEAL_TAKEN);
  CHECK(live.owner(syn(1, other_vip)) == host::bpf::STEAL_NOTHING);

  REQUIRE(live.live->prepare(steps, refusal));
  live.live->commit();
  CHECK_FALSE(live.every_worker_has(vip));
  CHECK(live.every_worker_has(other_vip));
  CHECK(live.owner(syn(1, vip)) == host::bpf::STEAL_NOTHING);
  CHECK(live.owner(syn(1, other_vip)) == host::bpf::STEAL_TAKEN);
  live.live->commit();
  live.live->abort();
  CHECK(live.every_worker_has(other_vip));
}

TEST_CASE("replies of a removed server are the director's while flows point at it") {
  if (!is_root()) return;
  const Namespaces namespaces;
  Live live;
  live.apply(one_service());
  live.start();
  CHECK(live.owner(reply()) == host::bpf::STEAL_TAKEN);
  send_syns(namespaces, 1);
  REQUIRE(await([&] { return live.connections() == 1; }));
  live.apply({engine::RemoveServer{service(vip), address(server_address), 8080}});
  CHECK(live.owner(reply()) == host::bpf::STEAL_TAKEN);
  live.apply({engine::AddServer{nat_server(vip)}});
  CHECK(live.owner(reply()) == host::bpf::STEAL_TAKEN);
}

TEST_CASE("replies of a removed server without flows are the host's") {
  if (!is_root()) return;
  const Namespaces namespaces;
  Live live;
  live.apply(one_service());
  live.start();
  live.apply({engine::RemoveServer{service(vip), address(server_address), 8080}});
  CHECK(live.owner(reply()) == host::bpf::STEAL_NOTHING);
}

TEST_CASE("the limit of flows is divided among the workers and holds for all together") {
  if (!is_root()) return;
  const Namespaces namespaces;
  Live live;
  auto steps = one_service();
  steps.push_back(engine::SetLimits{10, 0, fragment_limit});
  live.apply(steps);
  live.start();
  constexpr uint16_t syns = 200;
  send_syns(namespaces, syns);
  REQUIRE(await([&] { return live.count(engine::Counter::packets_flow_limit) == syns - 10; }));
  CHECK(live.connections(0).size() == 5);
  CHECK(live.connections(1).size() == 5);
  CHECK(live.refused({engine::SetLimits{flow_limit + 1, 0, fragment_limit}}).step == 0);
  CHECK(live.refused({engine::SetLimits{flow_limit, 0, fragment_limit + 1}}).step == 0);
  live.apply({engine::SetLimits{flow_limit, 0, fragment_limit}});
}

TEST_CASE("the table of connections is read in parts, each flow once, while others begin and end") {
  if (!is_root()) return;
  const Namespaces namespaces;
  Live live;
  live.apply(one_service());
  live.start();
  constexpr uint16_t flows = 300;
  send_syns(namespaces, flows);
  REQUIRE(await([&] { return live.connections() == flows; }));
  std::set<uint16_t> ports;
  std::thread changes([&] {
    for (int i = 0; i < 50; i++) {
      live.apply(one_service(other_vip));
      live.apply({engine::RemoveService{service(other_vip)}});
    }
  });
  size_t read = 0;
  for (size_t worker = 0; worker < 2; worker++) {
    for (const engine::Connection& connection : live.connections(worker)) {
      read++;
      ports.insert(connection.client.port);
      CHECK(connection.virtual_service.port == 80);
      CHECK(connection.server.address == address(server_address));
    }
  }
  changes.join();
  CHECK(read == flows);
  CHECK(ports.size() == flows);
  CHECK(live.count(engine::Counter::longest_visit_nanoseconds) > 0);
}

TEST_CASE("after a process ends unexpectedly, the next one has its flows and its links") {
  if (!is_root()) return;
  const Namespaces namespaces;
  int sockets[2];
  host::Failure failure;
  REQUIRE(engine::CrashState::make_sockets(sockets, failure));
  const auto child = [&](uint64_t tag) { return engine::CrashState(dup(sockets[0]), dup(sockets[1]), tag); };
  constexpr uint16_t flows = 20;
  {
    engine::CrashState crash_state = child(1);
    crash_state.take();
    Live live(&crash_state);
    live.apply(one_service());
    live.start();
    send_syns(namespaces, flows);
    REQUIRE(await([&] { return live.connections() == flows; }));
    // Without close(): the process crashes.
  }
  engine::CrashState crash_state = child(1);
  crash_state.take();
  Live live(&crash_state);
  live.apply(one_service());
  const director::Restored restored = live.live->restore();
  CHECK(restored.flows == flows);
  live.start();
  CHECK(live.connections() == flows);

  // A process of another build starts clean and reports it.
  live.live.reset();
  engine::CrashState upgraded = child(2);
  upgraded.take();
  Live clean(&upgraded);
  clean.apply(one_service());
  CHECK(clean.live->restore().flows == 0);
  CHECK(
      clean.live->notices() ==
      std::vector<std::string>{"the crash state was written by another build of Sluice: its flows are not carried on"});
  clean.live->close();
  close(sockets[0]);
  close(sockets[1]);
}

// --- a real server that is this host ---

namespace {

constexpr uint16_t local_port = 8080;

sockaddr_in ipv4_address(const char* host, uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  REQUIRE(inet_pton(AF_INET, host, &to.sin_addr) == 1);
  return to;
}

// Tells each connection whom it sees.
class WhoIsThere {
 public:
  WhoIsThere() {
    const sockaddr_in here = ipv4_address("0.0.0.0", local_port);
    REQUIRE(bind(socket_.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here) == 0);
    REQUIRE(listen(socket_.get(), 8) == 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~WhoIsThere() {
    shutdown(socket_.get(), SHUT_RDWR);
    thread_.join();
  }

 private:
  void serve() const {
    for (;;) {
      sockaddr_in peer{};
      socklen_t length = sizeof peer;
      const host::Descriptor connection(accept(socket_.get(), reinterpret_cast<sockaddr*>(&peer), &length));
      if (!connection) return;
      char text[INET_ADDRSTRLEN] = {};
      inet_ntop(AF_INET, &peer.sin_addr, text, sizeof text);
      static_cast<void>(!write(connection.get(), text, strlen(text)));
    }
  }

  host::Descriptor socket_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::thread thread_;
};

// Whom the server sees; or why there was no answer.
std::string who_am_i(const Namespaces& namespaces, const char* to, uint16_t port) {
  std::string answer;
  namespaces.outside([&] {
    const host::Descriptor client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval patience = {.tv_sec = 10, .tv_usec = 0};
    setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(client.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    const sockaddr_in there = ipv4_address(to, port);
    char text[INET_ADDRSTRLEN] = {};
    if (connect(client.get(), reinterpret_cast<const sockaddr*>(&there), sizeof there) != 0 ||
        read(client.get(), text, sizeof text - 1) <= 0) {
      answer = std::strerror(errno);
      return;
    }
    answer = text;
  });
  return answer;
}

// The service on this host alone. FULLNAT reaches it from the pool's address.
std::vector<PlanStep> local_service(director::Forwarding forwarding, const char* pool) {
  director::ServiceSettings settings;
  settings.pool = 1;
  director::DestinationSettings server;
  server.address = address("10.9.0.1");
  server.port = local_port;
  server.forwarding = forwarding;
  return {engine::SetPool{1, {{address(pool)}, 20000, 20999}}, engine::AddService{service(vip), settings},
          engine::AddServer{service(vip), server}};
}

}  // namespace

TEST_CASE("a real server that is this host is reached by every mode that translates, and directly at the same time") {
  if (!is_root()) return;
  using director::Forwarding;
  struct Case {
    Forwarding forwarding;
    const char* pool;  // an address that the host has not, or has too
    const char* seen;
  };
  for (const Case& each : {Case{Forwarding::nat, "10.9.0.200", "10.9.0.2"},
                           {Forwarding::fullnat, "10.9.0.200", "10.9.0.200"},
                           {Forwarding::fullnat, "10.9.0.1", "10.9.0.1"}}) {
    CAPTURE(static_cast<int>(each.forwarding));
    CAPTURE(each.pool);
    const Namespaces namespaces;
    const WhoIsThere server;
    Live live;
    live.apply(local_service(each.forwarding, each.pool));
    live.start();
    // Clients of either worker.
    for (int i = 0; i < 8; i++) {
      CHECK(who_am_i(namespaces, vip, 80) == each.seen);
      CHECK(who_am_i(namespaces, "10.9.0.1", local_port) == "10.9.0.2");
    }
  }
}

TEST_CASE("a real server becomes this host when the host gets its address") {
  if (!is_root()) return;
  const Namespaces namespaces;
  const WhoIsThere server;
  Live live;
  auto steps = local_service(director::Forwarding::nat, "10.9.0.200");
  std::get<engine::AddServer>(steps.back()).settings.address = address("10.9.0.3");
  live.apply(steps);
  live.start();
  shell("ip address add 10.9.0.3/32 dev lo");
  CHECK(await([&] { return who_am_i(namespaces, vip, 80) == "10.9.0.2"; }));
}

TEST_CASE(
    "a flow is translated for the host's stack, whose real server has become this host, before its client speaks") {
  if (!is_root()) return;
  const Namespaces namespaces;
  Live live;
  director::ServiceKey key = service(vip);
  key.protocol = wire::protocol::udp;
  director::DestinationSettings server;
  server.address = address("10.9.0.3");
  server.port = local_port;
  server.forwarding = director::Forwarding::nat;
  live.apply({engine::AddService{key, {}}, engine::AddServer{key, server}});
  live.start();
  std::optional<FrameSocket> client;
  namespaces.outside([&] { client.emplace("x0"); });
  client->send(ethernet({.source = outside_mac, .destination = inside_mac})
                   .ipv4({.source = "10.9.0.2", .destination = vip})
                   .udp({.source_port = 1234, .destination_port = 80})
                   .build());
  CHECK(await([&] { return live.connections() == 1; }));

  shell("ip address add 10.9.0.3/32 dev lo");
  const host::Descriptor program(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const sockaddr_in here = ipv4_address("10.9.0.3", local_port), there = ipv4_address("10.9.0.2", 1234);
  REQUIRE(bind(program.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here) == 0);
  const auto is_from_service = [](const Buffer& frame) {
    wire::Packet packet;
    if (wire::dissect(frame, packet) != wire::Malformed::ok || packet.protocol != wire::protocol::udp) return false;
    return wire::Ipv4View(wire::Bytes(frame).subspan(packet.l3)).source() == address(vip).v4();
  };
  CHECK(await([&] {
    constexpr int milliseconds = 100;
    sendto(program.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&there), sizeof there);
    return !client->receive(is_from_service, milliseconds).empty();
  }));
}
