// SPDX-License-Identifier: Apache-2.0
#include "wire/ipv6.h"

#include "wire/text.h"

namespace sluice::wire {

namespace {

constexpr size_t minimum_ah_length = 12;  // without an integrity check value (RFC 4302 2)

// Every node on the way reads hop-by-hop options, so their lengths are checked here. Destination options are checked by
// the destination. The option kind 0 is a single byte; the length of any other counts the bytes after it.
bool hop_by_hop_options_ok(Bytes options) {
  size_t at = 0;
  while (at < options.size()) {
    if (options[at] == 0) {
      at++;
      continue;
    }
    if (options.size() - at < 2 || options[at + 1] > options.size() - at - 2) return false;
    at += 2u + options[at + 1];
  }
  return true;
}

// Reads the fragment header at `chain.transport`. True if the walk goes on after it.
bool read_fragment_header(Ipv6FragmentView fragment, Ipv6Chain& chain) {
  chain.fragment_header = chain.transport;
  chain.fragment_offset = fragment.offset();
  chain.more_fragments = fragment.has_more_fragments();
  chain.fragment_id = fragment.id();
  chain.protocol = fragment.next_header();
  chain.transport += Ipv6FragmentView::header_length;
  return fragment.offset() == 0;
}

void print_routing(std::string& out, Bytes header) {
  append(out, "RT6 (len=%u, type=%u, segleft=%u) ", header[1], header[2], header[3]);
}

void print_authentication(std::string& out, Bytes header) {
  append(out, "AH(spi=0x%08x,seq=0x%x,icv=0x", load_be32(&header[4]), load_be32(&header[8]));
  for (const uint8_t byte : header.subspan(minimum_ah_length)) append(out, "%02x", byte);
  out += "): ";
}

}  // namespace

Malformed walk_extension_headers(Ipv6View packet, Ipv6Chain& chain) {
  chain = {};
  chain.protocol = packet.next_header();
  chain.transport = Ipv6View::header_length;
  // If a first fragment lacks a header, the fault is a tiny fragment, not a truncated header (RFC 7112).
  const auto missing = [&chain](Malformed reason) {
    return chain.fragment_header != 0 ? Malformed::tiny_fragment : reason;
  };
  for (size_t count = 0; is_extension_header(chain.protocol); count++) {
    if (count == maximum_extension_headers) return Malformed::too_many_headers;
    const Bytes rest = packet.bytes().subspan(chain.transport);
    if (rest.size() < 8) return missing(Malformed::truncated);  // no extension header is shorter
    if (chain.protocol == protocol::fragment) {
      if (chain.fragment_header != 0) return Malformed::bad_format;
      if (!read_fragment_header(Ipv6FragmentView(rest), chain)) return Malformed::ok;
      continue;
    }
    const size_t length = extension_header_length(chain.protocol, rest.data());
    if (chain.protocol == protocol::ah && length < minimum_ah_length) return Malformed::header_too_short;
    if (length > rest.size()) return missing(Malformed::header_beyond_packet);
    if (chain.protocol == protocol::hop_by_hop) {
      if (count > 0) return Malformed::bad_format;  // only directly behind the IPv6 header (RFC 8200 4.1)
      if (!hop_by_hop_options_ok(rest.subspan(2, length - 2))) return Malformed::bad_option;
    }
    chain.protocol = rest[0];
    chain.transport = static_cast<uint16_t>(chain.transport + length);
  }
  return Malformed::ok;
}

void emit(const Ipv6Fields& fields, uint8_t* to) {
  store_be32(to, 6u << 28 | uint32_t{fields.traffic_class} << 20 | (fields.flow_label & 0xfffff));
  store_be16(to + 4, fields.payload_length);
  to[6] = fields.next_header;
  to[7] = fields.hop_limit;
  fields.source.store(to + 8);
  fields.destination.store(to + 24);
}

void print_extension_headers(std::string& out, Ipv6View packet) {
  uint8_t kind = packet.next_header();
  Bytes rest = packet.payload();
  while (is_extension_header(kind)) {
    size_t length = Ipv6FragmentView::header_length;
    if (kind == protocol::fragment) {
      const Ipv6FragmentView fragment(rest);
      append(out, "frag (%u|%zu) ", fragment.offset(), fragment.payload().size());
      if (fragment.offset() != 0) return;
    } else {
      length = extension_header_length(kind, rest.data());
    }
    const Bytes header = rest.first(length);
    if (kind == protocol::hop_by_hop) out += "HBH ";
    if (kind == protocol::destination_options) out += "DSTOPT ";
    if (kind == protocol::routing) print_routing(out, header);
    if (kind == protocol::ah) print_authentication(out, header);
    kind = header[0];
    rest = rest.subspan(length);
  }
}

}  // namespace sluice::wire
