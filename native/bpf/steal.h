// SPDX-License-Identifier: Apache-2.0
// What the BPF programs and their loader agree on: the layout of the maps. clang -target bpf reads it as C, the module
// as C++.
#pragma once

#ifdef __cplusplus
#include <cstdint>
namespace sluice::host::bpf {
using u8 = uint8_t;
using u16 = uint16_t;
using u32 = uint32_t;
using u64 = uint64_t;
#else
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
#endif

// IPv4 addresses as IPv6 writes them, ::ffff:a.b.c.d: one map serves both families.
struct steal_address {
  u32 words[4];  // network byte order
};

#include "steering.h"

// clang-format off
enum steal_place_flag {
  STEAL_HOST    = 1,   // an address of the host itself
  STEAL_SERVICE = 2,   // has services
  STEAL_WHOLE   = 4,   // whatever is sent there is the director's
  STEAL_POOL    = 8,   // a local address of the director, with the ports first_port to last_port
  STEAL_SERVER  = 16,  // a NAT real server: it has tuples of that role
  STEAL_TUNNEL  = 32,  // tunnels of the director lead there
  STEAL_MARKED  = 64,  // a NAT real server of a firewall mark's service, which keeps the ports that clients ask for
};
// clang-format on

// What an address is: the value of the map of places.
struct steal_place {
  u32 flags;
  u16 first_port, last_port;  // host byte order
};

enum steal_role { STEAL_TO_SERVICE = 0, STEAL_FROM_SERVER = 1 };

// One end of a conversation that is the director's. The value says how its clients are steered (steal_steerings).
struct steal_tuple {
  struct steal_address address;
  u16 port;  // host byte order; 0: every port
  u8 protocol;
  u8 role;
};

// The key of the two maps of networks; of type BPF_MAP_TYPE_LPM_TRIE.
struct steal_network {
  u32 prefix_length;  // of 128: IPv4's are longer by 96
  struct steal_address address;
};

// The fragments of one datagram.
struct steal_datagram {
  struct steal_address source, destination;
  u32 id;
  u32 protocol;
};

// What its first fragment was found to be.
struct steal_remembered {
  u32 owner;
  u32 steer;
};

// clang-format off
// The only entry of the map of settings.
struct steal_settings {
  u32 has_egress;                           // the map of egress sources is not empty
  u32 workers;                              // among which packets are steered; 0 is 1
  u32 steering;                             // the edition of steering that holds, and STEAL_CHANGING
  u32 stray_lifetime;                       // of silent strays, in units of STEAL_CLOCK_SHIFT
  u64 mark_services[2];                     // rules whose mark has a service: of IPv4, of IPv6
  u32 marks;                                // the edition of the rules of firewall marks that holds; 0: there are none
  struct steal_steerings mark_steering[2];  // of services by firewall mark: of IPv4, of IPv6
};
// clang-format on

// Rules of firewall marks, a bit each, the first rule the lowest. The map of marks says of each thing that rules ask
// for which of them a value fits; those that fit in all are what fits the packet. Of type BPF_MAP_TYPE_LPM_TRIE.
enum { STEAL_MOST_MARKS = 64 };

enum steal_mark_kind {
  STEAL_MARK_SOURCE,
  STEAL_MARK_DESTINATION,
  STEAL_MARK_PROTOCOL,
  STEAL_MARK_PORT,
  STEAL_MARK_INTERFACE,
};

struct steal_mark_key {
  u32 prefix_length;  // of the 160 bits that follow
  u16 edition;        // of the rules: the settings name the one that holds
  u16 kind;
  struct steal_address value;  // numbers in the first word, network byte order: a port in its upper half
};

// How many receive queues of a device may have an AF_XDP socket.
enum { STEAL_MOST_QUEUES = 64 };

// A device whose frames AF_XDP sockets take: the value of the map of lanes, whose key is the interface's index.
struct steal_lane {
  u32 first_socket;   // in the map of sockets: that of the device's first receive queue
  u32 longest_frame;  // that fits in the sockets' memory
  u8 mac[6];          // what is sent to other addresses takes the ordinary way
  u16 unused;
};

// Whom the host's stack answers for the director (host_reply.bpf.c): the key of the map of expected replies.
struct steal_reply {
  struct steal_address server, client;
  u16 server_port, client_port;  // host byte order
  u32 protocol;
};

// By which interface replies come back that would leave by another one: the value of the map of ways, whose key is the
// index of the interface by which they would leave.
struct steal_way {
  u32 interface;
  u8 mac[6];  // of that interface
  u16 unused;
};

// To whom a packet belongs.
enum steal_owner {
  STEAL_NOTHING = 0,  // the host's alone
  STEAL_SEEN = 1,     // the host's, and the director is to see it
  STEAL_TAKEN = 2,    // the director's alone
};

#ifdef __cplusplus
}  // namespace sluice::host::bpf
#endif
