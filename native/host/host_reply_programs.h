// SPDX-License-Identifier: Apache-2.0
// The programs at egress that bring back what the host's own stack answers for the director (bpf/host_reply.bpf.c), and
// the maps that are theirs.
//
// By tcx or by clsact, like the programs at ingress (steal.h), and as lasting: links go with the last process that
// holds them, a classifier stays until somebody removes it. Replies that a left program goes on bringing back are those
// of connections that the process has had; the program at ingress that it has left keeps them from the host's stack.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "bpf/steal.generated.h"
#include "director/network/host_replies.h"
#include "host/bpf.h"
#include "host/descriptor.h"
#include "host/failure.h"
#include "wire/address.h"

namespace sluice::host {

class HostReplyPrograms {
 public:
  // `maps` are those of the programs at ingress, which outlive this object. Its own maps are added to them.
  static std::unique_ptr<HostReplyPrograms> load(std::span<BpfMap, bpf::map_count> maps, bool uses_tcx,
                                                 Failure& failure);
  ~HostReplyPrograms();
  HostReplyPrograms(const HostReplyPrograms&) = delete;
  HostReplyPrograms& operator=(const HostReplyPrograms&) = delete;

  struct Way {
    uint32_t interface = 0;       // by which replies come back
    wire::MacAddress mac;         // its own
    bool has_link_header = true;  // frames of the interface by which they would leave; a TUN device's have none
    bool operator==(const Way&) const = default;
  };
  // Expected replies that would leave by the interface `egress` take this way from now on.
  bool bring_back(uint32_t egress, const Way& way, Failure& failure);
  void remove(uint32_t egress);

  // For any thread.
  bool expect(const director::HostReply& reply, Failure& failure);
  void forget(const director::HostReply& reply);

  // With tcx.
  std::vector<int> links() const;
  std::vector<uint32_t> interfaces() const;
  // The destructor leaves everything on the interfaces.
  void leave_behind() { is_left_behind_ = true; }

 private:
  struct Attachment {
    Way way;
    Descriptor link;          // tcx
    bool made_qdisc = false;  // clsact
  };
  HostReplyPrograms(std::span<BpfMap, bpf::map_count> maps, bool uses_tcx) : maps_(maps), uses_tcx_(uses_tcx) {}
  void detach(uint32_t egress, const Attachment& attachment) const;

  std::span<BpfMap, bpf::map_count> maps_;
  const bool uses_tcx_;
  Descriptor program_, program_without_link_;
  std::map<uint32_t, Attachment> attachments_;  // by the interface's index
  bool is_left_behind_ = false;
};

}  // namespace sluice::host
