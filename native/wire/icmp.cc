// SPDX-License-Identifier: Apache-2.0
#include "wire/icmp.h"

#include "wire/packet.h"
#include "wire/text.h"

namespace sluice::wire {

namespace {

// Formats; %s is the destination of the quoted packet.
constexpr std::array<NumberName, 13> unreachable_formats = {{
    {icmp_code::network, "net %s unreachable"},
    {icmp_code::host, "host %s unreachable"},
    {icmp_code::source_route_failed, "%s unreachable - source route failed"},
    {6, "net %s unreachable - unknown"},
    {7, "host %s unreachable - unknown"},
    {8, "%s unreachable - source host isolated"},
    {icmp_code::network_prohibited, "net %s unreachable - admin prohibited"},
    {icmp_code::host_prohibited, "host %s unreachable - admin prohibited"},
    {11, "net %s unreachable - tos prohibited"},
    {12, "host %s unreachable - tos prohibited"},
    {icmp_code::prohibited, "host %s unreachable - admin prohibited filter"},
    {14, "host %s unreachable - host precedence violation"},
    {15, "host %s unreachable - precedence cutoff"},
}};

constexpr std::array<NumberName, 3> type_names = {{
    {10, "router solicitation"},
    {15, "information request"},
    {16, "information reply"},
}};

std::string around(const char* format, const std::string& address) {
  std::string text = format;
  return text.replace(text.find("%s"), 2, address);
}

void print_unreachable_port(std::string& out, const std::string& destination, const Packet& quoted) {
  if (quoted.protocol == protocol::tcp || quoted.protocol == protocol::udp) {
    append(out, "%s %s port %u unreachable", destination.c_str(), quoted.protocol == protocol::tcp ? "tcp" : "udp",
           quoted.destination_port);
  } else {
    append(out, "%s protocol %u port %u unreachable", destination.c_str(), quoted.protocol, quoted.destination_port);
  }
}

void print_unreachable(std::string& out, IcmpView icmp, const std::string& destination, const Packet& quoted) {
  switch (icmp.code()) {
    case icmp_code::protocol:
      append(out, "%s protocol %u unreachable", destination.c_str(), quoted.protocol);
      return;
    case icmp_code::port:
      print_unreachable_port(out, destination, quoted);
      return;
    case icmp_code::fragmentation_needed:
      append(out, "%s unreachable - need to frag", destination.c_str());
      if (icmp.next_hop_mtu() != 0) append(out, " (mtu %u)", icmp.next_hop_mtu());
      return;
  }
  if (const char* format = find_name(unreachable_formats, icmp.code())) {
    out += around(format, destination);
  } else {
    append(out, "%s unreachable - #%u", destination.c_str(), icmp.code());
  }
}

void print_redirect(std::string& out, IcmpView icmp, const std::string& destination) {
  const std::string gateway = to_string(Ipv4Address::load(icmp.bytes().data() + 4));
  constexpr std::array<NumberName, 4> kinds = {{{0, "redirect %s to net "},
                                                {1, "redirect %s to host "},
                                                {2, "redirect-tos %s to net "},
                                                {3, "redirect-tos %s to host "}}};
  if (const char* format = find_name(kinds, icmp.code())) {
    out += around(format, destination) + gateway;
  } else {
    append(out, "redirect-#%u %s to %s", icmp.code(), destination.c_str(), gateway.c_str());
  }
}

void print_time_exceeded(std::string& out, uint8_t code) {
  if (code == 0) {
    out += "time exceeded in-transit";
  } else if (code == 1) {
    out += "ip reassembly time exceeded";
  } else {
    append(out, "time exceeded-#%u", code);
  }
}

void print_parameter_problem(std::string& out, IcmpView icmp) {
  if (icmp.code() != 0) {
    append(out, "parameter problem - code %u", icmp.code());
  } else {
    append(out, "parameter problem - octet %u", icmp.pointer());
  }
}

void print_error(std::string& out, IcmpView icmp) {
  Packet quoted;
  dissect_quoted(icmp.payload(), quoted);
  if (quoted.ip_version != 4) {
    append(out, "type-#%u code %u [quotes no packet]", icmp.type(), icmp.code());
    return;
  }
  const std::string destination = to_string(Ipv4View(icmp.payload()).destination());
  switch (icmp.type()) {
    case icmp_type::unreachable:
      return print_unreachable(out, icmp, destination, quoted);
    case icmp_type::redirect:
      return print_redirect(out, icmp, destination);
    case icmp_type::time_exceeded:
      return print_time_exceeded(out, icmp.code());
    case icmp_type::parameter_problem:
      return print_parameter_problem(out, icmp);
    default:
      out += "source quench";
  }
}

}  // namespace

void emit(const IcmpFields& fields, uint8_t* to) {
  to[0] = fields.type;
  to[1] = fields.code;
  store_be16(to + 2, 0);
  store_be32(to + 4, fields.rest);
}

void print(std::string& out, IcmpView icmp, size_t length) {
  out += "ICMP ";
  if (icmp.is_echo()) {
    append(out, "echo %s, id %u, seq %u", icmp.type() == icmp_type::echo_request ? "request" : "reply", icmp.id(),
           icmp.sequence());
  } else if (icmp.is_error()) {
    print_error(out, icmp);
  } else if (icmp.type() == icmp_type::timestamp_request) {
    append(out, "time stamp query id %u seq %u", icmp.id(), icmp.sequence());
  } else if (const char* known = find_name(type_names, icmp.type())) {
    out += known;
  } else {
    append(out, "type-#%u", icmp.type());
  }
  append(out, ", length %zu", length);
}

}  // namespace sluice::wire
