// SPDX-License-Identifier: Apache-2.0
#include "wire/tcp.h"

#include "wire/address.h"
#include "wire/text.h"

namespace sluice::wire {

namespace {

// In tcpdump's order; tcpdump prints the acknowledgement as a dot.
constexpr std::array<NumberName, 8> flag_letters = {{
    {tcp_flag::fin, "F"},
    {tcp_flag::syn, "S"},
    {tcp_flag::rst, "R"},
    {tcp_flag::psh, "P"},
    {tcp_flag::ack, "."},
    {tcp_flag::urg, "U"},
    {tcp_flag::ece, "E"},
    {tcp_flag::cwr, "W"},
}};

void print_flags(std::string& out, uint8_t flags) {
  out += "Flags [";
  if (flags == 0) out += "none";
  for (const NumberName& letter : flag_letters) {
    if ((flags & letter.number) != 0) out += letter.name;
  }
  out += "]";
}

void print_sack(std::string& out, Bytes data) {
  if (data.size() % 8 != 0) {
    out += "malformed sack";
    return;
  }
  append(out, "sack %zu ", data.size() / 8);
  for (size_t at = 0; at < data.size(); at += 8) {
    append(out, "{%u:%u}", load_be32(data.data() + at), load_be32(data.data() + at + 4));
  }
}

void print_hex(std::string& out, Bytes data) {
  for (const uint8_t byte : data) append(out, "%02x", byte);
}

void print_option(std::string& out, const Option& option) {
  const Bytes data = option.data;
  if (option.kind == OptionWalk::no_operation) {
    out += "nop";
  } else if (option.kind == tcp_option::mss && data.size() == 2) {
    append(out, "mss %u", load_be16(data.data()));
  } else if (option.kind == tcp_option::window_scale && data.size() == 1) {
    append(out, "wscale %u", data[0]);
  } else if (option.kind == tcp_option::sack_permitted && data.empty()) {
    out += "sackOK";
  } else if (option.kind == tcp_option::sack) {
    print_sack(out, data);
  } else if (option.kind == tcp_option::timestamp && data.size() == 8) {
    append(out, "TS val %u ecr %u", load_be32(data.data()), load_be32(data.data() + 4));
  } else if (option.kind == tcp_option::toa && (data.size() == 6 || data.size() == 18)) {
    const Address client =
        data.size() == 6 ? Address(Ipv4Address::load(&data[2])) : Address(Ipv6Address::load(&data[2]));
    append(out, "toa %s.%u", to_string(client).c_str(), load_be16(data.data()));
  } else {
    append(out, "unknown-%u", option.kind);
    if (!data.empty()) out += " 0x";
    print_hex(out, data);
  }
}

// False if an option has a wrong length: nothing after it can be read.
bool print_options(std::string& out, Bytes options) {
  out += ", options [";
  const size_t start = out.size();
  const auto separate = [&] {
    if (out.size() > start) out += ",";
  };
  OptionWalk walk(options);
  Option option;
  size_t seen = 0;
  while (walk.next(option)) {
    separate();
    print_option(out, option);
    seen = option.at + (option.kind == OptionWalk::no_operation ? 1 : option.data.size() + 2);
  }
  if (walk.reason() != Malformed::ok) {
    separate();
    out += "[bad opt]";
    return false;
  }
  if (seen < options.size()) {
    separate();
    out += "eol";
  }
  out += "]";
  return true;
}

}  // namespace

size_t emit(const TcpFields& fields, uint8_t* to) {
  const size_t length = TcpView::minimum_header_length + fields.options.size();
  store_be16(to, fields.source_port);
  store_be16(to + 2, fields.destination_port);
  store_be32(to + 4, fields.sequence);
  store_be32(to + 8, fields.acknowledgement);
  to[12] = static_cast<uint8_t>(length / 4 << 4);
  to[13] = fields.flags;
  store_be16(to + 14, fields.window);
  store_be16(to + 16, 0);
  store_be16(to + 18, fields.urgent_pointer);
  if (!fields.options.empty()) {
    std::memcpy(to + TcpView::minimum_header_length, fields.options.data(), fields.options.size());
  }
  return length;
}

void print(std::string& out, TcpView tcp, size_t length) {
  constexpr uint8_t shows_sequence = tcp_flag::syn | tcp_flag::fin | tcp_flag::rst;
  print_flags(out, tcp.flags());
  if (length > 0 || (tcp.flags() & shows_sequence) != 0) {
    append(out, ", seq %u", tcp.sequence());
    if (length > 0) append(out, ":%u", static_cast<uint32_t>(tcp.sequence() + length));
  }
  if (tcp.has(tcp_flag::ack)) append(out, ", ack %u", tcp.acknowledgement());
  append(out, ", win %u", tcp.window());
  if (tcp.has(tcp_flag::urg)) append(out, ", urg %u", tcp.urgent_pointer());
  if (!tcp.options().empty() && !print_options(out, tcp.options())) return;
  append(out, ", length %zu", length);
}

}  // namespace sluice::wire
