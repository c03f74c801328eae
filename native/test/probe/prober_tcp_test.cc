// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <thread>

#include "host/seccomp.h"
#include "prober_fixture.h"

using namespace sluice;
using namespace sluice::test;
using probe::EventKind;
using probe::Protocol;
using Kinds = std::vector<EventKind>;

namespace {

probe::Request connect_to(const Server& server, const std::string& address = "127.0.0.1") {
  probe::Request wanted = request(Protocol::tcp, address, server.port());
  wanted.connect_only = true;
  return wanted;
}

probe::Request ask(const Server& server, std::string_view text) {
  probe::Request wanted = request(Protocol::tcp, "127.0.0.1", server.port());
  wanted.sends = true;
  wanted.bytes = bytes_of(text);
  return wanted;
}

// Sockets of the namespace in a state of TCP (include/net/tcp_states.h) whose remote port is this one.
int sockets_in_state(unsigned wanted, uint16_t port) {
  std::ifstream table("/proc/net/tcp");
  std::string line;
  int count = 0;
  while (std::getline(table, line)) {
    unsigned remote = 0, state = 0;
    if (std::sscanf(line.c_str(), "%*d: %*x:%*x %*x:%x %x", &remote, &state) == 2 && remote == port &&
        state == wanted) {
      count++;
    }
  }
  return count;
}
constexpr unsigned time_wait = 6;

}  // namespace

TEST_CASE("a connection that stands is reported once, over IPv4 and IPv6") {
  for (const char* address : {"127.0.0.1", "::1"}) {
    CAPTURE(address);
    const Server server(SOCK_STREAM, address);
    Probing probing;
    const probe::Id id = probing.prober.start(connect_to(server, address));
    CHECK(probing.prober.running() == 1);
    probing.until_idle();
    CHECK(probing.stories[id].kinds == Kinds{EventKind::connected});
  }
}

TEST_CASE("a check that only connects leaves nothing to accept and no socket in TIME_WAIT") {
  const Server server;
  Probing probing;
  for (int i = 0; i < 50; i++) probing.prober.start(connect_to(server));
  probing.until_idle();
  pollfd waiting = {server.fd(), POLLIN, 0};
  CHECK(poll(&waiting, 1, 50) == 0);
  CHECK(sockets_in_state(time_wait, server.port()) == 0);
}

TEST_CASE("a refused connection fails with ECONNREFUSED") {
  const Server server(SOCK_STREAM, "127.0.0.1", -1);  // bound, but it does not listen
  Probing probing;
  const probe::Id id = probing.prober.start(connect_to(server));
  probing.until_idle();
  CHECK(probing.stories[id].kinds == Kinds{EventKind::failed});
  CHECK(probing.stories[id].error == ECONNREFUSED);
}

