// SPDX-License-Identifier: Apache-2.0
// What outlives a process that ends unexpectedly: descriptors that it has given into the queue of a socket, which its
// parent holds open. The parent does nothing with them.
//
//   parent    holds both ends of a socket pair, which every child has as well
//   child     gives, as it works: memory files with its flows, the links of its BPF programs, its configuration
//   child     ends; the descriptors are still in the queue, so links stay attached and memory stays
//   successor takes all, gives them back into the queue at once (it may end early too), restores from them, and forgets
//             them when it has taken over
//
// So the host's stack is kept away from what belongs to the director in between, and no client is reset. When the
// parent ends too, the kernel lets go of everything.
#pragma once

#include <cstdint>
#include <vector>

#include "host/descriptor.h"
#include "host/failure.h"

namespace sluice::engine {

// The numbers go from one process to the next, which are of the same build: the parent has started both.
enum class CrashItem : uint8_t { configuration, link, flows4, flows6, spliced, destinations, recorder };

class CrashState {
 public:
  // For the parent.
  static bool make_sockets(int sockets[2], host::Failure& failure);

  // Takes over both ends.
  CrashState(int giving, int taking) : giving_(giving), taking_(taking) {}

  // Keeps the descriptor for the next process, besides whoever has it here.
  bool give(CrashItem item, uint16_t worker, int descriptor) const;

  // What the process before has given.
  void take();
  // -1 where it has not given such a thing.
  int taken(CrashItem item, uint16_t worker) const;
  // It is not needed any more, neither here nor by another process.
  void forget();
  // This process ends in good order: nothing is kept any more.
  void withdraw();

 private:
  struct Label {
    CrashItem item;
    uint16_t worker;
  };
  struct Taken {
    Label label;
    host::Descriptor descriptor;
  };
  bool give(const Label& label, int descriptor) const;
  bool receive(Taken& taken) const;

  host::Descriptor giving_, taking_;
  std::vector<Taken> taken_;  // in the order in which they were given
};

}  // namespace sluice::engine
