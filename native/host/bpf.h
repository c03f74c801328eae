// SPDX-License-Identifier: Apache-2.0
// bpf(2) without a library: maps, programs, links, and runs of a program on one packet.
#pragma once

#include <linux/bpf.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "bpf/program.h"
#include "host/descriptor.h"
#include "host/failure.h"
#include "wire/bytes.h"

namespace sluice::host {

struct MapShape {
  const char* name;
  bpf_map_type type;
  uint32_t key_size, value_size, entries;
  uint32_t flags;
};

class BpfMap {
 public:
  bool create(const MapShape& shape, Failure& failure);
  // Adds an entry or replaces it. A packet finds the old value or the new one. Any thread may call it.
  bool set(const void* key, const void* value, Failure& failure);
  // The same for one of many entries: waits where the kernel's stock of entries is empty for now. Only the thread that
  // carries out a change may call it.
  bool set_one_of_many(const void* key, const void* value, Failure& failure);
  // True too where the key is absent.
  bool remove(const void* key, Failure& failure);
  // False where there is no such key.
  bool get(const void* key, void* value) const;
  // Walks over the keys: false at the end. A walk begins anew where another thread removed the key that it is at.
  bool first(void* key) const;
  bool next(void* key) const;
  int fd() const { return fd_.get(); }

 private:
  bool update(const void* key, const void* value) const;
  bool failed_to_set(int error, Failure& failure) const;

  Descriptor fd_;
  MapShape shape_{};
};

// The relocations name places in `maps`. The failure has the last words of the verifier.
bool load_program(const bpf::Program& program, bpf_prog_type type, std::span<const BpfMap> maps, Descriptor& loaded,
                  Failure& failure);

// At the ingress or egress of an interface until the link is closed, before any other program there (kernel 6.6 and
// newer).
bool link_at_ingress(int program, uint32_t ifindex, Descriptor& link, Failure& failure);
bool link_at_egress(int program, uint32_t ifindex, Descriptor& link, Failure& failure);

// In the driver of an interface until the link is closed (kernel 5.9 and newer).
bool link_in_driver(int program, uint32_t ifindex, Descriptor& link, Failure& failure);

// Runs a program on a frame, as if an interface had received the frame. Without an interface it is the loopback device.
// Nothing if the kernel does not run the program.
struct Run {
  uint32_t result;
  uint32_t nanoseconds;  // of one of the repetitions, on average
};
std::optional<Run> run_program(int program, wire::Bytes frame, uint32_t repetitions = 1, uint32_t interface = 0);

}  // namespace sluice::host
