// SPDX-License-Identifier: Apache-2.0
// Options of IPv4 and TCP: a kind, a length that counts the kind and itself, and data. The kinds 0 (end of the list)
// and 1 (no operation) are single bytes.
#pragma once

#include "wire/malformed.h"

namespace sluice::wire {

struct Option {
  uint8_t kind = 0;
  Bytes data;     // without kind and length
  size_t at = 0;  // of the kind, from the start of the options
};

// One pass over the options. It stops at the end, at an end-of-list option, and at the first option with a wrong
// length.
class OptionWalk {
 public:
  static constexpr uint8_t end_of_list = 0;
  static constexpr uint8_t no_operation = 1;

  explicit OptionWalk(Bytes options) : options_(options) {}

  // If true, `option` holds the next option (no-operations included, end-of-list not).
  bool next(Option& option) {
    if (at_ >= options_.size()) return false;
    const uint8_t kind = options_[at_];
    if (kind == end_of_list) return stop(Malformed::ok);
    option.kind = kind;
    option.at = at_;
    if (kind == no_operation) {
      option.data = {};
      at_++;
      return true;
    }
    const size_t left = options_.size() - at_;
    if (left < 2) return stop(Malformed::bad_option);
    const size_t length = options_[at_ + 1];
    if (length < 2 || length > left) return stop(Malformed::bad_option);
    option.data = options_.subspan(at_ + 2, length - 2);
    at_ += length;
    return true;
  }
  // Why the walk stopped.
  Malformed reason() const { return reason_; }

 private:
  bool stop(Malformed reason) {
    reason_ = reason;
    at_ = options_.size();
    return false;
  }

  Bytes options_;
  size_t at_ = 0;
  Malformed reason_ = Malformed::ok;
};

}  // namespace sluice::wire
