// SPDX-License-Identifier: Apache-2.0
// clang-format off
// Stealing: the host's stack does not see what belongs to the director, and sees everything else.
//
// A packet socket for ETH_P_ALL gets a copy of a frame before the interface's ingress, where the host's own is dropped.
// Three ways to drop it, of which `automatic` takes the first that the kernel has:
//
//   tcx       The BPF program hangs on a link that this process holds. Nothing is left of it, whatever ends the process.
//   clsact    The same program as a classifier of traffic control. A process that is killed leaves the classifier behind,
//             with its maps: it goes on stealing what it stole.
//   nftables  Rules at netdev ingress, which are left behind too. They know nothing of fragments' firsts or of what ICMP
//             errors quote in IPv6, and there is no filter for the packet socket: the director passes what is not its own.
//
// What was left behind stays in force until the next process has filled its own tables: the first update() replaces it.
// remove_left_overs() removes it without a successor.
//
// Capabilities, as tried with an ordinary user on kernels 6.1 and 6.18:
//
//   CAP_BPF, CAP_PERFMON  to create maps and load the programs (attach(), load_fanout(), the first divert()). Without
//                         CAP_PERFMON the verifier refuses them: the compiler puts pointers and numbers into the same
//                         places of the stack. Neither is needed afterwards
//   CAP_NET_ADMIN         for clsact and nftables; tcx asks for none once the program is loaded
//
// One thread uses an object at a time. Interfaces are those of the calling thread's network namespace.
// clang-format on
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bpf/steal.generated.h"
#include "host/bpf.h"
#include "host/descriptor.h"
#include "host/diversion.h"
#include "host/failure.h"
#include "host/host_reply_programs.h"
#include "host/owned_traffic.h"
#include "host/steal_programs.h"
#include "host/steal_tables.h"
#include "host/steering.h"

namespace sluice::host {

enum class StealWay : uint8_t { automatic, tcx, clsact, nftables };

class Steal {
 public:
  ~Steal();
  Steal(const Steal&) = delete;
  Steal& operator=(const Steal&) = delete;

  // nullptr with a failure. Nothing is stolen before the first update().
  static std::unique_ptr<Steal> attach(std::span<const uint32_t> interfaces, StealWay way, Failure& failure);

  // For an interface that has come later. An interface that was removed and comes back has a new index.
  bool add(uint32_t interface, Failure& failure);
  void remove(uint32_t interface);

  // Frames of an interface that are the director's alone go to AF_XDP sockets from now on, until the interface is
  // removed. All other frames take the ordinary way. Needs BPF.
  bool divert(const Diversion::Lane& lane, Failure& failure);
  void readdress(uint32_t interface, const wire::MacAddress& mac);

  // The programs that bring replies of the host's stack back, loaded when they are first asked for. nullptr with a
  // failure: there are none with nftables.
  HostReplyPrograms* host_replies(Failure& failure);

  // All flows of all workers, for an update that changes which worker has a client.
  using FlowSource = std::function<void(const std::function<void(const PlacedFlow&)>& visit)>;

  // From now on exactly this is stolen. What was stolen before and still is to be stolen is never left to the host in
  // between. After a failure, such as a full map, the old and a part of the new are stolen, until the next update.
  // Flows go on meeting the worker that has them, however their service is steered from now on (bpf/steering.h).
  bool update(const OwnedTraffic& owned_traffic, Failure& failure, const FlowSource& flows = {});
  // Flows beyond what the map of strays holds: their packets meet another worker now.
  uint64_t lost_strays() const { return lost_strays_; }

  // To whom a frame that an interface receives would belong, and which worker would get it. The programs that decide
  // about live frames are run on this one. Nothing where there are no programs (nftables). `is_for_host`: the frame is
  // addressed to the interface, whose address is `own`, or to everybody.
  struct Judgement {
    bpf::steal_owner owner = bpf::STEAL_NOTHING;
    uint32_t worker = 0;
  };
  std::optional<Judgement> judge(wire::Bytes frame, uint32_t interface, const wire::MacAddress& own,
                                 bool is_for_host) const;

  StealWay way() const { return way_; }
  // Why the first of the three ways is not used. Empty if it is used.
  const std::string& notice() const { return notice_; }

  // Before fanout() is asked for. False with nftables: several workers need BPF.
  bool load_fanout(Failure& failure);

  // For SO_ATTACH_BPF of a packet socket (SOCK_RAW), and for PACKET_FANOUT_DATA of PACKET_FANOUT_EBPF, whose sockets
  // must have joined in the order of the workers; -1 with nftables.
  int socket_filter() const { return programs_.filter.get(); }
  int fanout() const { return programs_.fanout.get(); }
  int ingress() const { return programs_.ingress.get(); }
  // With tcx: as long as any process holds the links, what was stolen last stays stolen.
  std::vector<int> links() const;

  // For a process that ends in good order: removes everything from the interfaces, also what another process has left.
  // Without give_back() the destructor keeps what another process has left, unless update() has replaced it.
  void give_back();
  // The destructor leaves everything on the interfaces, for the next process. Links of tcx stay as long as somebody
  // holds them.
  void leave_behind() { is_left_behind_ = true; }
  // Removes what processes have left on the interfaces of this network namespace.
  static bool remove_left_overs(Failure& failure);

 private:
  struct Attachment {
    Descriptor link;            // tcx
    bool made_qdisc = false;    // clsact
    bool is_left_over = false;  // clsact: a process before has left a classifier
    bool is_waiting = false;    // clsact: it is replaced by the first update()
  };
  Steal() = default;
  bool attach_one(uint32_t interface, Attachment& attachment, Failure& failure);
  void detach_one(uint32_t interface, const Attachment& attachment);
  bool attach_all(std::span<const uint32_t> interfaces, Failure& failure);
  bool apply(const OwnedTraffic& owned_traffic, const FlowSource& flows, Failure& failure);
  void detach_all();
  bool replace_left_overs(Failure& failure);
  bool begin_change(const bpf::steal_settings& settings, const FlowSource& flows);
  bool hold_settings(const bpf::steal_settings& settings, Failure& failure);
  bool keep_if_stray(const PlacedFlow& flow, uint32_t edition, uint32_t workers);
  void forget_strays();
  bool add_marks(const RuleTables& next, uint16_t& edition, Failure& failure);
  bool add_tuples(Failure& failure);
  bool add_places(Failure& failure);
  bool remove_places(Failure& failure);
  bool remove_tuples(Failure& failure);
  template <class Table>
  bool add_new(bpf::Map map, Table& current, const Table& next, Failure& failure);
  template <class Table>
  bool remove_old(bpf::Map map, Table& current, const Table& next, Failure& failure);

  StealWay way_ = StealWay::automatic;
  std::string notice_;
  StealPrograms programs_;
  std::map<uint32_t, Attachment> attachments_;
  std::optional<Diversion> diversion_;               // once one was asked for
  std::unique_ptr<HostReplyPrograms> host_replies_;  // likewise
  StealTables tables_;                               // of places and tuples
  RuleTables current_;                               // what the other maps hold
  uint16_t marks_edition_ = 1;                       // of the rules of firewall marks that hold
  RuleTables::Marks other_marks_;                    // what the maps hold of the other edition
  uint32_t steering_edition_ = 0;                    // that holds
  bool is_filled_ = false;                           // update() was called: what was left behind is gone
  uint64_t lost_strays_ = 0;
  bool is_left_behind_ = false;
  OwnedTraffic owned_traffic_;  // nftables: what the rules were made from
};

}  // namespace sluice::host
