// SPDX-License-Identifier: Apache-2.0
// A prober that is driven by poll(2), and servers of the C library on the loopback interface.
#pragma once

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/descriptor.h"
#include "probe/prober.h"

namespace sluice::test {

// What an exchange has reported, in order: "data" once for all of its bytes.
struct Story {
  std::vector<probe::EventKind> kinds;
  std::string bytes;
  uint32_t error = 0;
  bool has(probe::EventKind kind) const {
    for (const auto one : kinds) {
      if (one == kind) return true;
    }
    return false;
  }
};

inline constexpr Time millisecond = second / 1000;
// An exchange that should not time out: longer than any test is patient.
inline constexpr Time patient = 60 * second;

// A server's socket on a port that the kernel chooses.
class Server {
 public:
  explicit Server(int type = SOCK_STREAM, const char* address = "127.0.0.1", int backlog = 4096)
      : socket_(::socket(strchr(address, ':') != nullptr ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0)) {
    const auto at = probe::SocketAddress::parse(address, 0);
    REQUIRE(at);
    REQUIRE(bind(socket_.get(), at->get(), at->size()) == 0);
    if (type == SOCK_STREAM && backlog >= 0) REQUIRE(listen(socket_.get(), backlog) == 0);
    sockaddr_in6 bound = {};
    socklen_t size = sizeof bound;
    REQUIRE(getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&bound), &size) == 0);
    port_ = ntohs(bound.sin6_port);  // at the same place for IPv4
  }
  uint16_t port() const { return port_; }
  int fd() const { return socket_.get(); }
  host::Descriptor accept() const { return host::Descriptor(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }

 private:
  host::Descriptor socket_;
  uint16_t port_ = 0;
};

class Probing {
 public:
  Probing() : prober(open()) {}

  // Collects until `done`, for ten seconds at most.
  void until(const std::function<bool()>& done) {
    constexpr int attempts = 1000, pause = 10;
    pollfd ready = {prober.fd(), POLLIN, 0};
    for (int i = 0; !done(); i++) {
      REQUIRE(i < attempts);
      if (poll(&ready, 1, pause) == 1) collect();
    }
  }
  void until_idle() {
    until([this] { return prober.running() == 0; });
  }
  // Until the exchange has ended, or said `kind`.
  void until(probe::Id id, probe::EventKind kind) {
    until([&] { return stories[id].has(kind); });
  }

  // The next client of a server. The prober sends the handshake's last segment only when it is driven.
  host::Descriptor accept(const Server& server) {
    pollfd waiting = {server.fd(), POLLIN, 0};
    until([&] { return poll(&waiting, 1, 0) == 1; });
    return server.accept();
  }

  void collect() {
    prober.collect(batch);
    rounds++;
    REQUIRE(batch.events.size() <= probe::most_events);
    size_t at = 0;
    for (const auto& event : batch.events) {
      Story& story = stories[event.id];
      story.kinds.push_back(event.kind);
      if (event.kind == probe::EventKind::data) {
        REQUIRE(event.value <= 65536);
        REQUIRE(at + event.value <= batch.bytes.size());
        story.bytes.append(reinterpret_cast<const char*>(batch.bytes.data()) + at, event.value);
        at += event.value;
      }
      if (event.kind == probe::EventKind::failed) story.error = event.value;
    }
    REQUIRE(at == batch.bytes.size());
  }

  probe::Prober prober;
  probe::Batch batch;
  std::map<probe::Id, Story> stories;
  unsigned rounds = 0;

 private:
  static probe::Prober open() {
    host::Failure failure;
    auto prober = probe::Prober::open(failure);
    REQUIRE_MESSAGE(prober, failure.message);
    return std::move(*prober);
  }
};

inline std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

inline probe::Request request(probe::Protocol protocol, const std::string& address, uint16_t port = 0) {
  const auto to = probe::SocketAddress::parse(address, port);
  REQUIRE(to);
  return {.protocol = protocol, .to = *to, .timeout = patient};
}

// What arrives until the other side closes or resets.
inline std::string read_all(int socket) {
  std::string text;
  char some[4096];
  for (ssize_t size; (size = recv(socket, some, sizeof some, 0)) > 0;) text.append(some, static_cast<size_t>(size));
  return text;
}

inline std::string read_some(int socket) {
  char some[4096];
  const ssize_t size = recv(socket, some, sizeof some, 0);
  return size > 0 ? std::string(some, static_cast<size_t>(size)) : "";
}

inline void write_all(int socket, const std::string& text) {
  size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t size = ::send(socket, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (size < 0) return;
    sent += static_cast<size_t>(size);
  }
}

}  // namespace sluice::test
