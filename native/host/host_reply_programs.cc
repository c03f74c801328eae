// SPDX-License-Identifier: Apache-2.0
#include "host/host_reply_programs.h"

#include <algorithm>

#include "bpf/host_reply.generated.h"
#include "host/clsact.h"
#include "host/owned_traffic.h"

namespace sluice::host {

namespace {

// Connections of real servers that are this host, at one time; those that were silent the longest make room. 13 MB,
// which hosts without such real servers do not pay.
constexpr uint32_t most_expected = 131072;
// Ports, the loopback device and the TUN device, and some that are about to go.
constexpr uint32_t most_ways = 256;

constexpr MapShape expected_shape = {"sluice_expected", BPF_MAP_TYPE_LRU_HASH, sizeof(bpf::steal_reply),
                                     sizeof(bpf::u32),  most_expected,         0};
constexpr MapShape ways_shape = {"sluice_ways",          BPF_MAP_TYPE_HASH, sizeof(bpf::u32),
                                 sizeof(bpf::steal_way), most_ways,         0};

bpf::steal_reply map_key_of(const director::HostReply& reply) {
  return {key_of(reply.server), key_of(reply.client), reply.server_port, reply.client_port, reply.protocol};
}

}  // namespace

std::unique_ptr<HostReplyPrograms> HostReplyPrograms::load(std::span<BpfMap, bpf::map_count> maps, bool uses_tcx,
                                                           Failure& failure) {
  std::unique_ptr<HostReplyPrograms> loaded(new HostReplyPrograms(maps, uses_tcx));
  const auto load_one = [&](const bpf::Program& program, Descriptor& to) {
    return load_program(program, BPF_PROG_TYPE_SCHED_CLS, maps, to, failure);
  };
  const bool is_loaded = maps[bpf::expected].create(expected_shape, failure) &&
                         maps[bpf::ways].create(ways_shape, failure) && load_one(bpf::reply, loaded->program_) &&
                         load_one(bpf::reply_without_link, loaded->program_without_link_);
  if (!is_loaded) return nullptr;
  return loaded;
}

HostReplyPrograms::~HostReplyPrograms() {
  if (is_left_behind_) return;
  for (const auto& [egress, attachment] : attachments_) detach(egress, attachment);
}

bool HostReplyPrograms::bring_back(uint32_t egress, const Way& way, Failure& failure) {
  const auto found = attachments_.find(egress);
  if (found != attachments_.end() && found->second.way == way) return true;
  bpf::steal_way value{};
  value.interface = way.interface;
  std::ranges::copy(way.mac.bytes, value.mac);
  if (!maps_[bpf::ways].set(&egress, &value, failure)) return false;
  if (found != attachments_.end()) {
    found->second.way = way;
    return true;
  }
  Attachment attachment;
  attachment.way = way;
  const int program = way.has_link_header ? program_.get() : program_without_link_.get();
  const bool is_attached = uses_tcx_ ? link_at_egress(program, egress, attachment.link, failure)
                                     : add_classifier(egress, End::egress, program, attachment.made_qdisc, failure);
  if (!is_attached) return false;
  attachments_.emplace(egress, std::move(attachment));
  return true;
}

void HostReplyPrograms::remove(uint32_t egress) {
  const auto found = attachments_.find(egress);
  if (found == attachments_.end()) return;
  detach(egress, found->second);
  attachments_.erase(found);
  Failure ignored;  // nothing asks for it without the program
  static_cast<void>(maps_[bpf::ways].remove(&egress, ignored));
}

void HostReplyPrograms::detach(uint32_t egress, const Attachment& attachment) const {
  if (!uses_tcx_) remove_classifier(egress, End::egress, attachment.made_qdisc);
}

bool HostReplyPrograms::expect(const director::HostReply& reply, Failure& failure) {
  const bpf::steal_reply key = map_key_of(reply);
  const bpf::u32 is_expected = 1;
  return maps_[bpf::expected].set(&key, &is_expected, failure);
}

void HostReplyPrograms::forget(const director::HostReply& reply) {
  const bpf::steal_reply key = map_key_of(reply);
  Failure ignored;  // what is not there is forgotten
  static_cast<void>(maps_[bpf::expected].remove(&key, ignored));
}

std::vector<int> HostReplyPrograms::links() const {
  std::vector<int> links;
  for (const auto& [egress, attachment] : attachments_) {
    if (attachment.link) links.push_back(attachment.link.get());
  }
  return links;
}

std::vector<uint32_t> HostReplyPrograms::interfaces() const {
  std::vector<uint32_t> interfaces;
  for (const auto& [egress, attachment] : attachments_) interfaces.push_back(egress);
  return interfaces;
}

}  // namespace sluice::host
