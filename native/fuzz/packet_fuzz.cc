// SPDX-License-Identifier: Apache-2.0
// Any bytes as a frame and as a raw IP packet: dissection, every view and the printers.
#include <cstdlib>
#include <string>

#include "wire/arp.h"
#include "wire/describe.h"
#include "wire/ethernet.h"
#include "wire/gre.h"
#include "wire/gue.h"
#include "wire/icmp.h"
#include "wire/icmpv6.h"
#include "wire/packet.h"
#include "wire/sctp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

using namespace sluice::wire;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

// The offsets that Malformed::ok promises.
void check_promises(Bytes frame, const Packet& packet) {
  if (packet.malformed != Malformed::ok || packet.ip_version == 0) return;
  require(packet.end() <= frame.size());
  require(packet.l3 < packet.l4 && packet.l4 <= packet.payload && packet.payload <= packet.end());
  require(!packet.has_ports || packet.l4 + 8u <= packet.end());
  if (packet.ip_version == 4) (void)ipv4_header_checksum_ok(frame, packet);
}

void read_options(Bytes options) {
  OptionWalk walk(options);
  Option option;
  while (walk.next(option)) require(option.at + option.data.size() < options.size());
}

// Reads all getters of each view on the same bytes.
void read_views(Bytes bytes) {
  uint64_t seen = 0;
  if (const auto view = Ipv4View::parse(bytes)) {
    read_options(view->options());
    seen += view->is_checksum_ok() + view->payload().size() + view->fragment_offset() + view->destination().raw;
  }
  if (const auto view = Ipv6View::parse(bytes)) {
    Ipv6Chain chain;
    (void)walk_extension_headers(*view, chain);
    require(chain.transport <= view->bytes().size());
    seen += view->flow_label() + view->hop_limit();
  }
  if (const auto view = TcpView::parse(bytes)) {
    read_options(view->options());
    seen += view->payload().size() + view->urgent_pointer();
  }
  if (const auto view = UdpView::parse(bytes)) seen += view->payload().size();
  if (const auto view = SctpView::parse(bytes)) {
    SctpChunkWalk walk(view->chunks());
    SctpChunk chunk;
    while (walk.next(chunk)) seen += chunk.value.size();
    seen += view->is_checksum_ok();
  }
  if (const auto view = GreView::parse(bytes)) {
    seen += view->payload().size() + view->is_checksum_ok() + view->key().value_or(0) + view->sequence().value_or(0);
  }
  if (const auto view = GueView::parse(bytes)) {
    seen += view->payload().size() + view->protocol() + view->remote_checksum().has_value();
  }
  if (const auto view = ArpView::parse(bytes)) seen += view->target().raw;
  if (const auto view = IcmpView::parse(bytes)) seen += view->is_checksum_ok();
  if (const auto view = NeighbourView::parse(bytes)) {
    seen += view->link_address(neighbour_option::source_link_address).has_value();
  }
  volatile uint64_t sink = seen;  // so that no read is optimised away
  (void)sink;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes frame(data, size);
  Packet packet;
  dissect(frame, packet);
  check_promises(frame, packet);
  (void)describe(frame).size();

  if (size > EthernetView::header_length) {
    const Bytes raw = frame.subspan(EthernetView::header_length);
    dissect_ip(raw, packet);
    check_promises(raw, packet);
    (void)describe_ip(raw).size();
    dissect_quoted(raw, packet);
    require(!packet.has_ports || packet.l4 + 4u <= raw.size());
    read_views(raw);
  }
  if (packet.ip_version != 0 && EthernetView::header_length + packet.l4 <= size) {
    read_views(frame.subspan(EthernetView::header_length + packet.l4));
  }
  return 0;
}
