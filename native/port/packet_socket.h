// SPDX-License-Identifier: Apache-2.0
// An AF_PACKET socket: its options, with errors that say what to do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "port/port.h"

namespace sluice::port {

// What the kernel keeps for one socket beside its rings: frames longer than a slot on their way in, and frames that a
// device has not finished sending. Of either some hundred of 64 KiB at the load where that matters; the kernel doubles
// the number for its own bookkeeping.
inline constexpr int socket_buffer_bytes = 16 << 20;

class PacketSocket {
 public:
  PacketSocket() = default;
  PacketSocket(const PacketSocket&) = delete;
  PacketSocket& operator=(const PacketSocket&) = delete;
  ~PacketSocket();

  // The socket hears nothing before bind(). Each is false with error().
  bool open();
  bool bind(const std::string& interface, int interface_index, uint16_t protocol);
  // `purpose` completes "cannot …"; `remedy` is for a kernel that does not know the option.
  bool set(int option, int value, const char* purpose, const char* remedy) {
    return set(option, &value, sizeof value, purpose, remedy);
  }
  bool set(int option, const void* value, size_t size, const char* purpose, const char* remedy);
  // Options without which everything works, less well.
  void try_set(int option, int value);
  void set_buffer(bool is_for_sending);

  // The memory of the rings; nullptr with error().
  uint8_t* map(size_t bytes);
  void unmap();
  void close();

  int fd() const { return fd_; }
  const PortError& error() const { return error_; }

 private:
  bool fail(PortFault fault, std::string problem, std::string remedy, const char* call);

  int fd_ = -1;
  void* mapped_ = nullptr;
  size_t mapped_bytes_ = 0;
  PortError error_;
};

// The error of an interface that is not there, or cannot be used; no_interface and ok alike give false.
[[nodiscard]] bool find_interface(const std::string& name, int& index, PortError& error);

}  // namespace sluice::port
