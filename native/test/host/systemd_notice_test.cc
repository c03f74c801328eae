// SPDX-License-Identifier: Apache-2.0
#include "host/systemd_notice.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <string>

#include "host/descriptor.h"

namespace {

using sluice::host::Descriptor;
using sluice::host::tell_service_manager;

// A socket that receives, under this name; @ stands for the zero byte of an abstract name.
Descriptor manager(const std::string& name) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  if (name.front() == '@') address.sun_path[0] = '\0';
  Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0));
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  REQUIRE(bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0);
  return socket;
}

std::string received(const Descriptor& socket) {
  char buffer[256];
  const ssize_t length = recv(socket.get(), buffer, sizeof buffer, 0);
  return length < 0 ? "nothing" : std::string(buffer, static_cast<size_t>(length));
}

TEST_CASE("a service manager is told at a path and at an abstract name") {
  const std::string path = "/tmp/sluice-manager-" + std::to_string(getpid());
  for (const std::string& name : {path, "@sluice-manager-" + std::to_string(getpid())}) {
    const Descriptor socket = manager(name);
    CHECK(tell_service_manager(name, "READY=1\nSTATUS=forwards"));
    CHECK(received(socket) == "READY=1\nSTATUS=forwards");
  }
  unlink(path.c_str());
}

TEST_CASE("a service manager that is not there, or does not read, holds nobody up") {
  CHECK_FALSE(tell_service_manager("", "READY=1"));
  CHECK_FALSE(tell_service_manager("/tmp/sluice-no-such-manager", "READY=1"));
  CHECK_FALSE(tell_service_manager(std::string(200, 'x'), "READY=1"));
  const std::string name = "@sluice-slow-manager-" + std::to_string(getpid());
  const Descriptor socket = manager(name);
  int sent = 0;
  while (sent < 100'000 && tell_service_manager(name, "WATCHDOG=1")) sent++;
  CHECK(sent < 100'000);
}

}  // namespace
