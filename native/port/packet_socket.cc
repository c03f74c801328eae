// SPDX-License-Identifier: Apache-2.0
#include "port/packet_socket.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "port/port_fault.h"

namespace sluice::port {

namespace {

constexpr const char* permission_remedy = "run as root, or give the program CAP_NET_RAW and CAP_NET_ADMIN";

}  // namespace

PacketSocket::~PacketSocket() {
  close();
}

void PacketSocket::unmap() {
  if (mapped_ != nullptr) ::munmap(mapped_, mapped_bytes_);
  mapped_ = nullptr;
}

void PacketSocket::close() {
  unmap();
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

bool PacketSocket::open() {
  fd_ = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd_ >= 0) return true;
  const PortFault fault = fault_of(errno);
  const char* const remedy = fault == PortFault::no_permission ? permission_remedy
                             : fault == PortFault::unsupported ? "use a kernel with CONFIG_PACKET, or load af_packet"
                                                               : "";
  return fail(fault, "cannot open a packet socket", remedy, "socket");
}

bool PacketSocket::bind(const std::string& interface, int interface_index, uint16_t protocol) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(protocol);
  address.sll_ifindex = interface_index;
  if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return true;
  return fail(fault_of(errno), "cannot bind a packet socket to interface " + interface, "", "bind");
}

bool PacketSocket::set(int option, const void* value, size_t size, const char* purpose, const char* remedy) {
  if (::setsockopt(fd_, SOL_PACKET, option, value, static_cast<socklen_t>(size)) == 0) return true;
  const PortFault fault = fault_of(errno);
  return fail(fault, std::string("cannot ") + purpose, fault == PortFault::no_permission ? permission_remedy : remedy,
              "setsockopt");
}

void PacketSocket::try_set(int option, int value) {
  static_cast<void>(::setsockopt(fd_, SOL_PACKET, option, &value, sizeof value));
}

// Exceeds the system's limit if that is allowed, else goes up to it.
void PacketSocket::set_buffer(bool is_for_sending) {
  const int forced = is_for_sending ? SO_SNDBUFFORCE : SO_RCVBUFFORCE;
  const int limited = is_for_sending ? SO_SNDBUF : SO_RCVBUF;
  if (::setsockopt(fd_, SOL_SOCKET, forced, &socket_buffer_bytes, sizeof socket_buffer_bytes) != 0)
    static_cast<void>(::setsockopt(fd_, SOL_SOCKET, limited, &socket_buffer_bytes, sizeof socket_buffer_bytes));
}

uint8_t* PacketSocket::map(size_t bytes) {
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_, 0);
  if (memory == MAP_FAILED) {
    fail(fault_of(errno), "cannot map a ring of " + std::to_string(bytes) + " bytes",
         "ask for fewer slots, or give the process more memory", "mmap");
    return nullptr;
  }
  // A rehearsal's copy of the process (decision 12) reads no frames of ports.
  static_cast<void>(::madvise(memory, bytes, MADV_DONTFORK));
  mapped_ = memory;
  mapped_bytes_ = bytes;
  return static_cast<uint8_t*>(memory);
}

bool PacketSocket::fail(PortFault fault, std::string problem, std::string remedy, const char* call) {
  error_ = {fault, std::move(problem), std::move(remedy), errno, call};
  return false;
}

bool find_interface(const std::string& name, int& index, PortError& error) {
  index = static_cast<int>(::if_nametoindex(name.c_str()));
  if (index != 0) return true;
  error = {PortFault::no_interface, "there is no interface " + name,
           "see `ip link` for the interfaces of this network namespace", errno, "if_nametoindex"};
  return false;
}

}  // namespace sluice::port
