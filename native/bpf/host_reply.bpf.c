// SPDX-License-Identifier: Apache-2.0
// Brings back what the host's own stack answers to a packet that the director has translated for it (LocalNode by NAT
// and FULLNAT, decision 17).
//
// Theory of operation. The director notes whom the stack will answer in the map of expected replies. These programs
// stand at the egress of the director's ports, of the loopback device (a reply to a local address that the host has
// too) and of the TUN device (one to a local address that the host has not). They turn an expected reply around: it
// comes in by a port, as a real server's reply does, and the programs of steal.bpf.c take it to its worker.
//
//   stack ─▶ egress: expected? ─▶ yes: ingress of a port ─▶ packet socket of the flow's worker ─▶ director ─▶ client
//                              └▶ no: on as ever
//
// An ICMP error is expected where the packet that it quotes would have been answered so, a later fragment where its
// first was. What packet sockets send is not the stack's: the director's own frames are left alone.
//
// Written for kernel 5.10 and newer.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include "steal.h"

typedef struct __sk_buff context;

static long (*const load_relative)(const void* skb, u32 offset, void* to, u32 length,
                                   u32 start) = (void*)BPF_FUNC_skb_load_bytes_relative;
static long (*const store)(void* skb, u32 offset, const void* from, u32 length,
                           u64 flags) = (void*)BPF_FUNC_skb_store_bytes;
static long (*const replace_in_sum)(void* skb, u32 offset, u64 from, u64 to,
                                    u64 size) = (void*)BPF_FUNC_l3_csum_replace;
static long (*const change_head)(void* skb, u32 more, u64 flags) = (void*)BPF_FUNC_skb_change_head;
static long (*const pop_tag)(void* skb) = (void*)BPF_FUNC_skb_vlan_pop;
static long (*const redirect)(u32 interface, u64 flags) = (void*)BPF_FUNC_redirect;

// Offsets count from the IP header.
static inline __attribute__((always_inline)) int load(context* frame, u32 offset, void* to, u32 length) {
  return load_relative(frame, offset, to, length, BPF_HDR_START_NET) == 0;
}

static inline __attribute__((always_inline)) int is_for_host(context* frame) {
  (void)frame;
  return 1;
}

static inline __attribute__((always_inline)) u32 interface_of(context* frame) {
  return frame->ifindex;
}

#define STEAL_INCLUDED
#include "steal.bpf.c"

enum {
  FAMILY_PACKET = 17,  // AF_PACKET
  IPV4_TIME_TO_LIVE = 8,
  IPV4_CHECKSUM = 10,
  IPV6_HOP_LIMIT = 7,
  MOST_HOPS = 255,
};

// `answered` is the packet that an ICMP error quotes, or null for one that is a reply itself.
INLINE int is_expected(const struct packet* packet, const struct packet* answered) {
  const struct steal_reply reply = {
      .server = answered ? answered->destination : packet->source,
      .client = answered ? answered->source : packet->destination,
      .server_port = answered ? answered->destination_port : packet->source_port,
      .client_port = answered ? answered->source_port : packet->destination_port,
      .protocol = answered ? answered->protocol : packet->protocol,
  };
  return map_lookup(&expected, &reply) != 0;
}

INLINE int is_for_director(context* frame, struct packet* packet) {
  struct steal_datagram datagram;
  if (packet->is_later) {
    datagram_of(packet, &datagram);
    const struct steal_remembered* first = map_lookup(&fragments, &datagram);
    return first && first->owner == STEAL_TAKEN;
  }
  if (is_icmp(packet)) {
    struct packet quoted = {.protocol = 0};
    if (!is_icmp_error(packet)) return 0;
    const int is_read = packet->protocol == ICMP ? read_ipv4(frame, packet->transport + 8, &quoted)
                                                 : read_ipv6(frame, packet->transport + 8, &quoted);
    return is_read && is_expected(packet, &quoted);
  }
  const int is_taken = is_expected(packet, 0);
  if (!packet->is_first) return is_taken;
  datagram_of(packet, &datagram);
  const struct steal_remembered first = {.owner = STEAL_TAKEN, .steer = 0};
  // The identification may be that of an earlier datagram, which was the director's.
  if (is_taken)
    map_update(&fragments, &datagram, &first, BPF_ANY);
  else
    map_delete(&fragments, &datagram);
  return is_taken;
}

INLINE int is_hosts_reply(context* frame, int is_ipv4_packet) {
  struct packet packet = {.interface = 0};
  const int is_read = is_ipv4_packet ? read_ipv4(frame, 0, &packet) : read_ipv6(frame, 0, &packet);
  return is_read && is_for_director(frame, &packet);
}

// The director counts the time to live down, as for any real server. A host's own reply leaves uncounted.
INLINE int add_hop(context* frame, int is_ipv4_packet) {
  u8 hops[2];  // and IPv4's protocol, the other half of the word that its checksum counts
  const u32 at = is_ipv4_packet ? IPV4_TIME_TO_LIVE : IPV6_HOP_LIMIT;
  if (!load(frame, at, hops, sizeof hops)) return 0;
  if (hops[0] == MOST_HOPS) return 1;
  u16 before, after;
  __builtin_memcpy(&before, hops, sizeof before);
  hops[0]++;
  __builtin_memcpy(&after, hops, sizeof after);
  if (store(frame, ETHERNET_LENGTH + at, hops, 1, 0) != 0) return 0;
  return !is_ipv4_packet || replace_in_sum(frame, ETHERNET_LENGTH + IPV4_CHECKSUM, before, after, sizeof after) == 0;
}

INLINE int bring_back(context* frame, int has_link_header, int otherwise) {
  const int is_ipv4_packet = frame->protocol == __builtin_bswap16(TYPE_IPV4);
  if (!is_ipv4_packet && frame->protocol != __builtin_bswap16(TYPE_IPV6)) return otherwise;
  const struct bpf_sock* sender = frame->sk;
  if (sender && sender->family == FAMILY_PACKET) return otherwise;
  const u32 interface = frame->ifindex;
  const struct steal_way* way = map_lookup(&ways, &interface);
  if (!way || !is_hosts_reply(frame, is_ipv4_packet)) return otherwise;

  u8 link[ETHERNET_LENGTH];
  __builtin_memcpy(link, way->mac, 6);
  __builtin_memcpy(link + 6, way->mac, 6);
  link[12] = is_ipv4_packet ? TYPE_IPV4 >> 8 : TYPE_IPV6 >> 8;
  link[13] = is_ipv4_packet ? TYPE_IPV4 & 0xff : TYPE_IPV6 & 0xff;
  const u32 back = way->interface;
  if (frame->vlan_present && pop_tag(frame) != 0) return TC_ACT_SHOT;
  if (!has_link_header && change_head(frame, sizeof link, 0) != 0) return TC_ACT_SHOT;
  if (store(frame, 0, link, sizeof link, 0) != 0 || !add_hop(frame, is_ipv4_packet)) return TC_ACT_SHOT;
  return redirect(back, BPF_F_INGRESS);
}

SECTION("reply") int host_reply(context* frame) {
  return bring_back(frame, 1, TC_ACT_UNSPEC);
}

// Of a TUN device, by which nothing else is to leave.
SECTION("reply_without_link") int host_reply_without_link(context* frame) {
  return bring_back(frame, 0, TC_ACT_SHOT);
}
