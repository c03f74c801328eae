// SPDX-License-Identifier: Apache-2.0
// ICMP echo on ping sockets and raw sockets (RFC 792, RFC 4443): the request, and what belongs to it.
//
// The payload is SipHash of the exchange's id with a secret key. So nothing is remembered of a request, and nobody who
// has not seen the request can forge its answer.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "core/siphash.h"
#include "probe/exchange.h"

namespace sluice::probe {

class Echo {
 public:
  static constexpr size_t payload_size = 32;

  Echo(core::SipKey key, Id id);

  // 0, or errno.
  int send(int socket, bool is_ipv6) const;

  // The payload of the answer, if `received` is the answer to this request.
  std::optional<std::span<const uint8_t>> answer(std::span<const uint8_t> received, bool is_raw, bool is_ipv6) const;

  // Reads the socket's queue of errors. The errno that an ICMP error about this request told, or 0: a raw socket also
  // gets errors about the echoes of other programs, such as a traceroute to the same target.
  int error(int socket, bool is_raw) const;

 private:
  static constexpr size_t header_size = 8;
  using Message = std::array<uint8_t, header_size + payload_size>;

  bool is_of_this(std::span<const uint8_t> message, bool has_identifier) const;

  Message message_{};  // with type and checksum 0
};

}  // namespace sluice::probe
