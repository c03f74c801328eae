// SPDX-License-Identifier: Apache-2.0
// Firewall marks that the director sets itself. These rules replace those of a firewall, because a packet socket gets
// packets before the firewall does. The first rule that matches a packet gives its mark.
//
// As in IPVS, a mark says for which service a packet opens a flow. So rules are applied only to packets without a flow.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "director/network/frame.h"
#include "wire/address.h"

namespace sluice::director {

// A condition that is not set matches every packet.
struct MarkRule {
  struct Network {
    wire::Address address;
    uint8_t prefix_length = 0;
  };
  struct PortRange {
    uint16_t first = 0, last = 0;
  };
  uint32_t mark = 0;
  PortId port = no_port_id;  // the port that receives the packet
  std::optional<Network> source, destination;
  uint8_t protocol = 0;            // of those with ports; 0: any
  std::optional<PortRange> ports;  // of the destination
};

// What the rules compare of a packet.
struct MarkedPacket {
  PortId port = 0;
  uint8_t protocol = 0;
  wire::Address source, destination;
  std::optional<uint16_t> destination_port;  // of TCP, UDP and SCTP, but not in later fragments
};

class FirewallMarks {
 public:
  void set(std::vector<MarkRule> rules);
  bool empty() const { return rules_.empty(); }
  const std::vector<MarkRule>& rules() const { return rules_; }
  // The rule's index.
  std::optional<size_t> find(const MarkedPacket& packet) const;
  // Whether the datagram of a later fragment may get a mark. That depends on the ports, which only the first fragment
  // has.
  bool may_mark_datagram(const MarkedPacket& fragment) const;

 private:
  // An address is in a network if `address & mask == value`. The family and the prefix are compiled into both.
  struct Match {
    bool is_asked = false;
    wire::Family family = wire::Family::ipv4;
    std::array<uint64_t, 2> value{}, mask{};
    static Match of(const std::optional<MarkRule::Network>& network);
    bool fits(const wire::Address& address) const;
  };
  struct Compiled {
    Match source, destination;
  };
  bool fits_ends(size_t number, const MarkedPacket& packet) const;

  std::vector<MarkRule> rules_;
  std::vector<Compiled> compiled_;  // one per rule
};

// "tcp to 10.0.1.100/32 ports 8000-8100"
std::string to_text(const MarkRule& rule);

}  // namespace sluice::director
