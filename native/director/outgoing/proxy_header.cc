// SPDX-License-Identifier: Apache-2.0
#include "director/outgoing/proxy_header.h"

#include <algorithm>

#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/protocol.h"
#include "wire/tcp_numbers.h"

namespace sluice::director {

namespace {

namespace flag = wire::tcp_flag;

constexpr std::array<uint8_t, 12> signature = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
constexpr uint8_t version_2_proxy = 0x21;  // version 2, command PROXY
constexpr uint8_t tcp_over_ipv4 = 0x11, tcp_over_ipv6 = 0x21;
constexpr size_t fixed_length = 16;

// RFC 7413 4.1.1; and the shared kind of RFC 6994 with the number that Fast Open had before it got its own kind.
constexpr uint8_t fast_open = 34, experimental = 254;
constexpr uint16_t experimental_fast_open = 0xf989;

bool is_inside(uint32_t number, const InsertedHeader& header) {
  return number - header.first < header.length;
}

// The server's number as the client counts. After the server has the whole header, the header's own numbers return
// every 4 GiB: then they no longer mean the header.
uint32_t as_client_counts(uint32_t number, const InsertedHeader& header) {
  if (header.phase == InsertedHeader::Phase::sent) {
    if (is_inside(number, header)) return header.first;
  }
  return number - header.length;
}

// The client must not see blocks that only report the header (as a duplicate: RFC 2883).
void move_sack_blocks(uint8_t* option, size_t data_length, const InsertedHeader& header) {
  uint8_t* const data = option + 2;
  uint8_t* to = data;
  for (uint8_t* block = data; block < data + data_length; block += wire::sack_block_length) {
    const uint32_t left = wire::load_be32(block), right = wire::load_be32(block + 4);
    if (is_inside(left, header) && right - header.first <= header.length) continue;
    wire::store_be32(to, as_client_counts(left, header));
    wire::store_be32(to + 4, as_client_counts(right, header));
    to += wire::sack_block_length;
  }
  const auto left_over = static_cast<size_t>(data + data_length - to);
  std::fill_n(to == data ? option : to, to == data ? left_over + 2 : left_over, wire::OptionWalk::no_operation);
  if (to != data) option[1] = static_cast<uint8_t>(to - option);
}

// Reduces the window by the part of the header that the server has yet to receive.
void narrow_window(wire::MutableTcpView tcp, uint32_t missing, uint8_t scale) {
  const uint32_t less = (missing + (1U << scale) - 1) >> scale;
  tcp.set_window(static_cast<uint16_t>(tcp.window() - std::min<uint32_t>(tcp.window(), less)));
}

void set_length(const IpPacket& packet) {
  const wire::MutableBytes bytes(packet.data, packet.length);
  if (packet.family == wire::Family::ipv4) {
    wire::MutableIpv4View ip(bytes);
    ip.set_total_length(static_cast<uint16_t>(packet.length));
    ip.fill_checksum();
  } else {
    wire::MutableIpv6View(bytes).set_payload_length(
        static_cast<uint16_t>(packet.length - wire::Ipv6View::header_length));
  }
}

bool asks_for_fast_open(const wire::Option& option) {
  if (option.kind == fast_open) return true;
  return option.kind == experimental && option.data.size() >= 2 &&
         wire::load_be16(option.data.data()) == experimental_fast_open;
}

}  // namespace

uint8_t write_proxy_header(const wire::Address& client, const wire::Address& virtual_address, uint16_t client_port,
                           uint16_t virtual_port, std::array<uint8_t, longest_proxy_header>& to) {
  const bool is_v4 = client.family == wire::Family::ipv4;
  const size_t address_length = is_v4 ? 4 : 16;
  const uint8_t length = proxy_header_length(client.family);
  uint8_t* at = std::copy(signature.begin(), signature.end(), to.data());
  *at++ = version_2_proxy;
  *at++ = is_v4 ? tcp_over_ipv4 : tcp_over_ipv6;
  wire::store_be16(at, static_cast<uint16_t>(length - fixed_length));
  at = std::copy_n(client.bytes.begin(), address_length, at + 2);
  at = std::copy_n(virtual_address.bytes.begin(), address_length, at);
  wire::store_be16(at, client_port);
  wire::store_be16(at + 2, virtual_port);
  return length;
}

wire::Sum past_header_to_server(wire::MutableTcpView tcp, const InsertedHeader& header) {
  if (!header.is_in_connection() || tcp.has(flag::syn)) return 0;
  return wire::change_numbers(tcp, [&] { tcp.set_sequence(tcp.sequence() + header.length); });
}

wire::Sum past_header_to_client(wire::MutableTcpView tcp, const InsertedHeader& header) {
  using Phase = InsertedHeader::Phase;
  if (header.phase == Phase::none || !tcp.has(flag::ack)) return 0;
  if (tcp.has(flag::syn)) {  // the window of a SYN is unscaled
    return wire::change_numbers(tcp, [&] { narrow_window(tcp, header.length, 0); });
  }
  if (!header.is_in_connection()) return 0;
  return wire::change_numbers(tcp, [&] {
    const uint32_t acknowledged = tcp.acknowledgement();
    if (header.phase == Phase::sent && is_inside(acknowledged, header)) {
      narrow_window(tcp, header.length - (acknowledged - header.first), header.window_scale);
    }
    tcp.set_acknowledgement(as_client_counts(acknowledged, header));
    wire::each_option(tcp.options(), [&](const wire::Option& option, uint8_t* data) {
      const size_t length = option.data.size();
      if (option.kind != wire::tcp_option::sack || length % wire::sack_block_length != 0) return;
      move_sack_blocks(data - 2, length, header);
    });
  });
}

void unquote_past_header_to_server(wire::MutableBytes quoted, const InsertedHeader& header) {
  if (!header.is_in_connection() || quoted.size() < wire::quoted_at::sequence + 4) return;
  const uint32_t sequence = wire::load_be32(quoted.data() + wire::quoted_at::sequence);
  if (sequence + 1 == header.first) return;  // the SYN
  wire::store_be32(quoted.data() + wire::quoted_at::sequence, as_client_counts(sequence, header));
}

void unquote_past_header_to_client(wire::MutableBytes quoted, const InsertedHeader& header) {
  if (!header.is_in_connection() || !wire::may_acknowledge(quoted)) return;
  wire::move_quoted(quoted, wire::quoted_at::acknowledgement, header.length);
  wire::each_quoted_option(quoted, [&](const wire::Option& option, uint8_t* data) {
    if (option.kind != wire::tcp_option::sack || option.data.size() % wire::sack_block_length != 0) return;
    for (size_t edge = 0; edge < option.data.size(); edge += 4) {
      wire::change_be32(data + edge, [&](uint32_t number) { return number + header.length; });
    }
  });
}

bool remove_early_data(IpPacket& packet, uint32_t transport, bool partial) {
  wire::MutableTcpView tcp(wire::MutableBytes(packet.data + transport, packet.length - transport));
  const wire::Sum options = wire::change_numbers(tcp, [&] {
    wire::each_option(tcp.options(), [](const wire::Option& option, uint8_t* data) {
      if (asks_for_fast_open(option)) std::fill_n(data - 2, option.data.size() + 2, wire::OptionWalk::no_operation);
    });
  });
  const wire::Bytes data = tcp.payload();
  const auto before = static_cast<uint16_t>(packet.length - transport);
  const auto after = static_cast<uint16_t>(before - data.size());
  const wire::Sum length = wire::change16(wire::raw16(before), wire::raw16(after));
  if (partial) {
    tcp.set_checksum(wire::updated_partial(tcp.checksum(), length));
  } else {
    const auto without_data = static_cast<uint16_t>(~wire::fold(wire::sum_bytes(data)));
    tcp.set_checksum(wire::updated_checksum(tcp.checksum(), options + length + without_data));
  }
  if (data.empty()) return false;
  packet.length -= static_cast<uint32_t>(data.size());
  set_length(packet);
  return true;
}

}  // namespace sluice::director
