// SPDX-License-Identifier: Apache-2.0
// Limits the ICMP errors per receiver with token buckets, as the kernel does (one error per second, six at once).
// Memory is bounded: receivers that share a place replace each other, and the place forgets what the old receiver had
// spent.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/time.h"
#include "director/network/route_table.h"
#include "wire/address.h"

namespace sluice::director {

class IcmpLimit {
 public:
  static constexpr Time default_burst = 6;

  explicit IcmpLimit(Time burst = default_burst) : burst_(burst), buckets_(places) {}

  // Whether one more error may go to `receiver`. An IPv6 receiver gets four per second, as the kernel allows for a
  // network of 64 bits.
  bool admit(const wire::Address& receiver, Time now) {
    Bucket& bucket = buckets_[AddressHash{}(receiver) % places];
    const Time interval = receiver.family == wire::Family::ipv4 ? second : second / 4;
    const Time full = interval * burst_;
    if (!bucket.used || !(bucket.receiver == receiver)) bucket = {receiver, full, now, true};
    bucket.tokens = std::min(full, bucket.tokens + (now > bucket.last ? now - bucket.last : 0));
    bucket.last = now;
    if (bucket.tokens < interval) return false;
    bucket.tokens -= interval;
    return true;
  }

 private:
  static constexpr size_t places = 4096;
  struct Bucket {
    wire::Address receiver;
    Time tokens = 0;  // in nanoseconds
    Time last = 0;
    bool used = false;
  };
  Time burst_;
  std::vector<Bucket> buckets_;
};

// Limits the ICMP errors to all receivers together: in a flood from forged sources, every receiver differs.
class IcmpBudget {
 public:
  IcmpBudget(uint32_t a_second, uint32_t at_once)
      : interval_(second / std::max<uint32_t>(a_second, 1)), full_(interval_ * at_once), tokens_(full_) {}

  bool admit(Time now) {
    tokens_ = std::min(full_, tokens_ + (now > last_ ? now - last_ : 0));
    last_ = now;
    if (tokens_ < interval_) return false;
    tokens_ -= interval_;
    return true;
  }

 private:
  Time interval_, full_, tokens_;  // in nanoseconds
  Time last_ = 0;
};

}  // namespace sluice::director