TEST_CASE("a target that says nothing times out, and not before its time") {
  const Server server;
  Probing probing;
  probe::Request wanted = ask(server, "hello?");
  wanted.timeout = 80 * millisecond;
  timespec from = {}, to = {};
  clock_gettime(CLOCK_MONOTONIC, &from);
  const probe::Id id = probing.prober.start(wanted);
  probing.until_idle();
  clock_gettime(CLOCK_MONOTONIC, &to);
  CHECK(probing.stories[id].kinds == Kinds{EventKind::timeout});
  CHECK((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000 >= 80);
}

TEST_CASE("timeouts come in the order of their deadlines, whatever the order of the starts") {
  const Server server;
  Probing probing;
  std::vector<std::pair<int, probe::Id>> started;
  for (const int milliseconds : {90, 30, 150, 60, 120}) {
    probe::Request wanted = ask(server, "x");
    wanted.timeout = static_cast<Time>(milliseconds) * millisecond;
    started.emplace_back(milliseconds, probing.prober.start(wanted));
  }
  std::sort(started.begin(), started.end());
  std::vector<probe::Id> ended;
  probing.until([&] {
    for (const auto& event : probing.batch.events) ended.push_back(event.id);
    probing.batch.events.clear();
    return probing.prober.running() == 0;
  });
  REQUIRE(ended.size() == started.size());
  for (size_t i = 0; i < ended.size(); i++) CHECK(ended[i] == started[i].second);
}

TEST_CASE("a request is sent and its answer is read, and more can be sent on the same connection") {
  const Server server;
  Probing probing;
  std::thread peer([&] {
    const auto client = server.accept();
    if (read_some(client.get()) == "first") write_all(client.get(), "one");
    if (read_some(client.get()) == "second") write_all(client.get(), "two");
    read_all(client.get());
  });
  const std::string first = "first", second_text = "second";
  const probe::Id id = probing.prober.start(ask(server, first));
  probing.until([&] { return probing.stories[id].bytes == "one"; });
  probing.prober.send(id, bytes_of(second_text));
  probing.until([&] { return probing.stories[id].bytes == "onetwo"; });
  probing.prober.end(id);
  CHECK(probing.prober.running() == 0);
  peer.join();
  CHECK(sockets_in_state(time_wait, server.port()) == 0);
}

TEST_CASE("a target that speaks first is not made to wait for the handshake's last segment") {
  const Server server;
  Probing probing;
  std::thread peer([&] {
    const auto client = server.accept();
    write_all(client.get(), "220 welcome\r\n");
    read_all(client.get());
  });
  const probe::Id id = probing.prober.start(request(Protocol::tcp, "127.0.0.1", server.port()));
  probing.until([&] { return probing.stories[id].bytes == "220 welcome\r\n"; });
  probing.prober.end(id);
  peer.join();
}

TEST_CASE("a target that closes at once is reported as closed, and the exchange goes on until it is ended") {
  const Server server;
  Probing probing;
  const std::string text = "x";
  const probe::Id id = probing.prober.start(ask(server, text));
  probing.accept(server);  // and closes, with or without an unread byte
  probing.until([&] { return !probing.stories[id].kinds.empty(); });
  const EventKind kind = probing.stories[id].kinds.front();
  // A close with unread bytes is a reset (RFC 1122, 4.2.2.13).
  CHECK((kind == EventKind::closed || kind == EventKind::failed));
  CHECK(probing.prober.running() == (kind == EventKind::closed ? 1 : 0));
}

TEST_CASE("after a half close the other direction still works, and no end of ours is left in TIME_WAIT") {
  const Server server;
  Probing probing;
  std::string heard;
  std::thread peer([&] {
    const auto client = server.accept();
    read_some(client.get());
    write_all(client.get(), "bye");
    shutdown(client.get(), SHUT_WR);
    heard = read_all(client.get());
  });
  const std::string question = "q", more = "still there?";
  const probe::Id id = probing.prober.start(ask(server, question));
  probing.until(id, EventKind::closed);
  CHECK(probing.stories[id].bytes == "bye");
  CHECK(probing.stories[id].kinds == Kinds{EventKind::data, EventKind::closed});
  probing.prober.send(id, bytes_of(more));
  probing.prober.end(id);
  peer.join();
  CHECK(heard == more);
  CHECK(sockets_in_state(time_wait, server.port()) == 0);
}

TEST_CASE("bytes before a reset are reported before the failure") {
  const Server server;
  Probing probing;
  const std::string question = "q";
  const probe::Id id = probing.prober.start(ask(server, question));
  {
    const auto client = probing.accept(server);
    read_some(client.get());
    write_all(client.get(), "partial");
    const linger at_once = {1, 0};
    setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  probing.until_idle();
  CHECK(probing.stories[id].kinds == Kinds{EventKind::data, EventKind::failed});
  CHECK(probing.stories[id].bytes == "partial");
  CHECK(probing.stories[id].error == ECONNRESET);
}

TEST_CASE("a megabyte arrives whole, in both directions") {
  const Server server;
  Probing probing;
  std::string answer, question(3 << 20, 'q'), heard;
  for (int i = 0; i < 1 << 20; i++) answer += static_cast<char>('a' + i % 23);
  std::thread peer([&] {
    const auto client = server.accept();
    while (heard.size() < question.size()) {
      const std::string some = read_some(client.get());
      if (some.empty()) break;
      heard += some;
    }
    write_all(client.get(), answer);
  });
  const probe::Id id = probing.prober.start(ask(server, question));
  probing.until(id, EventKind::closed);
  peer.join();
  CHECK(heard == question);
  CHECK(probing.stories[id].bytes == answer);
}

TEST_CASE("many targets that send much at once are all read to the end") {
  constexpr size_t many = 40, each = 1 << 18;
  const Server server;
  Probing probing;
  std::thread peer([&] {
    std::vector<std::thread> writers;
    for (size_t i = 0; i < many; i++) {
      writers.emplace_back([client = server.accept()] {
        read_some(client.get());
        write_all(client.get(), std::string(each, 'z'));
      });
    }
    for (auto& writer : writers) writer.join();
  });
  const std::string question = "q";
  std::vector<probe::Id> ids;
  for (size_t i = 0; i < many; i++) ids.push_back(probing.prober.start(ask(server, question)));
  for (const auto id : ids) probing.until(id, EventKind::closed);
  peer.join();
  for (const auto id : ids) CHECK(probing.stories[id].bytes.size() == each);
}

TEST_CASE("an answer may come byte by byte") {
  const Server server;
  Probing probing;
  const std::string answer = "HTTP/1.1 200 OK\r\n\r\n", question = "q";
  const probe::Id id = probing.prober.start(ask(server, question));
  const auto client = probing.accept(server);
  for (size_t i = 0; i < answer.size(); i++) {
    write_all(client.get(), answer.substr(i, 1));
    probing.until([&] { return probing.stories[id].bytes.size() == i + 1; });
  }
  CHECK(probing.stories[id].bytes == answer);
}

TEST_CASE("thousands of connections at once each have one end") {
  constexpr int many = 4000;
  rlimit limit = {};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, many + 100);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  const Server server;
  Probing probing;
  std::set<probe::Id> ids;
  for (int i = 0; i < many; i++) ids.insert(probing.prober.start(connect_to(server)));
  CHECK(ids.size() == many);
  probing.until_idle();
  CHECK(probing.stories.size() == many);
  int connected = 0;
  for (const auto& [id, story] : probing.stories) {
    CHECK(ids.contains(id));
    if (story.kinds == Kinds{EventKind::connected}) connected++;
  }
  CHECK(connected == many);
  CHECK(sockets_in_state(time_wait, server.port()) == 0);
}

TEST_CASE("without descriptors an exchange fails with EMFILE, and the next one works when there are some again") {
  const Server server;
  Probing probing;
  rlimit before = {};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  const int next = dup(server.fd());
  const rlimit none = {static_cast<rlim_t>(next), before.rlim_max};
  close(next);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  const probe::Id failing = probing.prober.start(connect_to(server));
  const probe::Id ended = probing.prober.start(connect_to(server));
  probing.prober.end(ended);
  probing.until_idle();
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(probing.stories[failing].kinds == Kinds{EventKind::failed});
  CHECK(probing.stories[failing].error == EMFILE);
  CHECK(probing.stories[ended].kinds.empty());
  const probe::Id working = probing.prober.start(connect_to(server));
  probing.until_idle();
  CHECK(probing.stories[working].kinds == Kinds{EventKind::connected});
}

TEST_CASE("thousands of exchanges that cannot begin are all reported") {
  Probing probing;
  constexpr size_t many = 5000;
  // TCP has no broadcasts.
  for (size_t i = 0; i < many; i++) probing.prober.start(request(Protocol::tcp, "255.255.255.255", 80));
  probing.until_idle();
  CHECK(probing.stories.size() == many);
  for (const auto& [id, story] : probing.stories) CHECK(story.kinds == Kinds{EventKind::failed});
}

TEST_CASE("an exchange that was ended reports nothing, its id names nothing, and its slot is used again") {
  const Server server;
  Probing probing;
  const std::string text = "q";
  const probe::Id ended = probing.prober.start(ask(server, text));
  probing.prober.end(ended);
  const probe::Id other = probing.prober.start(connect_to(server));
  CHECK(other != ended);
  probing.prober.end(ended);  // nothing to end
  probing.prober.send(ended, bytes_of(text));
  for (const probe::Id id : {probe::Id{0}, probe::Id{1}, ~probe::Id{0}, probe::Id{1} << 52}) {
    probing.prober.end(id);
    probing.prober.send(id, bytes_of(text));
  }
  probing.until_idle();
  CHECK(probing.stories[ended].kinds.empty());
  CHECK(probing.stories[other].kinds == Kinds{EventKind::connected});
}

TEST_CASE("all exchanges end with the prober, in every stage") {
  const Server server;
  const std::string text = "q";
  {
    Probing probing;
    probing.prober.start(ask(server, text));
    const probe::Id open = probing.prober.start(ask(server, text));
    const auto first = probing.accept(server), other = probing.accept(server);
    write_all(first.get(), "answer");
    write_all(other.get(), "answer");
    probing.until(open, EventKind::data);
    probing.prober.start(connect_to(server));
    probing.prober.start(request(Protocol::tcp, "255.255.255.255", 80));
    CHECK(probing.prober.running() == 4);
  }
  CHECK(sockets_in_state(time_wait, server.port()) == 0);
}

TEST_CASE("the source address, the device and the mark are those asked for, and a wrong one fails the exchange") {
  const Server server;
  Probing probing;
  probe::Request wanted = ask(server, "q");
  wanted.from = *probe::SocketAddress::parse("127.0.0.9", 0);
  wanted.device = "lo";
  probing.prober.start(wanted);
  sockaddr_in client = {};
  socklen_t size = sizeof client;
  const host::Descriptor accepted(accept4(server.fd(), reinterpret_cast<sockaddr*>(&client), &size, SOCK_CLOEXEC));
  CHECK(ntohl(client.sin_addr.s_addr) == 0x7f000009);

  wanted.device = "nosuchdev0";
  const probe::Id no_device = probing.prober.start(wanted);
  wanted.device = std::string(16, 'l');
  const probe::Id long_device = probing.prober.start(wanted);
  wanted.device = "";
  wanted.from = *probe::SocketAddress::parse("192.0.2.77", 0);
  const probe::Id no_source = probing.prober.start(wanted);
  probing.until([&] { return probing.stories.size() == 3; });
  CHECK(probing.stories[no_device].error == ENODEV);
  CHECK(probing.stories[long_device].error == ENODEV);
  CHECK(probing.stories[no_source].error == EADDRNOTAVAIL);
}

TEST_CASE("a prober works in a confined process") {
  const Server server;
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    host::Failure failure;
    if (!host::confine({}, failure)) _exit(2);
    auto prober = probe::Prober::open(failure);
    if (!prober) _exit(3);
    probe::Request wanted = connect_to(server);
    wanted.timeout = 5 * second;
    prober->start(wanted);
    probe::Batch batch;
    pollfd ready = {prober->fd(), POLLIN, 0};
    while (prober->running() > 0 && poll(&ready, 1, 5000) == 1) prober->collect(batch);
    _exit(batch.events.size() == 1 && batch.events[0].kind == EventKind::connected ? 0 : 4);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
