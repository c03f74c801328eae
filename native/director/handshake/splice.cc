// SPDX-License-Identifier: Apache-2.0
#include "director/handshake/splice.h"

#include "director/handshake/syn_cookie.h"
#include "director/outgoing/proxy_header.h"
#include "wire/tcp.h"

namespace sluice::director {

template <class A>
void splice(const Transit<A>& t, const SplicedFlow& spliced, Seen seen) {
  if (t.is_later_fragment()) return;
  const InsertedHeader& header = spliced.announcement.header;
  const bool is_request = seen == Seen::from_client;
  wire::MutableTcpView tcp(t.transport());
  wire::Sum change = is_request ? past_header_to_server(tcp, header) : past_header_to_client(tcp, header);
  if (spliced.is_greeted()) {
    change += is_request ? to_server(tcp, spliced.splice) : to_client(tcp, spliced.splice);
  }
  if (t.trace && header.is_in_connection() && !tcp.has(wire::tcp_flag::syn)) {
    t.trace->say(is_request ? "sequence numbers shifted by %u" : "acknowledgements shifted back by %u", header.length);
  }
  // A partial checksum covers the pseudo-header alone.
  if (t.frame.checksum == TransportChecksum::partial) return;
  tcp.set_checksum(wire::updated_checksum(tcp.checksum(), change));
}
template void splice(const Transit<wire::Ipv4Address>&, const SplicedFlow&, Seen);
template void splice(const Transit<wire::Ipv6Address>&, const SplicedFlow&, Seen);

void unsplice_quotation(const SplicedFlow& spliced, wire::MutableBytes quoted, bool is_about_reply) {
  const InsertedHeader& header = spliced.announcement.header;
  if (is_about_reply) {
    if (spliced.is_greeted()) unquote_to_client(quoted, spliced.splice);
    unquote_past_header_to_client(quoted, header);
  } else {
    if (spliced.is_greeted()) unquote_to_server(quoted, spliced.splice);
    unquote_past_header_to_server(quoted, header);
  }
}

}  // namespace sluice::director
