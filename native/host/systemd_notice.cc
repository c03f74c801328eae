// SPDX-License-Identifier: Apache-2.0
#include "host/systemd_notice.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

#include "host/descriptor.h"

namespace sluice::host {

bool tell_service_manager(std::string_view socket, std::string_view state) {
  sockaddr_un address = {};
  if (socket.size() < 2 || socket.size() >= sizeof address.sun_path) return false;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket.data(), socket.size());
  // A name that begins with @ is one of the abstract namespace (unix(7)).
  if (socket.front() == '@') address.sun_path[0] = '\0';
  const Descriptor sender(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!sender) return false;
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket.size());
  const ssize_t sent = sendto(sender.get(), state.data(), state.size(), MSG_NOSIGNAL,
                              reinterpret_cast<const sockaddr*>(&address), length);
  return sent == static_cast<ssize_t>(state.size());
}

}  // namespace sluice::host
