// SPDX-License-Identifier: Apache-2.0
#include "host/clsact.h"

#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <vector>

#include "host/netlink.h"

namespace sluice::host {

namespace {

constexpr std::string_view filter_name = "sluice-steal";
// Before filters that others add without a priority (from 49152 on). Not 1, which others take when they need to be
// first.
constexpr uint32_t filter_priority = 2;
constexpr uint32_t filter_handle = 1;

constexpr End both_ends[] = {End::ingress, End::egress};

uint32_t parent_of(End end) {
  return TC_H_MAKE(TC_H_CLSACT, end == End::ingress ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS);
}

tcmsg message_of(uint32_t interface, uint32_t parent) {
  tcmsg message{};
  message.tcm_family = AF_UNSPEC;
  message.tcm_ifindex = static_cast<int>(interface);
  message.tcm_parent = parent;
  return message;
}

tcmsg filter_of(uint32_t interface, End end) {
  tcmsg message = message_of(interface, parent_of(end));
  message.tcm_handle = filter_handle;
  message.tcm_info = TC_H_MAKE(filter_priority << 16, __builtin_bswap16(ETH_P_ALL));
  return message;
}

tcmsg qdisc_of(uint32_t interface) {
  tcmsg message = message_of(interface, TC_H_CLSACT);
  message.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
  return message;
}

// The filters in one direction of an interface: their number, and whether one is ours.
struct Filters {
  unsigned count = 0;
  bool has_ours = false;
};

bool look_at(NetlinkSocket& socket, uint32_t interface, End end, Filters& filters, Failure& failure) {
  const uint32_t parent = parent_of(end);
  NetlinkRequest request(RTM_GETTFILTER, NLM_F_DUMP, message_of(interface, parent));
  return socket.ask(
      request,
      [&](const NetlinkMessage& message) {
        const auto fixed = read_fixed<tcmsg>(message.body);
        // The kernel announces a chain of filters by a message without a handle.
        if (fixed.tcm_handle == 0 || fixed.tcm_parent != parent) return;
        filters.count++;
        const Attributes attributes = attributes_after<tcmsg>(message.body);
        filters.has_ours |=
            attributes.text(TCA_KIND) == "bpf" && attributes.nested(TCA_OPTIONS).text(TCA_BPF_NAME) == filter_name;
      },
      failure);
}

bool remove_filter(NetlinkSocket& socket, uint32_t interface, End end, Failure& failure) {
  NetlinkRequest request(RTM_DELTFILTER, 0, filter_of(interface, end));
  return socket.ask(request, failure);
}

bool remove_qdisc(NetlinkSocket& socket, uint32_t interface, Failure& failure) {
  NetlinkRequest request(RTM_DELQDISC, 0, qdisc_of(interface));
  return socket.ask(request, failure);
}

bool is_in(uint32_t interface, std::span<const uint32_t> all) {
  return std::ranges::find(all, interface) != all.end();
}

bool clean(NetlinkSocket& socket, uint32_t interface, const Staying& staying, Failure& failure) {
  bool has_removed = false;
  for (const End end : both_ends) {
    if (is_in(interface, end == End::ingress ? staying.ingress : staying.egress)) continue;
    Filters filters;
    if (!look_at(socket, interface, end, filters, failure)) return false;
    if (!filters.has_ours) continue;
    if (!remove_filter(socket, interface, end, failure)) return false;
    has_removed = true;
  }
  if (!has_removed) return true;
  unsigned left = 0;
  for (const End end : both_ends) {
    Filters filters;
    if (!look_at(socket, interface, end, filters, failure)) return false;
    left += filters.count;
  }
  return left > 0 || remove_qdisc(socket, interface, failure);
}

}  // namespace

bool has_classifier(uint32_t interface, bool& has, Failure& failure) {
  NetlinkSocket socket;
  Filters filters;
  if (!socket.open(0, failure) || !look_at(socket, interface, End::ingress, filters, failure)) return false;
  has = filters.has_ours;
  return true;
}

bool add_classifier(uint32_t interface, End end, int program, bool& made_qdisc, Failure& failure) {
  NetlinkSocket socket;
  if (!socket.open(0, failure)) return false;
  NetlinkRequest qdisc(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, qdisc_of(interface));
  qdisc.put(TCA_KIND, std::string_view("clsact"));
  made_qdisc = socket.ask(qdisc, failure);
  if (!made_qdisc && failure.error != EEXIST) {
    failure.message = "cannot add clsact: " + failure.message;
    return false;
  }
  NetlinkRequest filter(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_REPLACE, filter_of(interface, end));
  filter.put(TCA_KIND, std::string_view("bpf")).begin(TCA_OPTIONS);
  filter.put(TCA_BPF_FD, static_cast<uint32_t>(program)).put(TCA_BPF_NAME, filter_name);
  filter.put(TCA_BPF_FLAGS, uint32_t{TCA_BPF_FLAG_ACT_DIRECT}).end();
  if (socket.ask(filter, failure)) return true;
  failure.message = "cannot add a classifier of priority " + std::to_string(filter_priority) + ": " + failure.message;
  Failure ignored;  // the first failure is the one to report
  if (made_qdisc) remove_qdisc(socket, interface, ignored);
  return false;
}

void remove_classifier(uint32_t interface, End end, bool with_qdisc) {
  NetlinkSocket socket;
  Failure ignored;
  if (!socket.open(0, ignored)) return;
  remove_filter(socket, interface, end, ignored);
  if (with_qdisc) remove_qdisc(socket, interface, ignored);
}

bool clean_classifier(uint32_t interface, Failure& failure) {
  NetlinkSocket socket;
  return socket.open(0, failure) && clean(socket, interface, {}, failure);
}

bool clean_classifiers(const Staying& staying, Failure& failure) {
  NetlinkSocket socket;
  if (!socket.open(0, failure)) return false;
  std::vector<uint32_t> interfaces;
  NetlinkRequest qdiscs(RTM_GETQDISC, NLM_F_DUMP, message_of(0, 0));
  const auto visit = [&](const NetlinkMessage& message) {
    if (attributes_after<tcmsg>(message.body).text(TCA_KIND) != "clsact") return;
    interfaces.push_back(static_cast<uint32_t>(read_fixed<tcmsg>(message.body).tcm_ifindex));
  };
  if (!socket.ask(qdiscs, visit, failure)) return false;
  return std::ranges::all_of(interfaces,
                             [&](uint32_t interface) { return clean(socket, interface, staying, failure); });
}

}  // namespace sluice::host
