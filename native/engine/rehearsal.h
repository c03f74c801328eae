// SPDX-License-Identifier: Apache-2.0
// What a director would do with frames, found out by the code that decides, and without a trace in it.
//
// Theory of operation
//
//   visit the worker ─▶ fork(2) ─▶ the visit ends, the worker goes on ─▶ wait for the answer     here
//                          └─▶ the copy decides, writes what it did to a pipe, and is gone
//
// The child has the whole director as it is between two batches, and whatever it changes is its own. It has one thread,
// so it waits for nobody: locks that other threads held at that moment stay held for ever. Of this process it uses the
// director and malloc, which glibc makes fit for that. What the copy costs the worker: docs/performance.md.
//
// Memory that processes share is not copied. Flows lie in such memory when they are to outlive a crash, so the child
// takes a view of its own of it first: what the child writes is the child's alone. What the worker writes to a flow
// before the child has answered, the child may see; its index of flows is as it was. A flow that ends within these
// milliseconds may be unknown to the child already (docs/decisions/0012-a-copy-of-the-director-explains.md).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/director_work.h"
#include "host/failure.h"

namespace sluice::engine {

// A frame that would leave.
struct RehearsedFrame {
  director::PortId port = 0;
  std::vector<uint8_t> bytes;
};

// What would become of a frame.
struct RehearsedDecision {
  director::Reason reason = director::Reason::no_service;
  std::string service, server, mode;  // in words; empty where the packet has none
  std::vector<std::string> steps;
  std::vector<RehearsedFrame> sent;
};

struct Rehearsal {
  std::vector<RehearsedDecision> decisions;  // a frame each
  Time stood_still = 0;                      // how long the worker waited for its copy
};

struct RehearsalFrame {
  director::PortId port = 0;
  uint32_t mark = 0;
  wire::Bytes bytes;
};

struct RehearsalOptions {
  // Called in the copy before it decides: to let go of what other threads have.
  std::function<void()> prepare;
  int limit_milliseconds = 250;
};

// The frames, one after another. False with a failure.
bool rehearse(DirectorWorker& worker, const std::vector<RehearsalFrame>& frames, const RehearsalOptions& options,
              Rehearsal& rehearsal, host::Failure& failure);

}  // namespace sluice::engine
