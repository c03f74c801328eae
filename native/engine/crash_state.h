// SPDX-License-Identifier: Apache-2.0
// What outlives a process that ends unexpectedly: descriptors in the queue of a socket that the parent process holds
// open. The parent does not use them.
//
//   parent     makes a pair of connected sockets; every child inherits both ends
//   child      take()         reads what the previous child has left; it stays in the queue
//              give()         notes descriptors: memory files with flows, links of BPF programs, the configuration
//              take_over()    writes all noted descriptors into the queue, removes what the previous child has left
//              give()         after take_over(): each call writes the whole table again
//   child      ends; its descriptors are still in the queue, so links stay attached and memory stays
//   successor  take() …
//
// So in between the host's stack still does not see what belongs to the director, and no client is reset. When the
// parent ends, too, the kernel closes everything.
//
// The queue holds one table of descriptors, in as few messages as possible: a message carries 253 descriptors at most.
// A change writes a table with a new edition number behind the table in force and then removes the old table. A process
// may end between any two of these steps: its successor uses the newest edition whose messages are all there. The queue
// never holds more than two tables, however many changes there were. A process that ends before take_over() has written
// nothing, and its successor finds the same table as this process did.
//
// Each table has the layout tag of the build that wrote it (layout_tag.h). A process whose build has another tag would
// misread the memory files: it refuses the table, removes it and starts without it.
#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "engine/layout_tag.h"
#include "host/descriptor.h"
#include "host/failure.h"

namespace sluice::engine {

enum class CrashItem : uint8_t { configuration, link, flows4, flows6, spliced, destinations, recorder };

// The thread that configures and the follower of the host's network give at any time. All else is for the former.
class CrashState {
 public:
  // For the parent.
  static bool make_sockets(int sockets[2], host::Failure& failure);

  // Takes ownership of both ends.
  CrashState(int giving, int taking, uint64_t tag = layout_tag()) : giving_(giving), taking_(taking), tag_(tag) {}

  // Keeps a duplicate of the descriptor for the next process, in place of earlier descriptors of the same item and
  // worker. False with errno: the item is not kept.
  bool give(CrashItem item, uint16_t worker, int descriptor) { return give_all(item, worker, {&descriptor, 1}); }
  // As give(), for an item that has any number of descriptors.
  bool give_all(CrashItem item, uint16_t worker, std::span<const int> descriptors);

  // Reads what the previous process has left.
  void take();
  // A build with another tag has left something, and take() has refused it.
  bool has_refused() const { return has_refused_; }
  // The previous process has left something.
  bool has_taken() const { return !taken_.empty(); }
  // The descriptor of an item; -1 if the previous process has left none.
  int taken(CrashItem item, uint16_t worker) const;

  // From now on the next process finds what this process was given. What was taken is closed and removed from the
  // queue.
  bool take_over(host::Failure& failure);
  // Before take_over(): forgets what this process was given.
  void drop_given();
  // Empties the queue: this process ends in good order, or the next process must find nothing.
  void withdraw();

 private:
  struct Label {
    CrashItem item;
    uint16_t worker;
  };
  struct Entry {
    Label label;
    host::Descriptor descriptor;
  };
  using Table = std::vector<Entry>;
  struct Part;

  bool write();
  bool send_part(const Part& part, const Table& table, size_t first) const;
  void read_queue();
  bool read_part(Part& part, Table& entries) const;
  void drop_parts(size_t count);

  std::mutex giving_or_taking_over_;  // guards the members below but taken_
  host::Descriptor giving_, taking_;
  const uint64_t tag_;
  Table given_, taken_;
  size_t queued_ = 0;     // messages in the queue
  uint64_t edition_ = 0;  // of the newest table in the queue
  bool is_in_force_ = false, has_refused_ = false;
};

}  // namespace sluice::engine
