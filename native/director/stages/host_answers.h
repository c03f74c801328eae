// SPDX-License-Identifier: Apache-2.0
// Gives the answers of a host's own stack in its place.
//
// Theory of operation
//
// On live traffic a program at ingress takes what belongs to the director, and the host's stack never sees it. If the
// director did not answer the packets that it does not use (verdict `pass`), a client whose flow is no longer known,
// after an idle timeout or a failover, would wait for minutes. On a kernel balancer an interface has the virtual
// address, and the host's stack answers such a packet. This stage gives the same answer, byte for byte as Linux 6.1
// (lab/ipvs-oracle/scenarios/host):
//
//   TCP               reset, by the rules of RFC 9293 3.10.7.1; never for a RST, never for a wrong checksum
//   UDP               port unreachable from the address that was asked (RFC 1122 4.1.3.1); not for a wrong checksum
//   ICMP, ICMPv6      nothing: icmp.cc answers echo requests, and an error is never answered
//   other protocols   protocol unreachable (RFC 1122 3.2.2.1); in IPv6 a parameter problem (RFC 8200 4)
//
// Only packets that ingress took are answered. If the director alone has the address, these are all packets to it. If
// the host also has the address, these are packets to ports of services and of pools. The host answers everything else.
//
// Not answered: senders that cannot be hosts, this host's own addresses, and broadcast addresses of networks (the
// kernel answers those; decision 8). Fragments are not answered either: the kernel answers a whole datagram, which is
// not here.
//
// ICMP errors have two limits: one per receiver, as all errors of the director (net.ipv4.icmp_ratelimit), and one for
// all together (net.ipv4.icmp_msgs_per_sec). The kernel does not limit these resets, and neither does this stage: a
// reset is not longer than the segment that causes it.
#pragma once

#include <optional>

#include "core/share.h"
#include "director/flows/verdict.h"
#include "director/network/icmp_limit.h"
#include "director/outgoing/transit.h"
#include "director/outgoing/transmitter.h"
#include "director/pools/local_pools.h"
#include "director/services/service_table.h"
#include "director/stages/own_addresses.h"

namespace sluice::director {

class HostAnswers {
 public:
  HostAnswers(Transmitter& transmitter, const ServiceTable& services, const LocalPools& pools,
              const OwnAddresses& own_addresses, const core::Share& share, bool limits_icmp);

  // The switch host_answers. If it is off, no packet is answered.
  void set_enabled(bool is_enabled) { is_enabled_ = is_enabled; }

  // The result for a packet about which the director has decided: the same decision, or the answer to the packet.
  template <class A>
  Decision answer(Transit<A>& t, const Decision& decision);

 private:
  template <class A>
  bool is_taken(const Transit<A>& t) const;
  template <class A>
  std::optional<Reason> tell(Transit<A>& t);
  template <class A>
  std::optional<Reason> reset(Transit<A>& t, const NextHop& hop);
  template <class A>
  std::optional<Reason> send_error(Transit<A>& t, const IcmpError& error, Reason reason);

  Transmitter& transmitter_;
  const ServiceTable& services_;
  const LocalPools& pools_;
  const OwnAddresses& own_addresses_;
  IcmpBudget budget_;
  bool limits_icmp_;
  bool is_enabled_ = true;
};

}  // namespace sluice::director
