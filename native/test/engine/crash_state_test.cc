// SPDX-License-Identifier: Apache-2.0
// What one process leaves, the next one finds, for any number of descriptors and wherever the first process ended.
#include "engine/crash_state.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <string>
#include <string_view>
#include <thread>

#include "engine/flight_recorder.h"

using namespace sluice;
using engine::CrashItem;
using engine::CrashState;

namespace {

// The ends of the sockets that a parent holds.
struct Parent {
  int sockets[2];
  Parent() {
    host::Failure failure;
    REQUIRE(CrashState::make_sockets(sockets, failure));
  }
  ~Parent() {
    close(sockets[0]);
    close(sockets[1]);
  }
  CrashState child(uint64_t tag = 1) const { return CrashState(dup(sockets[0]), dup(sockets[1]), tag); }
};

host::Descriptor file_of(std::string_view text) {
  host::Descriptor file(memfd_create("test", MFD_CLOEXEC));
  REQUIRE(write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  return file;
}

void give(CrashState& crash_state, CrashItem item, uint16_t worker, std::string_view text) {
  REQUIRE(crash_state.give(item, worker, file_of(text).get()));
}

std::string content(const CrashState& crash_state, CrashItem item, uint16_t worker) {
  const int file = crash_state.taken(item, worker);
  if (file < 0) return "nothing";
  char text[64] = {};
  REQUIRE(pread(file, text, sizeof text - 1, 0) >= 0);
  return text;
}

void take_over(CrashState& crash_state) {
  host::Failure failure;
  INFO(failure.message);
  REQUIRE(crash_state.take_over(failure));
}

// Raises the limit as Node does.
void allow_many_files() {
  rlimit limit{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = limit.rlim_max;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

size_t open_files() {
  size_t count = 0;
  for (int descriptor = 0; descriptor < 16384; descriptor++) count += fcntl(descriptor, F_GETFD) >= 0 ? 1 : 0;
  return count;
}

std::string name_of(CrashItem item, uint16_t worker) {
  return std::to_string(static_cast<int>(item)) + " of " + std::to_string(worker);
}

// Moves the first message of one queue, with its descriptors, to the end of another.
void pass_on_message(int from, int to) {
  char data[4096];
  alignas(cmsghdr) char control[CMSG_SPACE(253 * sizeof(int))];
  iovec place = {data, sizeof data};
  msghdr message{};
  message.msg_iov = &place;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t length = recvmsg(from, &message, MSG_CMSG_CLOEXEC);
  REQUIRE(length > 0);
  place.iov_len = static_cast<size_t>(length);
  REQUIRE(sendmsg(to, &message, 0) == length);
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  REQUIRE(header != nullptr);
  for (size_t at = 0; at + CMSG_LEN(0) < header->cmsg_len; at += sizeof(int)) {
    int descriptor;
    std::memcpy(&descriptor, CMSG_DATA(header) + at, sizeof descriptor);
    close(descriptor);
  }
}

constexpr CrashItem of_worker[] = {CrashItem::flows4, CrashItem::flows6, CrashItem::spliced, CrashItem::destinations,
                                   CrashItem::recorder};

}  // namespace

TEST_CASE("the next process finds what a process was given, until the next process has taken over") {
  const Parent parent;
  CrashState first = parent.child();
  first.take();
  CHECK_FALSE(first.has_taken());
  CHECK_FALSE(first.has_refused());
  give(first, CrashItem::configuration, 0, "first");
  take_over(first);
  {
    CrashState early = parent.child();  // ends before it has taken over
    early.take();
    CHECK(content(early, CrashItem::configuration, 0) == "first");
    give(early, CrashItem::configuration, 0, "second");
  }
  {
    CrashState next = parent.child();
    next.take();
    CHECK(content(next, CrashItem::configuration, 0) == "first");
    give(next, CrashItem::configuration, 0, "third");
    take_over(next);
    CHECK_FALSE(next.has_taken());
  }
  CrashState last = parent.child();
  last.take();
  CHECK(content(last, CrashItem::configuration, 0) == "third");
  last.withdraw();
  CrashState none = parent.child();
  none.take();
  CHECK_FALSE(none.has_taken());
  CHECK_FALSE(none.has_refused());
}

TEST_CASE("the files of 256 workers are passed from process to process") {
  allow_many_files();
  constexpr uint16_t workers = 256;
  const Parent parent;
  for (int process = 0; process < 3; process++) {
    CrashState crash_state = parent.child();
    crash_state.take();
    CHECK(crash_state.has_taken() == (process > 0));
    for (uint16_t worker = 0; worker < workers && process > 0; worker++) {
      for (const CrashItem item : of_worker) CHECK(content(crash_state, item, worker) == name_of(item, worker));
    }
    for (uint16_t worker = 0; worker < workers; worker++) {
      for (const CrashItem item : of_worker) give(crash_state, item, worker, name_of(item, worker));
    }
    take_over(crash_state);
    give(crash_state, CrashItem::configuration, 0, "changed later");
  }
  CrashState last = parent.child();
  last.take();
  CHECK(content(last, CrashItem::recorder, workers - 1) == name_of(CrashItem::recorder, workers - 1));
  CHECK(content(last, CrashItem::configuration, 0) == "changed later");
}

TEST_CASE("an item that is given 10,000 times is kept once") {
  const Parent parent;
  CrashState first = parent.child();
  first.take();
  give(first, CrashItem::flows4, 0, "flows");
  take_over(first);
  const size_t before = open_files();
  for (int i = 0; i < 10'000; i++) {
    const host::Descriptor one = file_of("link " + std::to_string(i)), other = file_of("other");
    const int links[] = {one.get(), other.get()};
    REQUIRE(first.give_all(CrashItem::link, 0, links));
  }
  CHECK(open_files() == before + 2);
  CrashState next = parent.child();
  next.take();
  CHECK(content(next, CrashItem::link, 0) == "link 9999");
  CHECK(content(next, CrashItem::flows4, 0) == "flows");
}

TEST_CASE("two threads give at the same time, and the next process finds what both gave last") {
  const Parent parent;
  CrashState first = parent.child();
  first.take();
  take_over(first);
  constexpr int times = 2000;
  const auto give_often = [&](CrashItem item) {
    for (int i = 1; i <= times; i++) first.give(item, 0, file_of(std::to_string(i)).get());
  };
  std::thread links([&] { give_often(CrashItem::link); });
  give_often(CrashItem::configuration);
  links.join();
  CrashState next = parent.child();
  next.take();
  CHECK(content(next, CrashItem::link, 0) == std::to_string(times));
  CHECK(content(next, CrashItem::configuration, 0) == std::to_string(times));
}

TEST_CASE("an incomplete table is skipped, and the one before it is used") {
  const Parent parent;
  allow_many_files();
  CrashState first = parent.child();
  first.take();
  for (uint16_t worker = 0; worker < 300; worker++) give(first, CrashItem::flows4, worker, "old");
  take_over(first);
  // After the two messages of the table in force: the first of two messages of a later edition. A process that ends
  // while it writes leaves this.
  const Parent other;
  CrashState writer = other.child();
  writer.take();
  for (uint16_t worker = 0; worker < 300; worker++) give(writer, CrashItem::flows4, worker, "never whole");
  take_over(writer);
  give(writer, CrashItem::flows4, 0, "never whole");
  pass_on_message(other.sockets[1], parent.sockets[0]);
  CrashState next = parent.child();
  next.take();
  CHECK(content(next, CrashItem::flows4, 299) == "old");
  give(next, CrashItem::flows4, 0, "new");
  take_over(next);
  CrashState last = parent.child();
  last.take();
  CHECK(content(last, CrashItem::flows4, 0) == "new");
  CHECK(content(last, CrashItem::flows4, 299) == "nothing");
}

TEST_CASE("an item that cannot be kept is reported, and the old table stays") {
  const Parent parent;
  CrashState first = parent.child();
  first.take();
  give(first, CrashItem::configuration, 0, "kept");
  take_over(first);
  // Another writer fills the queue.
  const std::string filling(1024, 'x');
  while (send(parent.sockets[0], filling.data(), filling.size(), MSG_DONTWAIT) > 0) continue;
  CHECK_FALSE(first.give(CrashItem::link, 0, file_of("link").get()));
  CHECK(errno == EAGAIN);
  CHECK_FALSE(first.give(CrashItem::link, 0, -1));
  CrashState next = parent.child();
  next.take();
  CHECK(content(next, CrashItem::configuration, 0) == "kept");
  CHECK(content(next, CrashItem::link, 0) == "nothing");
}

TEST_CASE("a process of another build refuses what was left, and its own descriptors are kept") {
  const Parent parent;
  CrashState old = parent.child(1);
  old.take();
  give(old, CrashItem::flows4, 0, "of the old build");
  take_over(old);
  {
    CrashState upgraded = parent.child(2);
    upgraded.take();
    CHECK(upgraded.has_refused());
    CHECK_FALSE(upgraded.has_taken());
    CHECK(upgraded.taken(CrashItem::flows4, 0) == -1);
    give(upgraded, CrashItem::flows4, 0, "of the new build");
    take_over(upgraded);
  }
  CrashState next = parent.child(2);
  next.take();
  CHECK_FALSE(next.has_refused());
  CHECK(content(next, CrashItem::flows4, 0) == "of the new build");
}

TEST_CASE("a message of another shape is refused") {
  const Parent parent;
  REQUIRE(send(parent.sockets[0], "\1\0\0\0", 4, 0) == 4);
  CrashState crash_state = parent.child();
  crash_state.take();
  CHECK(crash_state.has_refused());
  CHECK_FALSE(crash_state.has_taken());
}

// Another number means that connections do not survive an upgrade from the build before: say so in CHANGELOG.md.
TEST_CASE("the layout tag changes only with the structures") {
  CHECK(engine::layout_tag() == 10528947810372569905);
}
