// SPDX-License-Identifier: Apache-2.0
// Whom the host's own stack answers for one worker's director: told to the programs that bring such replies back
// (host/host_reply_programs.h).
//
// The kernel is told of a connection once in a while, not of every packet: what it was told of lately is remembered
// here. Its map forgets the connections that were silent the longest when it is full, so it is told again.
#pragma once

#include <memory>
#include <vector>

#include "core/time.h"
#include "director/network/host_replies.h"
#include "director/stages/director.h"
#include "engine/ownership.h"
#include "host/host_reply_programs.h"

namespace sluice::engine {

class ExpectedReplies final : public director::HostReplies {
 public:
  bool expect(const director::HostReply& reply) override;
  void forget(const director::HostReply& reply) override;

  // While the worker stands still. The programs outlive its work.
  void use(host::HostReplyPrograms& programs);
  // In a copy of this process: the kernel's maps are not the copy's.
  void stand_apart() { is_copy_ = true; }

 private:
  struct Told {
    director::HostReply reply;
    Time at = 0;
  };
  Told& place_of(const director::HostReply& reply);

  host::HostReplyPrograms* programs_ = nullptr;
  std::vector<Told> told_;
  bool is_copy_ = false;
};

// Adds what the flows of one worker expect of the host's stack, some flows at a time. False when all have been seen.
bool replies_to_expect(director::Director& director, FlowCursor& cursor, std::vector<director::HostReply>& replies);

}  // namespace sluice::engine
