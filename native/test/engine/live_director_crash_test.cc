// SPDX-License-Identifier: Apache-2.0
// Live directors one after the other: what a process that ends leaves to the next one.
#include "engine/live_director.h"
#include "live_fixture.h"

using namespace sluice;
using namespace sluice::test;
using engine::LiveDirector;
using engine::PlanStep;

namespace {

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

}  // namespace

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
