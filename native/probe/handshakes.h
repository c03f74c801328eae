// SPDX-License-Identifier: Apache-2.0
// Connections that are opened as the packets of a service travel (TrafficWay): to the service's address, in a frame or
// a tunnel to one real server, which answers from the service's address. They find what a connection to the server's
// own address cannot: a service's address that is missing there, a tunnel that is not set up, a filter.
//
// Theory of operation. The kernel's TCP would send to the service's address by its routes, and would refuse answers
// from an address that this host may have itself. So the segments are written here, and answers are read from packet
// sockets, before the kernel looks at their addresses:
//
//   begin() ─▶ SYN ──▶ SYN+ACK: the server's TCP and its address work; a RST takes the connection back
//                  └─▶ RST, or an ICMP error about the SYN: refused
//
// - A bound socket reserves the local port, so that no other program of the host gets it at the same time.
// - Sequence numbers are SipHash of the exchange's id: nobody who has not seen the SYN can forge its answer.
// - A SYN is sent once: a probe's time is about that after which TCP would repeat it.
// - A frame needs the server's link-layer address. Where the kernel does not know it, or doubts it, a datagram to the
//   server's port 9 (discard) makes the kernel look. Until it knows, the SYNs to this server wait, and the kernel is
//   asked for the answer more and more seldom. A SYN that the sockets have no room for waits as well.
// - The kernel's TCP knows nothing of these connections. It answers a SYN+ACK with a RST to the service's address, by
// the
//   host's routes; where that ends, the reset is one of no connection.
// - The packet sockets have a filter: SYN+ACK, RST and ICMP errors of IPv4 and IPv6. Packets that are taken for the
//   director's services before do not come by (tcx), and nothing of the data path waits for these sockets.
#pragma once

#include <deque>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/siphash.h"
#include "core/time.h"
#include "host/descriptor.h"
#include "probe/exchange.h"
#include "probe/link_hop.h"
#include "probe/segments.h"

namespace sluice::probe {

class Handshakes {
 public:
  struct Answer {
    Id id = 0;
    int error = 0;  // 0: the connection can be opened
  };
  // collect() never reports more at once.
  static constexpr size_t most_answers = 128;

  explicit Handshakes(core::SipKey key) : key_(key) {}

  // 0, or errno; EACCES without CAP_NET_RAW.
  int open();
  // Readable when answers may have arrived.
  int fd() const { return epoll_.get(); }

  // 0, or errno. The exchange has to keep `reservation` until its end.
  int begin(Id id, const Request& request, Time now, host::Descriptor& reservation);
  void end(Id id);
  void collect(Time now, std::vector<Answer>& answers);
  // When collect() has to be called though nothing has arrived; 0: not at all.
  Time due() const;

 private:
  struct Pending {
    Ends ends;
    TrafficWay way;
    LinkHop hop;
  };
  // SYNs to a server whose link-layer address is not known yet; some of the exchanges may have ended.
  struct Waiting {
    LinkHop hop;
    std::vector<Id> ids;
    Time interval = 0, next_look = 0;
  };
  struct AddressOrder {
    bool operator()(const wire::Address& a, const wire::Address& b) const {
      return std::pair(a.family, a.bytes) < std::pair(b.family, b.bytes);
    }
  };
  int listen(uint16_t ethertype);
  uint32_t sequence_of(Id id) const;
  // 0, or errno; the SYN waits if the link-layer address is not known yet.
  int begin_frame(Id id, Pending& pending, Time now);
  // Sends it, or keeps it for later if there is no room.
  int send_syn(Id id, const Pending& pending, Time now);
  int send(const Pending& pending, const Packet& packet);
  int send_frame(const LinkHop& hop, const wire::Address& service, const Packet& packet);
  int send_wrapped(const Pending& pending, const Packet& packet);
  void look_again(Time now);
  // The SYNs of these exchanges, now that the server's address is known, or cannot be.
  void release(const Waiting& waiting, int error, Time now);
  void send_unsent(Time now);
  void receive(wire::Bytes packet);

  core::SipKey key_;
  host::Descriptor epoll_, frames_;
  std::vector<host::Descriptor> listeners_;
  std::map<std::pair<int, int>, host::Descriptor> tunnels_;  // raw sockets by family and protocol
  LinkHops hops_;
  std::unordered_map<Id, Pending> pending_;
  std::unordered_multimap<uint16_t, Id> by_port_;
  std::map<wire::Address, Waiting, AddressOrder> waiting_;  // by server
  std::vector<Id> unsent_;                                  // for which the sockets had no room; some may have ended
  Time next_send_ = 0;
  std::deque<Answer> answers_;  // not reported yet
  std::vector<uint8_t> buffer_;
};

}  // namespace sluice::probe
