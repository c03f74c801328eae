// SPDX-License-Identifier: Apache-2.0
#include "director/network/text.h"

#include "wire/protocol.h"

namespace sluice::director {

std::string to_text(const wire::Address& address, uint16_t port) {
  const std::string host = wire::to_string(address);
  return (address.family == wire::Family::ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string_view protocol_text(uint8_t protocol) {
  switch (protocol) {
    case wire::protocol::tcp:
      return "tcp";
    case wire::protocol::udp:
      return "udp";
    case wire::protocol::sctp:
      return "sctp";
    case wire::protocol::icmp:
      return "icmp";
    case wire::protocol::icmpv6:
      return "icmpv6";
    default:
      return "ip";
  }
}

}  // namespace sluice::director
