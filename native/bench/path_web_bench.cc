// SPDX-License-Identifier: Apache-2.0
// Short HTTP requests for `npm run bench -- path`, a TCP connection each:
//
//   path_web_bench serve port=N                                            until SIGTERM; closes after each answer
//   path_web_bench ask address=A port=N seconds=N connections=N [pause=MS] so many at a time, one after the other, with
//                                                                         a rest before each
//
// Both ends are one thread with epoll, so that only the path between them is measured. The time of a request is from
// connect() to the end of the answer.
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include "bench/words.h"

namespace {

using namespace sluice;
using Clock = std::chrono::steady_clock;

constexpr std::string_view request = "GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
constexpr std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
constexpr int events_a_look = 256, backlog = 4096;

bench::Words words({{"address", "0.0.0.0"}, {"port", "80"}, {"seconds", "1"}, {"connections", "64"}, {"pause", "0"}});

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

sockaddr_in address() {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(static_cast<uint16_t>(words.number("port")));
  inet_pton(AF_INET, words.text("address").c_str(), &result.sin_addr);
  return result;
}

void watch(int poller, int fd, uint32_t events, uint64_t data) {
  epoll_event event{.events = events, .data = {.u64 = data}};
  if (::epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

void accept_all(int listener, int poller) {
  for (int fd; (fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;)
    watch(poller, fd, EPOLLIN, static_cast<uint64_t>(fd));
}

void serve() {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in own = address();
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0 || ::listen(listener, backlog) != 0)
    fail("listen");
  const int poller = ::epoll_create1(EPOLL_CLOEXEC);
  watch(poller, listener, EPOLLIN, static_cast<uint64_t>(listener));
  std::puts("ready");
  std::fflush(stdout);
  for (std::array<epoll_event, events_a_look> events;;) {
    const int count = ::epoll_wait(poller, events.data(), events_a_look, -1);
    for (int i = 0; i < count; ++i) {
      const int fd = static_cast<int>(events[i].data.u64);
      if (fd == listener) {
        accept_all(listener, poller);
        continue;
      }
      char bytes[512];  // a request is one segment
      if (::recv(fd, bytes, sizeof bytes, 0) > 0) {
        static_cast<void>(::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL));
      }
      ::close(fd);
    }
  }
}

class Client {
 public:
  explicit Client(int poller, const sockaddr_in& to) : poller_(poller), to_(to), open_(words.number("connections")) {
    for (size_t i = 0; i < open_.size(); ++i) begin(i);
  }

  void handle(const epoll_event& event) {
    const size_t number = event.data.u64;
    Connection& connection = open_[number];
    if (!connection.is_asked && (event.events & EPOLLOUT) != 0) {
      connection.is_asked = ::send(connection.fd, request.data(), request.size(), MSG_NOSIGNAL) > 0;
      epoll_event next{.events = EPOLLIN, .data = {.u64 = number}};
      ::epoll_ctl(poller_, EPOLL_CTL_MOD, connection.fd, &next);
      if (connection.is_asked) return;
    }
    char bytes[512];
    const ssize_t length = ::recv(connection.fd, bytes, sizeof bytes, 0);
    if (length > 0) {
      connection.received += static_cast<size_t>(length);
      return;
    }
    if (length < 0 && errno == EAGAIN) return;
    if (connection.received == answer.size())
      times_.push_back(std::chrono::duration<double, std::milli>(Clock::now() - connection.began).count());
    else
      ++failed_;
    ::close(connection.fd);
    if (pause_.count() != 0) std::this_thread::sleep_for(pause_);
    begin(number);
  }

  void print(double elapsed) {
    std::ranges::sort(times_);
    const auto quantile = [&](double q) {
      return times_.empty() ? 0 : times_[static_cast<size_t>(static_cast<double>(times_.size() - 1) * q)];
    };
    bench::print_figure("connections", static_cast<double>(times_.size()) / elapsed, "a second");
    bench::print_figure("p50", quantile(0.5), "ms");
    bench::print_figure("p99", quantile(0.99), "ms");
    bench::print_figure("failed", static_cast<double>(failed_), "connections");
  }

 private:
  struct Connection {
    int fd = -1;
    bool is_asked = false;
    size_t received = 0;
    Clock::time_point began;
  };

  void begin(size_t number) {
    Connection& connection = open_[number];
    connection = {.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), .began = Clock::now()};
    if (::connect(connection.fd, reinterpret_cast<const sockaddr*>(&to_), sizeof to_) != 0 && errno != EINPROGRESS)
      fail("connect");
    watch(poller_, connection.fd, EPOLLOUT, number);
  }

  const int poller_;
  const sockaddr_in to_;
  const std::chrono::milliseconds pause_{words.number("pause")};
  std::vector<Connection> open_;
  std::vector<double> times_;
  uint64_t failed_ = 0;
};

void ask() {
  const int poller = ::epoll_create1(EPOLL_CLOEXEC);
  const auto began = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - began).count(); };
  Client client(poller, address());
  const double seconds = words.seconds("seconds");
  for (std::array<epoll_event, events_a_look> events; elapsed() < seconds;) {
    const int count = ::epoll_wait(poller, events.data(), events_a_look, 100);
    for (int i = 0; i < count; ++i) client.handle(events[i]);
  }
  client.print(elapsed());
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  if ((command != "serve" && command != "ask") || !words.read(argc, argv, 2)) {
    std::fprintf(stderr, "see the beginning of native/bench/path_web_bench.cc\n");
    return 2;
  }
  if (command == "serve")
    serve();
  else
    ask();
  return 0;
}
