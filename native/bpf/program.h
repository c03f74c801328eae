// SPDX-License-Identifier: Apache-2.0
// A compiled BPF program, as scripts/bpf.ts writes it.
#pragma once

#include <cstdint>
#include <span>

namespace sluice::host::bpf {

// Where an instruction is to name a map of the loader's.
struct Relocation {
  uint16_t instruction;
  uint16_t map;
};

struct Program {
  const char* name;
  std::span<const uint64_t> instructions;
  std::span<const Relocation> relocations;
};

}  // namespace sluice::host::bpf
