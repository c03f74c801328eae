// SPDX-License-Identifier: Apache-2.0
// Tells the kernel that a frame is tunnelled, so that it is cut into segments as late as any other: by the network card
// or, for one that cannot, by the kernel.
//
// Theory of operation. A packet socket can say that a frame is to be cut into TCP segments (virtio-net header), but not
// that the TCP packet lies in a tunnel; what it sends then is refused when it is cut. Only bpf_skb_adjust_room() sets
// what is missing. So the director sends the whole frame, tunnel headers and all, with a mark (tunnel.h). Here, at
// egress, its tunnel headers are taken off and put back in a way that tells the kernel what they are:
//
//   link | IPv4 or IPv6 [ | UDP | GUE ] [ | GRE ] | TCP packet of up to 64 KiB
//        └────────── off, and back ────────────┘
//
// Which tunnel it is, the outer protocol says. Frames without the mark are left alone.
#include "tunnel.h"

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#define SECTION(name) __attribute__((section(name), used))

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

static long (*const load)(const void* skb, u32 offset, void* to, u32 length) = (void*)BPF_FUNC_skb_load_bytes;
static long (*const store)(void* skb, u32 offset, const void* from, u32 length,
                           u64 flags) = (void*)BPF_FUNC_skb_store_bytes;
static long (*const adjust_room)(void* skb, int more, u32 mode, u64 flags) = (void*)BPF_FUNC_skb_adjust_room;

enum {
  ETHERNET_LENGTH = 14,
  IPV4_LENGTH = 20,
  IPV4_PROTOCOL = 9,
  IPV6_NEXT_HEADER = 6,
  UDP = 17,
  GRE = 47,

  // Of linux/bpf.h since 6.3; Debian 12 has the headers of 6.1.
  INSIDE_IS_IPV4 = 1 << 7,  // BPF_F_ADJ_ROOM_DECAP_L3_IPV4
  INSIDE_IS_IPV6 = 1 << 8,
};

SECTION("tunnel") int tunnel_egress(struct __sk_buff* skb) {
  const u32 mark = skb->mark;
  if ((mark & TUNNEL_MARK_MASK) != TUNNEL_MARK) return TC_ACT_UNSPEC;
  skb->mark = 0;
  u32 length = mark & TUNNEL_LENGTH_MASK;
  u8 outer[TUNNEL_MOST_HEADERS] = {0};  // older verifiers want what is read of a length unknown to them filled
  u8 inside;
  if (length < IPV4_LENGTH) return TC_ACT_SHOT;
  // The compiler would make one comparison of two, after which older verifiers do not know that the length is not zero.
  __asm__ volatile("" : "+r"(length));
  if (length > sizeof outer || load(skb, ETHERNET_LENGTH, outer, length) != 0 ||
      load(skb, ETHERNET_LENGTH + length, &inside, sizeof inside) != 0) {
    return TC_ACT_SHOT;
  }
  const int is_v4 = outer[0] >> 4 == 4;
  const u8 protocol = outer[is_v4 ? IPV4_PROTOCOL : IPV6_NEXT_HEADER];
  u64 kind = is_v4 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV6;
  if (protocol == UDP) kind |= BPF_F_ADJ_ROOM_ENCAP_L4_UDP;
  if (protocol == GRE) kind |= BPF_F_ADJ_ROOM_ENCAP_L4_GRE;
  // The segments stay as long as they are.
  const u64 off = BPF_F_ADJ_ROOM_FIXED_GSO | (inside >> 4 == 4 ? INSIDE_IS_IPV4 : INSIDE_IS_IPV6);
  const u64 back = BPF_F_ADJ_ROOM_FIXED_GSO | kind;
  if (adjust_room(skb, -(int)length, BPF_ADJ_ROOM_MAC, off) != 0 ||
      adjust_room(skb, (int)length, BPF_ADJ_ROOM_MAC, back) != 0 ||
      store(skb, ETHERNET_LENGTH, outer, length, 0) != 0) {
    return TC_ACT_SHOT;
  }
  return TC_ACT_UNSPEC;
}
