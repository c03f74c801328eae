// SPDX-License-Identifier: Apache-2.0
// Firewall marks as the director itself gives them: rules in the place of a firewall's, which a packet socket comes
// before. The first rule that fits a packet gives its mark.
//
// As in IPVS a mark says which service a packet opens a flow of, so rules are asked for packets without a flow alone.
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

// What is not set is not asked for.
struct MarkRule {
  struct Network {
    wire::Address address;
    uint8_t prefix_length = 0;
  };
  struct PortRange {
    uint16_t first = 0, last = 0;
  };
  uint32_t mark = 0;
  PortId port = no_port_id;  // where the packet comes in
  std::optional<Network> source, destination;
  uint8_t protocol = 0;            // of those with ports; 0: any
  std::optional<PortRange> ports;  // of the destination
};

// A packet as the rules ask for it.
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
  // The rule's number from 0.
  std::optional<size_t> find(const MarkedPacket& packet) const;
  // Whether the datagram that a later fragment belongs to may get a mark: by its first's ports, which it does not have.
  bool may_mark_datagram(const MarkedPacket& fragment) const;

 private:
  // An address is in a network when it equals `value` where `mask` has bits; family and prefix are compiled into both.
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
  std::vector<Compiled> compiled_;  // of each rule
};

// "tcp to 10.0.1.100/32 ports 8000-8100"
std::string to_text(const MarkRule& rule);

}  // namespace sluice::director
