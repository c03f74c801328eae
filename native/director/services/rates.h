// SPDX-License-Identifier: Apache-2.0
// Rates of a service or of a real server, as `ipvsadm -Ln --rate` shows them: the kernel's estimator, an average in
// which each two seconds count a quarter of all before.
#pragma once

#include <cstdint>

#include "core/time.h"
#include "director/services/counters.h"

namespace sluice::director {

class Rates {
 public:
  static constexpr Time interval = 2'000'000'000;

  // Takes a sample when the last one is `interval` old. The first only notes the counts: after a crash they are not
  // zero.
  void sample(const Counters& now, Time at) {
    const bool is_zeroed = now.connections < last_.connections || now.packets_in < last_.packets_in;
    if (sampled_ == 0 || is_zeroed) {
      *this = {};
      last_ = now;
      sampled_ = at;
    }
    const Time since = at - sampled_;
    if (since < interval) return;
    sampled_ = at;
    average(connections_, now.connections - last_.connections, since, fraction_bits);
    average(packets_in_, now.packets_in - last_.packets_in, since, fraction_bits);
    average(packets_out_, now.packets_out - last_.packets_out, since, fraction_bits);
    average(bytes_in_, now.bytes_in - last_.bytes_in, since, byte_fraction_bits);
    average(bytes_out_, now.bytes_out - last_.bytes_out, since, byte_fraction_bits);
    last_ = now;
  }

  // A second, rounded up.
  Counters per_second() const {
    return {whole(connections_, fraction_bits), whole(packets_in_, fraction_bits), whole(packets_out_, fraction_bits),
            whole(bytes_in_, byte_fraction_bits), whole(bytes_out_, byte_fraction_bits)};
  }

 private:
  // As in the kernel. A share of a byte interests nobody.
  static constexpr int fraction_bits = 10, byte_fraction_bits = 5;

  static void average(uint64_t& rate, uint64_t counted, Time since, int bits) {
    const double now = static_cast<double>(counted << bits) * 1e9 / static_cast<double>(since);
    rate += static_cast<uint64_t>((static_cast<int64_t>(now) - static_cast<int64_t>(rate)) >> 2);
  }
  static uint64_t whole(uint64_t rate, int bits) { return (rate + (uint64_t{1} << (bits - 1)) - 1) >> bits; }

  Counters last_;
  Time sampled_ = 0;
  uint64_t connections_ = 0, packets_in_ = 0, packets_out_ = 0, bytes_in_ = 0, bytes_out_ = 0;
};

}  // namespace sluice::director
