// SPDX-License-Identifier: Apache-2.0
// The live director in a namespace, with two workers, and packets from the host outside.
#include "engine/live_director.h"

#include <arpa/inet.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <sys/resource.h>

#include <memory>
#include <set>
#include <thread>

#include "engine/connections.h"
#include "host/namespace.h"
#include "port/virtio_header.h"
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
constexpr const char* make_d0 =
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
    const bool is_explained = live->explain({{.port = port, .bytes = frame}}, explanation, failure);
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

bool await(const std::function<bool()>& condition) {
  constexpr int attempts = 2000, pause = 5;  // milliseconds: ten seconds in all
  for (int i = 0; i < attempts && !condition(); i++) poll(nullptr, 0, pause);
  return condition();
}

// The sockets that a parent holds.
class Parent {
 public:
  Parent() {
    host::Failure failure;
    REQUIRE(engine::CrashState::make_sockets(sockets_, failure));
  }
  ~Parent() {
    close(sockets_[0]);
    close(sockets_[1]);
  }
  engine::CrashState child(uint64_t tag = 1) const {
    return engine::CrashState(dup(sockets_[0]), dup(sockets_[1]), tag);
  }

 private:
  int sockets_[2];
};

size_t open_files() {
  size_t count = 0;
  for (int descriptor = 0; descriptor < 4096; descriptor++) count += fcntl(descriptor, F_GETFD) >= 0 ? 1 : 0;
  return count;
}

void send_syns(const Namespaces& namespaces, uint16_t count) {
  namespaces.outside([&] {
    FrameSocket socket("x0");
    for (uint16_t port = 0; port < count; port++) socket.send(syn(static_cast<uint16_t>(10000 + port)));
  });
}

}  // namespace

TEST_CASE("a worker that cannot be pinned forwards, and a notice says so") {
  if (!is_root()) return;
  const Namespaces namespaces;
  constexpr int missing = CPU_SETSIZE - 1;
  Live live(nullptr, {"b0"}, true, {-1, missing});
  live.apply(one_service());
  live.start();
  CHECK(live.live->notices() ==
        std::vector<std::string>{"worker 1 is not pinned: this process may not use CPU " + std::to_string(missing)});
  send_syns(namespaces, 20);
  CHECK(await([&] { return live.connections() == 20; }));
}

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

