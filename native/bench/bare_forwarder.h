// SPDX-License-Identifier: Apache-2.0
// A forwarder without logic: frames from one port leave by the other with a rewritten link header. So it shows the
// limit of packet sockets.
#pragma once

#include <arpa/inet.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "director/network/frame.h"
#include "port/packet_ring.h"
#include "port/port_wait.h"

namespace sluice::port {

// Exits without the port, because there is nothing to measure.
inline void open_or_exit(PacketRing& ring, const PacketRingOptions& options) {
  if (ring.open(options)) {
    for (const std::string& warning : ring.warnings()) std::fprintf(stderr, "%s\n", warning.c_str());
    return;
  }
  std::fprintf(stderr, "%s: %s (%s: %s)\n", ring.error().problem.c_str(), ring.error().remedy.c_str(),
               ring.error().system_call, std::strerror(ring.error().system_errno));
  std::exit(1);
}

struct BareForwarderOptions {
  uint32_t receive_slots = 2048;
  uint32_t transmit_slots = 1024;  // 0: sendmmsg
  uint32_t batch = 32;
  uint32_t spin_microseconds = 0;  // looks for frames for this long before it sleeps
};

class BareForwarder {
 public:
  struct Side {
    std::string interface;
    const uint8_t* own_mac;
    const uint8_t* peer_mac;  // destination of frames that leave here
  };

  BareForwarder(const std::array<Side, 2>& sides, const BareForwarderOptions& options)
      : sides_(sides), spin_(options.spin_microseconds), frames_(options.batch) {
    for (director::PortId i : {0, 1})
      open_or_exit(rings_[i], {.interface = sides[i].interface,
                               .port = i,
                               .receive_slots = options.receive_slots,
                               .transmit_slots = options.transmit_slots});
  }

  size_t pass() { return pass_from(0) + pass_from(1); }

  // Runs until `ends` is set. Sleeps if nothing has come during the spin time.
  void run(const std::atomic<bool>& ends) {
    using Clock = std::chrono::steady_clock;
    auto last = Clock::now();
    while (!ends) {
      if (pass() != 0) {
        if (spin_.count() != 0) last = Clock::now();
        continue;
      }
      if (spin_.count() != 0 && Clock::now() - last < spin_) {
        __builtin_ia32_pause();
        continue;
      }
      Port* const ports[] = {&rings_[0], &rings_[1]};
      wait_for_frames(ports, -1, 100);
    }
  }

  PacketRing& ring(size_t i) { return rings_[i]; }

 private:
  size_t pass_from(size_t from) {
    const size_t count = rings_[from].receive(frames_);
    if (count == 0) return 0;
    const Side& side = sides_[1 - from];
    PacketRing& to = rings_[1 - from];
    for (director::Frame& frame : std::span(frames_).first(count)) {
      std::memcpy(frame.data, side.peer_mac, 6);
      std::memcpy(frame.data + 6, side.own_mac, 6);
      to.transmit(frame);
    }
    to.flush();
    return count;
  }

  const std::array<Side, 2> sides_;
  const std::chrono::microseconds spin_;
  PacketRing rings_[2];
  std::vector<director::Frame> frames_;
};

}  // namespace sluice::port
