// SPDX-License-Identifier: Apache-2.0
#include "engine/expected_replies.h"

#include "director/tracking/flow_keeper.h"
#include "engine/statistics.h"

namespace sluice::engine {

namespace {

constexpr size_t places = 1024;
// Long enough to cost nothing, and shorter than a client waits before it sends again.
constexpr Time told_again = 500'000'000;

// Flows looked at in one visit of a worker: some tens of microseconds.
constexpr uint32_t flows_a_visit = 4096;

template <class A>
uint32_t visit_some(director::Director& director, uint32_t cursor, std::vector<director::HostReply>& replies) {
  return director.flows<A>().table().walk(cursor, flows_a_visit, [&](const director::Flow<A>& flow) {
    if (flow.is_template() || (flow.flags & director::flow_has_reverse) == 0) return;
    if (!director.route_table().is_local(flow.real_server())) return;
    replies.push_back({flow.real_server(), flow.local(), flow.real_server_port(), flow.local_port(), flow.protocol});
  });
}

}  // namespace

void ExpectedReplies::use(host::HostReplyPrograms& programs) {
  programs_ = &programs;
  told_.resize(places);
}

ExpectedReplies::Told& ExpectedReplies::place_of(const director::HostReply& reply) {
  const auto& bytes = reply.client.bytes;
  const size_t mixed =
      (wire::load_be32(bytes.data()) ^ wire::load_be32(bytes.data() + 12)) * 0x9e3779b1u + reply.client_port;
  return told_[mixed % places];
}

bool ExpectedReplies::expect(const director::HostReply& reply) {
  if (programs_ == nullptr || is_copy_) return programs_ != nullptr;
  Told& told = place_of(reply);
  const Time now = monotonic_nanoseconds();
  if (told.reply == reply && now - told.at < told_again) return true;
  host::Failure failure;  // the packet's reason tells
  if (!programs_->expect(reply, failure)) return false;
  told = {reply, now};
  return true;
}

void ExpectedReplies::forget(const director::HostReply& reply) {
  if (programs_ == nullptr || is_copy_) return;
  programs_->forget(reply);
  if (Told& told = place_of(reply); told.reply == reply) told = {};
}

bool replies_to_expect(director::Director& director, FlowCursor& cursor, std::vector<director::HostReply>& replies) {
  if (cursor.at4 < director.flows<wire::Ipv4Address>().table().span()) {
    cursor.at4 = visit_some<wire::Ipv4Address>(director, cursor.at4, replies);
    return true;
  }
  if (cursor.at6 < director.flows<wire::Ipv6Address>().table().span()) {
    cursor.at6 = visit_some<wire::Ipv6Address>(director, cursor.at6, replies);
    return true;
  }
  return false;
}

}  // namespace sluice::engine
