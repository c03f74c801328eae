// SPDX-License-Identifier: Apache-2.0
#include "wire/icmpv6.h"

#include "wire/packet.h"
#include "wire/text.h"

namespace sluice::wire {

namespace {

constexpr std::array<NumberName, 2> type_names = {{
    {icmpv6_type::router_solicitation, "router solicitation"},
    {icmpv6_type::router_advertisement, "router advertisement"},
}};

void print_unreachable_port(std::string& out, const std::string& destination, const Packet& quoted) {
  append(out, "unreachable port, %s ", destination.c_str());
  if (quoted.protocol == protocol::tcp || quoted.protocol == protocol::udp) {
    append(out, "%s port %u", quoted.protocol == protocol::tcp ? "tcp" : "udp", quoted.destination_port);
  } else {
    append(out, "protocol %u port %u", quoted.protocol, quoted.destination_port);
  }
}

void print_unreachable(std::string& out, uint8_t code, Ipv6View packet, const Packet& quoted) {
  constexpr std::array<NumberName, 3> kinds = {{{icmpv6_code::no_route, "unreachable route"},
                                                {icmpv6_code::prohibited, "unreachable prohibited"},
                                                {icmpv6_code::address, "unreachable address"}}};
  const std::string destination = to_string(packet.destination());
  out += "destination unreachable, ";
  if (code == icmpv6_code::port) {
    print_unreachable_port(out, destination, quoted);
  } else if (code == icmpv6_code::beyond_scope) {
    append(out, "beyond scope %s, source address %s", destination.c_str(), to_string(packet.source()).c_str());
  } else if (const char* kind = find_name(kinds, code)) {
    append(out, "%s %s", kind, destination.c_str());
  } else {
    append(out, "unknown unreach code (%u)", code);
  }
}

void print_time_exceeded(std::string& out, uint8_t code, Ipv6View packet) {
  if (code == 0) {
    append(out, "time exceeded in-transit for %s", to_string(packet.destination()).c_str());
  } else if (code == 1) {
    out += "time exceeded in-transit (reassembly)";
  } else {
    append(out, "time exceeded, unknown code (%u)", code);
  }
}

void print_parameter_problem(std::string& out, uint8_t code, uint32_t pointer) {
  constexpr std::array<NumberName, 3> kinds = {{{0, "erroneous"}, {1, "next header"}, {2, "option"}}};
  if (const char* kind = find_name(kinds, code)) {
    append(out, "parameter problem, %s - octet %u", kind, pointer);
  } else {
    append(out, "parameter problem, code #%u", code);
  }
}

void print_error(std::string& out, Icmpv6View icmp) {
  Packet quoted;
  dissect_quoted(icmp.payload(), quoted);
  if (quoted.ip_version != 6) {
    append(out, "type-#%u code %u [quotes no packet]", icmp.type(), icmp.code());
    return;
  }
  const Ipv6View packet(icmp.payload());
  switch (icmp.type()) {
    case icmpv6_type::unreachable:
      return print_unreachable(out, icmp.code(), packet, quoted);
    case icmpv6_type::packet_too_big:
      return append(out, "packet too big, mtu %u", icmp.mtu());
    case icmpv6_type::time_exceeded:
      return print_time_exceeded(out, icmp.code(), packet);
    case icmpv6_type::parameter_problem:
      return print_parameter_problem(out, icmp.code(), icmp.pointer());
    default:
      append(out, "unknown icmp6 type (%u)", icmp.type());
  }
}

void print_neighbour(std::string& out, NeighbourView message) {
  const std::string target = to_string(message.target());
  if (message.is_advertisement()) {
    append(out, "neighbor advertisement, tgt is %s", target.c_str());
  } else {
    append(out, "neighbor solicitation, who has %s", target.c_str());
  }
}

}  // namespace

void emit(const Icmpv6Fields& fields, uint8_t* to) {
  to[0] = fields.type;
  to[1] = fields.code;
  store_be16(to + 2, 0);
  store_be32(to + 4, fields.rest);
}

Parsed<NeighbourView> NeighbourView::parse(Bytes bytes) {
  if (bytes.size() < header_length) return Malformed::truncated;
  if (bytes[0] != icmpv6_type::neighbour_solicitation && bytes[0] != icmpv6_type::neighbour_advertisement) {
    return Malformed::bad_format;
  }
  for (size_t at = header_length; at < bytes.size();) {
    if (bytes.size() - at < option_unit) return Malformed::bad_option;
    const size_t length = bytes[at + 1] * option_unit;
    if (length == 0 || length > bytes.size() - at) return Malformed::bad_option;
    at += length;
  }
  return NeighbourView(bytes);
}

std::optional<MacAddress> NeighbourView::link_address(uint8_t option) const {
  for (Bytes rest = options(); !rest.empty(); rest = rest.subspan(rest[1] * option_unit)) {
    if (rest[0] != option || rest[1] != 1) continue;  // Ethernet addresses take one unit
    MacAddress mac;
    std::memcpy(&mac.bytes, rest.data() + 2, MacAddress::size);
    return mac;
  }
  return std::nullopt;
}

void emit(const NeighbourFields& fields, uint8_t* to) {
  emit(Icmpv6Fields{.type = fields.type, .rest = uint32_t{fields.flags} << 24}, to);
  fields.target.store(to + 8);
  uint8_t* const option = to + NeighbourView::header_length;
  option[0] = fields.type == icmpv6_type::neighbour_advertisement ? neighbour_option::target_link_address
                                                                  : neighbour_option::source_link_address;
  option[1] = 1;
  std::memcpy(option + 2, &fields.link_address.bytes, MacAddress::size);
}

void print(std::string& out, Icmpv6View icmp, size_t length) {
  out += "ICMP6, ";
  if (icmp.is_echo()) {
    append(out, "echo %s, id %u, seq %u", icmp.type() == icmpv6_type::echo_request ? "request" : "reply", icmp.id(),
           icmp.sequence());
  } else if (icmp.is_error()) {
    print_error(out, icmp);
  } else if (const auto neighbour = NeighbourView::parse(icmp.bytes())) {
    print_neighbour(out, *neighbour);
  } else if (const char* known = find_name(type_names, icmp.type())) {
    out += known;
  } else {
    append(out, "unknown icmp6 type (%u)", icmp.type());
  }
  append(out, ", length %zu", length);
}

}  // namespace sluice::wire
