// SPDX-License-Identifier: Apache-2.0
// Limits the new connections per second of one source.
//
// Theory of operation
//
// Each source (an address, or its network of a given length) has a token bucket, stored as one time: the time at which
// the bucket will be full again (the "theoretical arrival time" of the generic cell rate algorithm, ITU-T I.371). A new
// connection moves that time ahead by 1/rate. A connection that would move it more than `burst` connections ahead of
// now is refused. A time in the past means the same as no entry, so an idle source needs no entry, and no entry needs
// to be aged.
//
// Entries lie in a fixed array of sets of eight; a keyed hash chooses the set. A new source replaces one whose bucket
// is full; if none of the eight is full, the one that is nearest to full. So the limit is exact for the sources that
// open most connections. If there are more busy sources than entries, the others get at most a new burst each time
// (`displaced` counts).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/time.h"
#include "wire/address.h"

namespace sluice::director {

struct SourceLimitOptions {
  uint32_t rate = 0;           // connections per second; 0: no limit
  uint32_t burst = 1;          // connections at once after a pause
  uint8_t prefix = 255;        // length of a source's network; if longer than an address: the whole address
  uint32_t entries = 1 << 16;  // rounded up to a power of two; 1 MiB for IPv4
  uint64_t seed = 0;           // secret
};

template <class Address>
class SourceLimit {
 public:
  explicit SourceLimit(const SourceLimitOptions& options);

  // Whether `source` may open a connection now; if so, it is counted.
  bool admit(const Address& source, Time now);

  uint64_t refused() const { return refused_; }
  uint64_t displaced() const { return displaced_; }
  size_t memory_bytes() const { return sets_.size() * sizeof(Set); }

 private:
  static constexpr unsigned ways = 8;
  struct Set {
    std::array<Time, ways> full_at{};
    std::array<Address, ways> source{};
  };

  Set& set_of(const Address& network);

  Time interval_ = 0;   // between two connections; 0: no limit
  Time tolerance_ = 0;  // how far ahead of now a bucket may be so that a connection is admitted
  Address mask_;
  uint64_t seed_;
  std::vector<Set> sets_;
  uint64_t refused_ = 0, displaced_ = 0;
};

extern template class SourceLimit<wire::Ipv4Address>;
extern template class SourceLimit<wire::Ipv6Address>;

}  // namespace sluice::director
