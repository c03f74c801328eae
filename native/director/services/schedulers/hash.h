// SPDX-License-Identifier: Apache-2.0
// What the hashing schedulers hash, and the kernel's two hash functions for it.
#pragma once

#include <cstdint>

#include "core/siphash.h"
#include "director/services/scheduler.h"
#include "wire/bytes.h"

namespace sluice::director::schedulers {

// An address as 32 bits in host byte order; IPv6 by XOR of its four words. The family is the *service's*: for an IPv6
// server in an IPv4 service (through a tunnel) the kernel uses only the first word.
inline uint32_t fold_address(const wire::Address& address, wire::Family service) {
  const uint8_t* at = address.bytes.data();
  if (service == wire::Family::ipv4) return wire::load_be32(at);
  return wire::load_be32(at) ^ wire::load_be32(at + 4) ^ wire::load_be32(at + 8) ^ wire::load_be32(at + 12);
}

// The kernel's multiplicative hash: the top `bits` of the product with 2^32 divided by the golden ratio squared.
inline uint32_t hash_32(uint32_t value, unsigned bits) {
  return (value * 0x61c88647u) >> (32 - bits);
}

// The kernel's hsiphash() of one 32-bit number on a 64-bit machine: SipHash-1-3, cut to 32 bits.
inline uint32_t hsiphash(uint32_t value, core::SipKey key) {
  return static_cast<uint32_t>(core::SipHash<1, 3>(key).finish(value, sizeof value));
}

// The client's port for services that also hash it (sh-port, mh-port); otherwise 0.
inline uint16_t hashed_port(const ScheduleRequest& request, uint8_t flags) {
  return (flags & flag_2) != 0 ? request.client_port : 0;
}

}  // namespace sluice::director::schedulers
