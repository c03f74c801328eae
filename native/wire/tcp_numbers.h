// SPDX-License-Identifier: Apache-2.0
// Numbers in TCP headers that the director changes: sequence numbers, windows, and those in options. In packets, and in
// the quotations of ICMP errors.
#pragma once

#include <algorithm>

#include "wire/checksum.h"
#include "wire/tcp.h"

namespace sluice::wire {

inline constexpr size_t timestamp_data_length = 8, sack_block_length = 8;

// Offsets in a quoted header. A quotation may end anywhere.
namespace quoted_at {
inline constexpr size_t sequence = 4, acknowledgement = 8, header_length = 12, flags = 13, window = 14;
}  // namespace quoted_at

template <typename Change>
void change_be32(uint8_t* at, Change change) {
  store_be32(at, change(load_be32(at)));
}

// The sum over the parts of the header that hold these numbers.
inline Sum sum_of_numbers(MutableTcpView header) {
  const Bytes options = header.options();
  const Sum fixed =
      Sum{raw16(header.window())} + __builtin_bswap32(header.sequence()) + __builtin_bswap32(header.acknowledgement());
  return sum_bytes(options, fixed);
}

// Makes the change and returns what it adds to a sum over the segment, for a finished checksum (updated_checksum).
template <typename Change>
Sum change_numbers(MutableTcpView header, Change change) {
  const uint16_t before = fold(sum_of_numbers(header));
  change();
  return change16(before, fold(sum_of_numbers(header)));
}

// Visits the options of an established connection that hold sequence numbers or timestamps. A malformed list ends the
// walk; the options before the fault have been rewritten.
template <typename Visit>
void each_option(MutableBytes options, Visit visit) {
  OptionWalk walk(options);
  for (Option option; walk.next(option);) visit(option, options.data() + option.at + 2);
}

// --- quotations, as far as their bytes go ---

inline void move_quoted(MutableBytes quoted, size_t at, uint32_t by) {
  if (quoted.size() < at + 4) return;
  change_be32(quoted.data() + at, [&](uint32_t value) { return value + by; });
}

// Visits the options that are quoted as a whole.
template <typename Visit>
void each_quoted_option(MutableBytes quoted, Visit visit) {
  constexpr size_t fixed = TcpView::minimum_header_length;
  if (quoted.size() <= fixed) return;
  const size_t header = size_t{quoted[quoted_at::header_length]} / 16 * 4;
  if (header <= fixed) return;
  each_option(quoted.subspan(fixed, std::min(header, quoted.size()) - fixed), visit);
}

// Whether a quoted segment acknowledges data. True also if the quotation ends before the flags.
inline bool may_acknowledge(Bytes quoted) {
  return quoted.size() <= quoted_at::flags || (quoted[quoted_at::flags] & tcp_flag::ack) != 0;
}

}  // namespace sluice::wire
