// SPDX-License-Identifier: Apache-2.0
// A live port: where a worker's frames come from and go to.
//
//   receive() a batch ─▶ director ─▶ transmit() each on the port that it names ─▶ flush() those ports ─▶ receive() …
//
// A port belongs to one thread. Memory of received frames is the port's: it may be written,
// `director::required_headroom` bytes before each frame included, and is good until the port's next receive() or
// release(). A frame that is given to transmit(), of whichever memory, stays as it is until flush() has returned.
//
// A worker that found nothing anywhere calls release() and then prepare_to_wait() on each of its ports before it sleeps
// on their fd(): wait_for_frames() (port_wait.h) does it all.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "director/network/frame.h"

namespace sluice::port {

struct PortStatistics {
  uint64_t received = 0, received_bytes = 0;
  uint64_t transmitted = 0, transmitted_bytes = 0;
  uint64_t kernel_drops = 0;   // came and found no room: the worker was too slow
  uint64_t unreadable = 0;     // came, and were no frame that a director can be given
  uint64_t send_failures = 0;  // could not be sent: interface down, its queue full, or longer than it carries

  PortStatistics& operator+=(const PortStatistics& other) {
    received += other.received;
    received_bytes += other.received_bytes;
    transmitted += other.transmitted;
    transmitted_bytes += other.transmitted_bytes;
    kernel_drops += other.kernel_drops;
    unreadable += other.unreadable;
    send_failures += other.send_failures;
    return *this;
  }
};

enum class PortFault : uint8_t {
  no_interface,
  no_permission,
  no_memory,
  unsupported,  // by this kernel or this interface
  misuse,       // settings that contradict themselves
  system,       // another system call failed: system_errno says how
};

struct PortError {
  PortFault fault = PortFault::system;
  std::string problem;  // what is wrong, with which value
  std::string remedy;   // what to do, in the imperative; empty when the system's error says it
  int system_errno = 0;
  const char* system_call = "";
};

class Port {
 public:
  virtual ~Port() = default;

  // Frames that have come, in order, at most as many as `frames` holds; 0 when there is none. Does not wait.
  virtual size_t receive(std::span<director::Frame> frames) = 0;
  // Gives the memory of received frames back.
  virtual void release() = 0;

  virtual void transmit(const director::Frame& frame) = 0;
  virtual void flush() = 0;

  // Readable when there is something to receive(); -1 for a port that never waits for anything.
  virtual int fd() const = 0;
  // Before a poll of fd(); false when there is something to receive() already.
  virtual bool prepare_to_wait() = 0;

  // Since the port was opened. May make a system call: once a second, not once a batch.
  virtual PortStatistics statistics() = 0;
};

}  // namespace sluice::port
