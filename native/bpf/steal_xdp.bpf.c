// SPDX-License-Identifier: Apache-2.0
// What belongs to the director, asked in a device's driver: what is the director's alone goes to the AF_XDP socket of
// its receive queue. Everything else is passed on, to the host and to the programs of steal.bpf.c, as if this one were
// not there: what host and director both are to see (XDP cannot give a frame to two), what is sent to a group or to
// another interface, what is longer than the sockets' memory, and what comes on a queue without a socket.
//
// Written for kernel 5.18 and newer.
#include <linux/bpf.h>

#include "steal.h"

typedef struct xdp_md context;

static long (*const load_bytes)(context* frame, u32 offset, void* to, u32 length) = (void*)BPF_FUNC_xdp_load_bytes;
static u64 (*const length_of)(context* frame) = (void*)BPF_FUNC_xdp_get_buff_len;
static long (*const redirect)(void* map, u64 key, u64 flags) = (void*)BPF_FUNC_redirect_map;

static inline __attribute__((always_inline)) int load(context* frame, u32 offset, void* to, u32 length) {
  return load_bytes(frame, offset, to, length) == 0;
}

// steal_xdp has looked.
static inline __attribute__((always_inline)) int is_for_host(context* frame) {
  (void)frame;
  return 1;
}

static inline __attribute__((always_inline)) u32 interface_of(context* frame) {
  return frame->ingress_ifindex;
}

#define STEAL_INCLUDED
#include "steal.bpf.c"

SECTION("xdp") int steal_xdp(context* frame) {
  const u32 interface = frame->ingress_ifindex;
  const struct steal_lane* lane = map_lookup(&lanes, &interface);
  if (!lane || length_of(frame) > lane->longest_frame) return XDP_PASS;
  u8 destination[6];
  if (!load(frame, 0, destination, sizeof destination)) return XDP_PASS;
  for (u32 i = 0; i < sizeof destination; i++) {
    if (destination[i] != lane->mac[i]) return XDP_PASS;
  }
  const u32 queue = frame->rx_queue_index;
  if (queue >= STEAL_MOST_QUEUES || owner_of(frame, 0) != STEAL_TAKEN) return XDP_PASS;
  return redirect(&sockets, lane->first_socket + queue, XDP_PASS);
}
