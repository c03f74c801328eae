// SPDX-License-Identifier: Apache-2.0
#include "host/listening_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sluice::host {

namespace {

// Number of clients that can wait while a crashed process is replaced.
constexpr int most_waiting = 511;

bool refuse(Failure& failure, const std::string& path, int error) {
  return fail(failure, "cannot open the socket " + path, error);
}

}  // namespace

Descriptor listen_unix(const std::string& path, Failure& failure) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    fail(failure, "the path of a socket has 1 to " + std::to_string(sizeof address.sun_path - 1) + " bytes: \"" + path +
                      "\" has " + std::to_string(path.size()));
    return {};
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) {
    refuse(failure, path, errno);
    return {};
  }
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    refuse(failure, path, errno);
    return {};
  }
  // The mode of the socket's file. It is set before bind(), so that no other user can connect before a chmod.
  const bool has_mode = fchmod(socket.get(), S_IRUSR | S_IWUSR) == 0;
  if (!has_mode || bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(socket.get(), most_waiting) != 0) {
    refuse(failure, path, errno);
    return {};
  }
  return socket;
}

}  // namespace sluice::host
