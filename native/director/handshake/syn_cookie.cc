// SPDX-License-Identifier: Apache-2.0
#include "director/handshake/syn_cookie.h"

#include <algorithm>

#include "wire/tcp_numbers.h"

namespace sluice::director {
namespace {

constexpr unsigned option_bits = 8;
constexpr uint16_t assumed_mss_ipv4 = 536, assumed_mss_ipv6 = 1220;

const std::array<uint16_t, 8>& mss_table(wire::Family family) {
  return family == wire::Family::ipv4 ? mss_table_ipv4 : mss_table_ipv6;
}

// If a client's MSS is below the whole table, it gets the first entry: no path needs less.
uint8_t encode(const SynOptions& options, wire::Family family) {
  const uint16_t assumed = family == wire::Family::ipv4 ? assumed_mss_ipv4 : assumed_mss_ipv6;
  const uint16_t mss = options.mss != 0 ? options.mss : assumed;
  const auto& table = mss_table(family);
  const auto above = std::upper_bound(table.begin() + 1, table.end(), mss);
  const auto index = static_cast<unsigned>(above - table.begin()) - 1;
  return static_cast<uint8_t>(index << 5 | (options.window_scale & 15u) << 1 | (options.sack_permitted ? 1u : 0u));
}

SynOptions decode(uint8_t bits, wire::Family family) {
  SynOptions options;
  options.mss = mss_table(family)[bits >> 5];
  options.window_scale = bits >> 1 & 15;
  options.sack_permitted = (bits & 1) != 0;
  return options;
}

uint32_t cookie_of(const CookieFlow& flow, uint32_t client_sequence, uint8_t bits, uint32_t slot, core::SipKey key) {
  uint64_t words[4];
  std::memcpy(&words[0], flow.client.bytes.data(), 16);
  std::memcpy(&words[2], flow.virtual_address.bytes.data(), 16);
  core::SipHash<2, 4> hash(key);
  for (uint64_t word : words) hash.add(word);
  hash.add(uint64_t{client_sequence} << 32 | uint64_t{flow.client_port} << 16 | flow.virtual_port);
  const uint64_t tail = uint64_t{slot} << 8 | bits;
  const uint64_t tag = hash.finish(tail, sizeof words + 8 + 5);
  return static_cast<uint32_t>(tag >> 40) << option_bits | bits;
}

}  // namespace

SynOptions read_syn_options(wire::Bytes bytes) {
  SynOptions result;
  wire::OptionWalk walk(bytes);
  for (wire::Option option; walk.next(option);) {
    const wire::Bytes data = option.data;
    if (option.kind == wire::tcp_option::mss && data.size() == 2) {
      result.mss = wire::load_be16(data.data());
    } else if (option.kind == wire::tcp_option::window_scale && data.size() == 1) {
      result.window_scale = std::min(data[0], SynOptions::greatest_window_scale);
    } else if (option.kind == wire::tcp_option::sack_permitted && data.empty()) {
      result.sack_permitted = true;
    } else if (option.kind == wire::tcp_option::timestamp && data.size() == wire::timestamp_data_length) {
      result.timestamps = true;
      result.timestamp = wire::load_be32(data.data());
      result.timestamp_echo = wire::load_be32(data.data() + 4);
    }
  }
  return result;
}

size_t write_syn_options(const SynOptions& options, std::array<uint8_t, 20>& out) {
  namespace kind = wire::tcp_option;
  constexpr uint8_t nop = wire::OptionWalk::no_operation;
  uint8_t* at = out.data();
  const auto put = [&at](std::initializer_list<uint8_t> bytes) { at = std::copy(bytes.begin(), bytes.end(), at); };
  if (options.mss != 0) {
    put({kind::mss, 4, static_cast<uint8_t>(options.mss >> 8), static_cast<uint8_t>(options.mss)});
  }
  if (options.timestamps) {
    if (options.sack_permitted) {
      put({kind::sack_permitted, 2});
    } else {
      put({nop, nop});
    }
    put({kind::timestamp, 10});
    wire::store_be32(at, options.timestamp);
    wire::store_be32(at + 4, options.timestamp_echo);
    at += wire::timestamp_data_length;
  } else if (options.sack_permitted) {
    put({nop, nop, kind::sack_permitted, 2});
  }
  if (options.window_scale != SynOptions::no_window_scale) put({nop, kind::window_scale, 3, options.window_scale});
  return static_cast<size_t>(at - out.data());
}

void CookieSecrets::renew(Time now, const RandomSource& random) {
  const uint32_t slot = slot_at(now);
  if (renewed_ && slot == slot_) return;
  const auto draw = [&random] {
    const uint64_t high = random();
    return high << 32 | random();
  };
  const bool next_one = renewed_ && slot == slot_ + 1;
  for (uint32_t n : {slot, slot - 1}) {
    if (n == slot - 1 && next_one) continue;
    core::SipKey& key = keys_[n % keys_.size()];
    key.k0 = draw();
    key.k1 = draw();
  }
  slot_ = slot;
  renewed_ = true;
}

uint32_t make_cookie(const CookieFlow& flow, uint32_t client_sequence, const SynOptions& options,
                     const CookieSecrets& secrets) {
  const uint32_t slot = secrets.slot();
  return cookie_of(flow, client_sequence, encode(options, flow.client.family), slot, secrets.key_of(slot));
}

std::optional<SynOptions> open_cookie(const CookieFlow& flow, uint32_t client_sequence, uint32_t cookie,
                                      const CookieSecrets& secrets) {
  const uint8_t bits = static_cast<uint8_t>(cookie);
  for (uint32_t slot : {secrets.slot(), secrets.slot() - 1}) {
    if (cookie_of(flow, client_sequence, bits, slot, secrets.key_of(slot)) == cookie) {
      return decode(bits, flow.client.family);
    }
  }
  return std::nullopt;
}

namespace {

template <typename Change>
void change_be16(wire::MutableBytes bytes, size_t at, Change change) {
  if (bytes.size() < at + 2) return;
  wire::store_be16(bytes.data() + at, static_cast<uint16_t>(std::min<uint64_t>(
                                          change(uint64_t{wire::load_be16(bytes.data() + at)}), 0xffff)));
}

}  // namespace

void unquote_to_client(wire::MutableBytes quoted, const Splice& splice) {
  wire::move_quoted(quoted, wire::quoted_at::sequence, 0 - splice.sequence);
  change_be16(quoted, wire::quoted_at::window,
              [&](uint64_t window) { return window << splice.promised_scale >> splice.real_scale; });
  wire::each_quoted_option(quoted, [&](const wire::Option& option, uint8_t* data) {
    if (option.kind != wire::tcp_option::timestamp || option.data.size() != wire::timestamp_data_length) return;
    wire::change_be32(data, [&](uint32_t value) { return value - splice.timestamp; });
  });
}

void unquote_to_server(wire::MutableBytes quoted, const Splice& splice) {
  if (!wire::may_acknowledge(quoted)) return;
  wire::move_quoted(quoted, wire::quoted_at::acknowledgement, splice.sequence);
  change_be16(quoted, wire::quoted_at::window, [&](uint64_t window) { return window >> splice.client_scale; });
  wire::each_quoted_option(quoted, [&](const wire::Option& option, uint8_t* data) {
    if (option.kind == wire::tcp_option::timestamp && option.data.size() == wire::timestamp_data_length) {
      wire::change_be32(data + 4, [&](uint32_t echo) { return echo + splice.timestamp; });
    } else if (option.kind == wire::tcp_option::sack && option.data.size() % wire::sack_block_length == 0) {
      for (size_t edge = 0; edge < option.data.size(); edge += 4) {
        wire::change_be32(data + edge, [&](uint32_t number) { return number + splice.sequence; });
      }
    }
  });
}

wire::Sum to_client(wire::MutableTcpView header, const Splice& splice) {
  return wire::change_numbers(header, [&] {
    header.set_sequence(header.sequence() + splice.sequence);
    const uint64_t window = uint64_t{header.window()} << splice.real_scale >> splice.promised_scale;
    header.set_window(static_cast<uint16_t>(std::min<uint64_t>(window, 0xffff)));
    wire::each_option(header.options(), [&](const wire::Option& option, uint8_t* data) {
      if (option.kind != wire::tcp_option::timestamp || option.data.size() != wire::timestamp_data_length) return;
      wire::change_be32(data, [&](uint32_t value) { return value + splice.timestamp; });
    });
  });
}

wire::Sum to_server(wire::MutableTcpView header, const Splice& splice) {
  if (!header.has(wire::tcp_flag::ack)) return 0;  // without ACK the header says nothing about what the server has sent
  return wire::change_numbers(header, [&] {
    header.set_acknowledgement(header.acknowledgement() - splice.sequence);
    if (splice.client_scale != 0) {
      header.set_window(
          static_cast<uint16_t>(std::min<uint32_t>(uint32_t{header.window()} << splice.client_scale, 0xffff)));
    }
    wire::each_option(header.options(), [&](const wire::Option& option, uint8_t* data) {
      if (option.kind == wire::tcp_option::timestamp && option.data.size() == wire::timestamp_data_length) {
        wire::change_be32(data + 4, [&](uint32_t echo) { return echo - splice.timestamp; });
      } else if (option.kind == wire::tcp_option::sack && option.data.size() % wire::sack_block_length == 0) {
        for (size_t edge = 0; edge < option.data.size(); edge += 4) {
          wire::change_be32(data + edge, [&](uint32_t number) { return number - splice.sequence; });
        }
      }
    });
  });
}

}  // namespace sluice::director
