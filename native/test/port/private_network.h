// SPDX-License-Identifier: Apache-2.0
// Network namespaces that belong to this process alone. They have no names, so nothing is left of them when the process
// ends in any way. Root can make them, and an ordinary user if the kernel allows user namespaces.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

namespace sluice::port {

inline bool write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  file.flush();
  return file.good();
}

class NetworkNamespace {
 public:
  // Afterwards the calling thread is in the new namespace. IPv6 is off, so that no interface sends packets by itself.
  NetworkNamespace() {
    if (::unshare(CLONE_NEWNET) != 0) std::abort();
    fd_ = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
    run("ip link set lo up");
  }
  NetworkNamespace(const NetworkNamespace&) = delete;
  NetworkNamespace& operator=(const NetworkNamespace&) = delete;
  ~NetworkNamespace() { ::close(fd_); }

  void enter() const {
    if (::setns(fd_, CLONE_NEWNET) != 0) std::abort();
  }
  // For `ip link set … netns PATH`.
  std::string path() const { return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd_); }

  // Runs a command in the namespace of the calling thread.
  static void run(const std::string& command) {
    if (std::system(command.c_str()) == 0) return;
    std::fprintf(stderr, "failed: %s\n", command.c_str());
    std::abort();
  }

 private:
  int fd_ = -1;
};

// False if namespaces cannot be made; then it prints the words by which ctest recognises a skipped test. If needed, the
// process gets a user namespace of its own: call it before any thread is started.
inline bool can_make_networks() {
  static const bool can = [] {
    if (::unshare(CLONE_NEWNET) == 0) return true;
    const std::string user = std::to_string(::getuid()), group = std::to_string(::getgid());
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 && write_file("/proc/self/setgroups", "deny") &&
        write_file("/proc/self/uid_map", "0 " + user + " 1") && write_file("/proc/self/gid_map", "0 " + group + " 1"))
      return true;
    std::printf("[not run: needs root, or user namespaces (%s)]\n", std::strerror(errno));
    return false;
  }();
  return can;
}

}  // namespace sluice::port
