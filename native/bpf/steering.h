// SPDX-License-Identifier: Apache-2.0
// How packets are divided among workers. The BPF program steal_fanout and the module compute the same (steal_hash()).
// Included by steal.h.
//
// Theory of operation
//
// A packet's worker follows from the client's end of its flow alone: its address and, for most services, its port. Both
// directions have it, and so has an ICMP error that quotes a packet. A service whose clients must meet one worker (a
// persistent service sends a client's connections to one server, a limit of sources counts them) leaves the port out,
// and of the address the bits beyond its mask. Other services keep the port, whatever their neighbours do.
//
// A reply says from which real server it comes, and not of which service. So services that share an address and port
// of a real server form a group, and a group is steered in one way: the strictest of its services.
//
// A change of a group's steering would move its flows to workers that do not know them. So the change has three steps,
// and every entry has two editions of its steering:
//
//   settings.steering       what holds      what is noted
//   e                       edition e
//   e | STEAL_CHANGING      edition e       clients' ends of packets that edition 1-e would send elsewhere: "strays"
//   1-e                     edition 1-e
//
// In the second step the module adds the flows that are silent just then. In the third, the map of strays is asked
// before the hash is computed. A stray is forgotten when it was silent for longer than a flow can be.
#pragma once

enum steal_steering_flag {
  STEAL_BY_PORT = 1,  // the client's port counts too
  STEAL_STRAYS = 2,   // the map of strays is asked first
};

// Bits of the client's address that count, for each of the four words of a steal_address: so the program needs no
// branches for them.
struct steal_steering {
  u8 bits[4];  // 0 to 32
  u8 flags;
};

struct steal_steerings {
  struct steal_steering edition[2];
};

// Beside the number of the edition, in the settings.
enum { STEAL_EDITION = 1, STEAL_CHANGING = 2 };

// A client's end of a flow that is not where steering would have it: the key of the map of strays.
struct steal_client {
  struct steal_address address;
  u16 port;  // host byte order
  u8 protocol;
  u8 unused;
};

// Time is counted in units of 2^30 ns of the monotonic clock, which are a little longer than a second.
enum { STEAL_CLOCK_SHIFT = 30 };

struct steal_stray {
  u32 worker;
  u32 seen;  // when a packet came last
};

// The same number for all clients that the steering does not tell apart.
static inline __attribute__((always_inline)) u32 steal_hash(const struct steal_steering* how,
                                                            const struct steal_address* address, u16 port) {
  u32 hash = (how->flags & STEAL_BY_PORT) * (u32)port;
  for (int i = 0; i < 4; i++) {
    const u32 kept = (u32)(0xffffffff00000000 >> (how->bits[i] & 63));
    hash = (hash ^ (__builtin_bswap32(address->words[i]) & kept)) * 0x9e3779b1;  // golden ratio of 2^32
    hash ^= hash >> 15;
  }
  return hash;
}