TEST_CASE("replies of a server that is in the mode nat no more are the director's while flows of that mode last") {
  if (!is_root()) return;
  const Namespaces namespaces;
  Live live;
  live.apply(one_service());
  live.start();
  engine::EditServer edit{service(vip), nat_server(vip).settings};
  edit.settings.forwarding = director::Forwarding::dr;
  live.apply({edit});
  CHECK(live.owner(reply()) == host::bpf::STEAL_NOTHING);
  edit.settings.forwarding = director::Forwarding::nat;
  live.apply({edit});
  send_syns(namespaces, 1);
  REQUIRE(await([&] { return live.connections() == 1; }));
  edit.settings.forwarding = director::Forwarding::dr;
  live.apply({edit});
  CHECK(live.owner(reply()) == host::bpf::STEAL_TAKEN);
  // Another server in that mode, another change: it stays so.
  live.apply(one_service(other_vip));
  live.apply({engine::RemoveService{service(other_vip)}});
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

TEST_CASE("ports that a pool has given up are the host's again") {
  if (!is_root()) return;
  const Namespaces namespaces;
  Live live;
  live.start();
  const auto pool = [](uint16_t first, uint16_t last) {
    return engine::SetPool{1, {{address("10.9.0.1")}, first, last}};
  };
  const auto to_port = [&](uint16_t port) {
    return live.owner(ethernet({.source = outside_mac, .destination = inside_mac})
                          .ipv4({.source = server_address, .destination = "10.9.0.1"})
                          .udp({.source_port = 53, .destination_port = port})
                          .build());
  };
  live.apply({pool(10000, 19999)});
  CHECK(to_port(15000) == host::bpf::STEAL_TAKEN);
  live.apply({pool(40000, 49999)});
  CHECK(to_port(45000) == host::bpf::STEAL_TAKEN);
  CHECK(to_port(30000) == host::bpf::STEAL_NOTHING);
  CHECK(to_port(15000) == host::bpf::STEAL_NOTHING);
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

TEST_CASE("packets meet the worker that has their flow after the ring of a worker was stuck") {
  if (!is_root()) return;
  const Namespaces namespaces;
  const Tap tap;
  Live live(nullptr, {"b0", "tap0"});
  live.apply(one_service());
  director::ServiceKey datagrams = service(vip);
  datagrams.protocol = wire::protocol::udp;
  live.apply({engine::AddService{datagrams, {}}});
  live.start();
  // Of worker 0: if the kernel put its ring behind the other one, the two would change places.
  uint16_t client_port = 10000;
  while (live.explain(Tap::addressed(syn(client_port)), 1).worker != 0) client_port++;
  tap.write(Tap::addressed(syn(client_port)));
  REQUIRE(await([&] { return live.connections(0).size() == 1; }));
  // The kernel cannot describe a datagram that is still to be cut to the ring.
  const Buffer payload(4000);
  uint16_t port = 1;
  const auto datagram = [&] {
    return Tap::addressed(ethernet({.source = outside_mac, .destination = inside_mac})
                              .ipv4({.source = server_address, .destination = vip})
                              .udp({.source_port = port, .destination_port = 80})
                              .payload(payload)
                              .build());
  };
  while (live.explain(datagram(), 1).worker != 0) port++;
  tap.write(datagram(), {.flags = 1,
                         .segmentation = 3,
                         .header_length = 42,
                         .segment_size = 1480,
                         .checksum_start = 34,
                         .checksum_offset = 6});
  const uint64_t before = live.count(0, engine::Counter::frames_received);
  const bool is_mended = await([&] {
    tap.write(Tap::addressed(syn(client_port)));
    return live.count(0, engine::Counter::frames_received) >= before + 10;
  });
  CHECK(is_mended);
  CHECK(live.connections(0).size() == 1);
  CHECK(live.connections(1).empty());
}

TEST_CASE("a worker refuses a step while a port is opened again, and neither waits for the other for ever") {
  if (!is_root()) return;
  const Namespaces namespaces;
  shell(make_d0);
  Live live(nullptr, {"b0", "d0"});
  live.apply(one_service());
  live.start();
  std::atomic<bool> is_over = false;
  std::thread interfaces([&] {
    for (int i = 0; i < 20; i++) shell(std::string("ip link del d0 && ") + make_d0);
    is_over = true;
  });
  while (!is_over) {
    {
      engine::DirectorWorker::Visit visit(live.live->worker(0));
      visit.change_services().services().add_service(service(other_vip), {});
    }
    live.apply({engine::AddService{service(other_vip), {}}});
    live.apply({engine::RemoveService{service(other_vip)}});
  }
  interfaces.join();
  const auto notices = live.live->notices();
  CHECK(std::ranges::count_if(notices, [](const std::string& notice) {
          return notice.find("refused a step that was tried before (service-exists)") != std::string::npos;
        }) == 1);
}

TEST_CASE("a port that cannot be opened is tried again until it can") {
  if (!is_root()) return;
  const Namespaces namespaces;
  shell(make_d0);
  Live live(nullptr, {"b0", "d0"});
  live.apply(one_service());
  live.start();
  const auto is_up = [&] { return live.live->ports()[1].is_up; };
  shell("ip link del d0");
  REQUIRE(await([&] { return !is_up(); }));
  REQUIRE(live.live->notices().empty());
  {
    const FewMoreFiles no_more_files(0);
    shell(make_d0);
    CHECK(await([&] { return live.live->notices().size() == 1; }));
  }
  // Nothing changes on the host any more.
  CHECK(await([&] { return live.live->notices().empty() && is_up(); }));
}

TEST_CASE("after a process ends unexpectedly, the next one has its flows and its links") {
  if (!is_root()) return;
  const Namespaces namespaces;
  const Parent parent;
  constexpr uint16_t flows = 20;
  {
    engine::CrashState crash_state = parent.child();
    crash_state.take();
    Live live(&crash_state);
    live.apply(one_service());
    live.start();
    send_syns(namespaces, flows);
    REQUIRE(await([&] { return live.connections() == flows; }));
    // Without close(): the process crashes.
  }
  engine::CrashState crash_state = parent.child();
  crash_state.take();
  Live live(&crash_state);
  live.apply(one_service());
  const director::Restored restored = live.live->restore();
  CHECK(restored.flows == flows);
  live.start();
  CHECK(live.connections() == flows);

  // A process of another build starts clean and reports it.
  live.live.reset();
  engine::CrashState upgraded = parent.child(2);
  upgraded.take();
  Live clean(&upgraded);
  clean.apply(one_service());
  CHECK(clean.live->restore().flows == 0);
  CHECK(
      clean.live->notices() ==
      std::vector<std::string>{"the crash state was written by another build of Sluice: its flows are not carried on"});
  clean.live->close();
}

TEST_CASE("a process whose start fails after a crash leaves flows and links to its next attempt") {
  if (!is_root()) return;
  const Namespaces namespaces;
  const Parent parent;
  constexpr uint16_t flows = 20;
  {
    engine::CrashState crash_state = parent.child();
    crash_state.take();
    Live live(&crash_state);
    live.apply(one_service());
    live.start();
    send_syns(namespaces, flows);
    REQUIRE(await([&] { return live.connections() == flows; }));
  }
  engine::CrashState crash_state = parent.child();
  crash_state.take();
  {
    Live live(&crash_state);
    auto steps = one_service();
    steps.push_back(too_much_egress());
    live.apply(steps);
    CHECK(live.live->restore().flows == flows);
    live.live->start();
    host::Failure failure;
    CHECK_FALSE(live.live->steal(failure));
    live.live->discard();
    CHECK(crash_state.has_taken());
  }
  // Of the same process, or of the one after it.
  for (int attempt = 0; attempt < 2; attempt++) {
    engine::CrashState later = parent.child();
    later.take();
    engine::CrashState& used = attempt == 0 ? crash_state : later;
    Live live(&used);
    live.apply(one_service());
    CHECK(live.live->restore().flows == flows);
    live.live->discard();
  }
}

TEST_CASE("a process that carries on after a crash starts while an interface is missing, and opens it when it comes") {
  if (!is_root()) return;
  const Namespaces namespaces;
  const Parent parent;
  shell(make_d0);
  {
    engine::CrashState crash_state = parent.child();
    crash_state.take();
    Live live(&crash_state, {"b0", "d0"});
    live.apply(one_service());
    live.start();
  }
  shell("ip link del d0");
  engine::CrashState crash_state = parent.child();
  crash_state.take();
  Live live(&crash_state, {"b0", "d0"});
  live.apply(one_service());
  live.start();
  CHECK(live.owner(syn(1)) == host::bpf::STEAL_TAKEN);
  CHECK_FALSE(live.live->ports()[1].is_up);
  shell(make_d0);
  CHECK(await([&] { return live.live->ports()[1].is_up; }));
  FrameSocket socket("d1");
  CHECK(await([&] {
    socket.send(Tap::addressed(syn(1)));
    return live.live->ports()[1].statistics.received > 0;
  }));
  CHECK(live.live->notices().empty());
}

TEST_CASE("an attempt to open that fails leaves nothing open, and says which interface is missing") {
  if (!is_root()) return;
  const Namespaces namespaces;
  CHECK(Live(nullptr, {"b0", "d0"}, false).refused_to_open.message == "there is no interface d0");
  shell(make_d0);
  // Until there are enough descriptors for rings of both ports.
  constexpr size_t step = 8, most = 400;
  {
    const FewMoreFiles no_more_files(0);
    CHECK(Live(nullptr, {"b0"}, false).refused_to_open.message ==
          "cannot make an eventfd (raise the limit of open files, `ulimit -n`)");
  }
  bool is_open = false;
  for (size_t allowed = step; !is_open && allowed < most; allowed += step) {
    CAPTURE(allowed);
    const size_t before = open_files();
    const FewMoreFiles few_more_files(allowed);
    Live live(nullptr, {"b0", "d0"}, std::nullopt);
    is_open = live.refused_to_open.message.empty();
    live.live->discard();
    const size_t of_director = 1;  // its alarm
    CHECK(open_files() == before + of_director);
  }
  CHECK(is_open);
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
