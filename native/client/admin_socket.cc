// SPDX-License-Identifier: Apache-2.0
#include "client/admin_socket.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "host/descriptor.h"

namespace sluice::client {

namespace {

Answer no_answer(const std::string& why, int error = 0) {
  return {0, error == 0 ? why : why + ": " + std::strerror(error)};
}

bool send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

// All that comes until the other end closes.
bool read_all(int socket, std::string& to) {
  char part[65536];
  for (;;) {
    const ssize_t got = recv(socket, part, sizeof part, 0);
    if (got == 0) return true;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    to.append(part, static_cast<size_t>(got));
  }
}

// The value of a field of the head, whose names are written in small letters.
std::string_view field(std::string_view head, std::string_view name) {
  const size_t at = head.find("\r\n" + std::string(name) + ": ");
  if (at == std::string_view::npos) return {};
  const std::string_view rest = head.substr(at + 2 + name.size() + 2);
  return rest.substr(0, rest.find("\r\n"));
}

template <class T>
bool number(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

Answer parsed(std::string_view bytes) {
  const size_t end = bytes.find("\r\n\r\n");
  const Answer broken = no_answer("the answer broke off before its end; ask again");
  if (end == std::string_view::npos) return broken;
  const std::string_view head = bytes.substr(0, end + 2), body = bytes.substr(end + 4);
  constexpr std::string_view version = "HTTP/1.1 ";
  Answer answer;
  size_t length = 0;
  if (!head.starts_with(version) || !number(head.substr(version.size(), 3), answer.status) ||
      field(head, "sluice-version").empty()) {
    return no_answer("what answers is not sluice");
  }
  if (!number(field(head, "content-length"), length) || body.size() < length) return broken;
  answer.body = body.substr(0, length);
  return answer;
}

}  // namespace

Answer ask(const std::string& socket_path, std::string_view path, std::string_view json) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path) return no_answer("the path of a socket has at most 107 bytes");
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  const host::Descriptor connection(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return no_answer("no sluice answers at " + socket_path, errno);
  }
  std::string request = "POST " + std::string(path) + " HTTP/1.1\r\nconnection: close\r\n";
  request += "content-type: application/json\r\ncontent-length: " + std::to_string(json.size()) + "\r\n\r\n";
  request += json;
  std::string bytes;
  // A refusal may come before all is sent.
  const bool is_sent = send_all(connection.get(), request);
  if (!read_all(connection.get(), bytes) || (!is_sent && bytes.empty())) {
    return no_answer("the connection to sluice broke off", errno);
  }
  return parsed(bytes);
}

}  // namespace sluice::client
