// SPDX-License-Identifier: Apache-2.0
#include "host/listening_socket.h"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <fstream>
#include <string>

using sluice::host::Failure;
using sluice::host::listen_unix;

namespace {

class Folder {
 public:
  Folder() { mkdtemp(path_.data()); }
  ~Folder() {
    unlink((path_ + "/socket").c_str());
    rmdir(path_.c_str());
  }
  std::string socket() const { return path_ + "/socket"; }

 private:
  std::string path_ = "/tmp/sluice-socket-XXXXXX";
};

bool connects(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const sluice::host::Descriptor client(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

TEST_CASE("a listening socket accepts connections only from its owner") {
  const Folder folder;
  Failure failure;
  const auto socket = listen_unix(folder.socket(), failure);
  REQUIRE(socket);
  struct stat status = {};
  REQUIRE(stat(folder.socket().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  CHECK(connects(folder.socket()));
}

TEST_CASE("a listening socket replaces a file that a killed process has left") {
  const Folder folder;
  std::ofstream(folder.socket()) << "left";
  Failure failure;
  const auto socket = listen_unix(folder.socket(), failure);
  REQUIRE(socket);
  CHECK(connects(folder.socket()));
}

TEST_CASE("a path that is too long for a socket is refused with its length") {
  Failure failure;
  CHECK_FALSE(listen_unix(std::string(200, 'x'), failure));
  CHECK(failure.message.find("1 to 107 bytes") != std::string::npos);
  CHECK_FALSE(listen_unix("", failure));
  CHECK_FALSE(listen_unix("/nowhere/at/all/socket", failure));
  CHECK(failure.message.find("/nowhere/at/all/socket: No such file") != std::string::npos);
}
