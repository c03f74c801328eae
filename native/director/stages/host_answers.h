// SPDX-License-Identifier: Apache-2.0
// The answers of a host's own stack, given in its place.
//
// Theory of operation
//
// On live traffic a program at ingress takes what belongs to the director, and the host's stack never sees it. What the
// director then has no use for (verdict `pass`) would meet silence: a client whose flow is no longer known, after an
// idle timeout or a failover, would wait for minutes. A balancer that is a kernel has the virtual address on one of its
// interfaces, and its stack answers such a packet. So this stage does, byte for byte as Linux 6.1
// (lab/ipvs-oracle/scenarios/host):
//
//   TCP               reset, by the rules of RFC 9293 3.10.7.1; never for a RST, never for a wrong checksum
//   UDP               port unreachable from the address that was asked (RFC 1122 4.1.3.1); not for a wrong checksum
//   ICMP, ICMPv6      nothing: icmp.cc answers echo requests, and an error is never answered
//   other protocols   protocol unreachable (RFC 1122 3.2.2.1); in IPv6 a parameter problem (RFC 8200 4)
//
// Only packets that ingress took are answered: all that is addressed to an address which the director alone has, and of
// an address which the host has too the services' and the pools' ports. Everything else is answered by the host.
//
// Who is not told: senders that no host can be, this host's own addresses, and networks' broadcast addresses (the
// kernel answers those; decision 8). Fragments are not answered: the kernel answers a whole datagram, which is not
// here.
//
// ICMP errors have two limits: one for each receiver, as all of the director's errors (net.ipv4.icmp_ratelimit), and
// one for all together (net.ipv4.icmp_msgs_per_sec). The kernel does not limit these resets, and neither does this
// stage: a reset is not longer than the segment that causes it.
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

  // The switch host_answers: off, nobody is told anything.
  void set_enabled(bool is_enabled) { is_enabled_ = is_enabled; }

  // What becomes of a packet for which the director has decided: the same, or the answer to it.
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
