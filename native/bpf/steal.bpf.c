// SPDX-License-Identifier: Apache-2.0
// clang-format off
// What belongs to the director: four programs over the same maps.
//
//   steal_ingress  At the ingress of an interface (tcx, or a classifier of clsact). It drops what is the director's
//                  alone: a packet socket for ETH_P_ALL has had its copy before, and the host's stack never sees it.
//   steal_socket   The filter of those packet sockets, by way of steal_filter. Only what concerns the director is copied.
//   steal_fanout   Brings both directions of a flow to the socket of one worker (PACKET_FANOUT_EBPF, steering.h).
//   steal_xdp      In a device's driver (steal_xdp.bpf.c, decision 13). It hands what is the director's alone to an
//                  AF_XDP socket, and passes all else on to the three above.
//
// All of them ask owner_of(). It looks up the destination in the map of places, which says what kinds of tuples are
// worth asking for, then the source:
//
//   to a service                      the tuple, or its address with port 0; if the host does not own the address,
//                                     everything
//   to a local address of a pool      ports of the pool; if the host does not own the address, everything
//   with a firewall mark              by the rules of marks, the first that fits, if there is a service of its mark
//   to another address of the host    nothing: SSH, DNS and health checks are the host's
//   from a NAT real server            the tuple (the reply has to be translated)
//   from a network behind the egress  everything but to networks inside, groups and links
//   ICMP errors                       by the packet that they quote
//   later fragments                   as their first fragment. If the first is unknown and the datagram might be the
//                                     director's, both see it
//   ARP and neighbour discovery       questions for addresses of the director that the host does not own are taken;
//                                     those that come from such an address are seen, for they show a second owner
//
// Users need clang only to change this: scripts/bpf.ts writes the compiled programs to steal.generated.h. Headers are
// read with bpf_skb_load_bytes_relative(), because the programs find the beginning of skb->data at different headers.
// steal_xdp.bpf.c and host_reply.bpf.c include all of this with another way of reading. Functions are inlined, so that each program is one
// piece that needs no linking. Written for kernel 5.10 and newer.
// clang-format on
#include "steal.h"

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#define INLINE static inline __attribute__((always_inline))
#define SECTION(name) __attribute__((section(name), used))

static void* (*const map_lookup)(void* map, const void* key) = (void*)BPF_FUNC_map_lookup_elem;
static long (*const map_update)(void* map, const void* key, const void* value,
                                u64 flags) = (void*)BPF_FUNC_map_update_elem;
static long (*const map_delete)(void* map, const void* key) = (void*)BPF_FUNC_map_delete_elem;
static u64 (*const nanoseconds)(void) = (void*)BPF_FUNC_ktime_get_ns;

// The loader makes the maps; here they are names that become relocations.
struct map {
  u32 unused;
};
struct map places SECTION("maps");
struct map tuples SECTION("maps");
struct map egress SECTION("maps");
struct map inside SECTION("maps");
struct map fragments SECTION("maps");
struct map settings SECTION("maps");
struct map marks SECTION("maps");
struct map deciders SECTION("maps");
struct map lanes SECTION("maps");
struct map sockets SECTION("maps");
struct map strays SECTION("maps");
struct map expected SECTION("maps");
struct map ways SECTION("maps");

enum {
  ETHERNET_LENGTH = 14,
  VLAN_LENGTH = 4,
  MOST_INLINE_TAGS = 2,  // beside the one that the kernel has taken off
  MOST_EXTENSIONS = 8,   // headers of an IPv6 packet; more are left to the host

  TYPE_IPV4 = 0x0800,
  TYPE_ARP = 0x0806,
  TYPE_VLAN = 0x8100,
  TYPE_PROVIDER_VLAN = 0x88a8,
  TYPE_IPV6 = 0x86dd,

  HOP_BY_HOP = 0,
  ICMP = 1,
  IPV4_IN_IP = 4,
  TCP = 6,
  UDP = 17,
  IPV6_IN_IP = 41,
  ROUTING = 43,
  FRAGMENT = 44,
  GRE = 47,
  AUTHENTICATION = 51,
  ICMPV6 = 58,
  DESTINATION_OPTIONS = 60,
  SCTP = 132,

  ICMP_ECHO_REPLY = 0,
  ICMP_ECHO = 8,
  ICMPV6_ECHO = 128,
  ICMPV6_ECHO_REPLY = 129,
  SOLICITATION = 135,
  ADVERTISEMENT = 136,

  PACKET_TO_HOST = 0,  // skb->pkt_type
};

// One IP packet: what it says of itself up to its ports.
struct packet {
  struct steal_address source, destination;
  u32 id;                             // of the datagram, where it is a fragment
  u32 transport;                      // offset of the transport header
  u32 interface;                      // by which it came
  u16 source_port, destination_port;  // host byte order; of an ICMP echo, its identifier twice
  u8 protocol;
  u8 type;      // of an ICMP message
  u8 is_first;  // a fragment, and the first
  u8 is_later;  // a fragment, and not the first
};

#ifndef STEAL_INCLUDED

typedef struct __sk_buff context;

static long (*const load_relative)(const void* skb, u32 offset, void* to, u32 length,
                                   u32 start) = (void*)BPF_FUNC_skb_load_bytes_relative;
static long (*const tail_call)(context* frame, void* programs, u32 number) = (void*)BPF_FUNC_tail_call;

INLINE int load(context* frame, u32 offset, void* to, u32 length) {
  return load_relative(frame, offset, to, length, BPF_HDR_START_MAC) == 0;
}

INLINE int is_for_host(context* frame) {
  return frame->pkt_type == PACKET_TO_HOST;
}

INLINE u32 interface_of(context* frame) {
  return frame->ifindex;
}

#endif

INLINE u16 big16(const u8* at) {
  return (u16)(at[0] << 8 | at[1]);
}

INLINE void mapped(struct steal_address* address, const void* ipv4) {
  address->words[0] = 0;
  address->words[1] = 0;
  address->words[2] = __builtin_bswap32(0xffff);
  __builtin_memcpy(&address->words[3], ipv4, 4);
}

INLINE int is_icmp(const struct packet* packet) {
  return packet->protocol == ICMP || packet->protocol == ICMPV6;
}

INLINE int is_echo_request(const struct packet* packet) {
  return packet->protocol == ICMP ? packet->type == ICMP_ECHO : packet->type == ICMPV6_ECHO;
}

INLINE int is_echo_reply(const struct packet* packet) {
  return packet->protocol == ICMP ? packet->type == ICMP_ECHO_REPLY : packet->type == ICMPV6_ECHO_REPLY;
}

INLINE int is_icmp_error(const struct packet* packet) {
  if (packet->protocol == ICMPV6) return packet->type < ICMPV6_ECHO;
  return packet->type == 3 || packet->type == 4 || packet->type == 5 || packet->type == 11 || packet->type == 12;
}

// Ports, or type and identifier. A packet too short for them has zeros: no tuple matches.
INLINE void read_transport(context* frame, struct packet* packet) {
  u8 start[8];
  packet->source_port = 0;
  packet->destination_port = 0;
  packet->type = 0xff;
  if (packet->is_later) return;
  if (is_icmp(packet)) {
    if (!load(frame, packet->transport, start, 8)) return;
    packet->type = start[0];
    if (!is_echo_request(packet) && !is_echo_reply(packet)) return;
    packet->source_port = packet->destination_port = big16(start + 4);
    return;
  }
  if (packet->protocol != TCP && packet->protocol != UDP && packet->protocol != SCTP) return;
  if (!load(frame, packet->transport, start, 4)) return;
  packet->source_port = big16(start);
  packet->destination_port = big16(start + 2);
}

INLINE int read_ipv4(context* frame, u32 offset, struct packet* packet) {
  u8 header[20];
  if (!load(frame, offset, header, sizeof header)) return 0;
  const u32 length = (header[0] & 15) * 4;
  if (header[0] >> 4 != 4 || length < sizeof header) return 0;
  const u16 fragment = big16(header + 6);
  packet->is_later = (fragment & 0x1fff) != 0;
  packet->is_first = !packet->is_later && (fragment & 0x2000) != 0;
  packet->id = big16(header + 4);
  packet->protocol = header[9];
  packet->transport = offset + length;
  mapped(&packet->source, header + 12);
  mapped(&packet->destination, header + 16);
  read_transport(frame, packet);
  return 1;
}

INLINE int read_ipv6(context* frame, u32 offset, struct packet* packet) {
  u8 header[40];
  if (!load(frame, offset, header, sizeof header) || header[0] >> 4 != 6) return 0;
  __builtin_memcpy(&packet->source, header + 8, 16);
  __builtin_memcpy(&packet->destination, header + 24, 16);
  packet->is_first = packet->is_later = 0;
  packet->id = 0;
  u32 at = offset + sizeof header;
  u8 next = header[6];
  for (int i = 0; i < MOST_EXTENSIONS; i++) {
    u8 extension[8];
    if (next != HOP_BY_HOP && next != ROUTING && next != FRAGMENT && next != AUTHENTICATION &&
        next != DESTINATION_OPTIONS) {
      break;
    }
    if (!load(frame, at, extension, sizeof extension)) return 0;
    if (next == FRAGMENT) {
      const u16 fragment = big16(extension + 2);
      packet->is_later = (fragment & 0xfff8) != 0;
      packet->is_first = !packet->is_later && (fragment & 1) != 0;
      __builtin_memcpy(&packet->id, extension + 4, 4);
    }
    at += next == FRAGMENT ? 8 : next == AUTHENTICATION ? (extension[1] + 2) * 4 : (extension[1] + 1) * 8;
    next = extension[0];
    if (packet->is_later) break;
  }
  packet->protocol = next;
  packet->transport = at;
  read_transport(frame, packet);
  return 1;
}

INLINE const struct steal_place* place_of(const struct steal_address* address) {
  return map_lookup(&places, address);
}

// Null where there is no such tuple.
INLINE const struct steal_steerings* tuple_of(const struct steal_address* address, u16 port, u8 protocol, u8 role) {
  struct steal_tuple tuple = {.address = *address, .port = port, .protocol = protocol, .role = role};
  const struct steal_steerings* found = map_lookup(&tuples, &tuple);
  if (found || port == 0) return found;
  tuple.port = 0;
  return map_lookup(&tuples, &tuple);
}

INLINE int is_tuple(const struct steal_address* address, u16 port, u8 protocol, u8 role) {
  return tuple_of(address, port, protocol, role) != 0;
}

INLINE int has(const struct steal_place* place, u32 flag) {
  return place && (place->flags & flag) != 0;
}

INLINE int is_of_pool(const struct steal_place* place, u16 port) {
  if (!has(place, STEAL_POOL)) return 0;
  return !has(place, STEAL_HOST) || (port >= place->first_port && port <= place->last_port);
}

INLINE int is_ipv4(const struct steal_address* address) {
  return (address->words[0] | address->words[1]) == 0 && address->words[2] == __builtin_bswap32(0xffff);
}

// Groups, the broadcast address, loopback, and addresses of one link: nothing that an egress gateway passes on.
INLINE int stays_on_link(const struct steal_address* address) {
  if (is_ipv4(address)) {
    const u32 host = __builtin_bswap32(address->words[3]);
    return host >> 28 >= 0xe || host >> 24 == 127 || host >> 16 == 0xa9fe || host == 0;
  }
  const u32 start = __builtin_bswap32(address->words[0]);
  return start >> 24 == 0xff || start >> 22 == 0xfe80 >> 6;
}

INLINE int leaves_by_egress(const struct packet* packet, const struct steal_place* destination) {
  const u32 only = 0;
  const struct steal_settings* set = map_lookup(&settings, &only);
  if (!set || !set->has_egress || destination || stays_on_link(&packet->destination)) return 0;
  struct steal_network network = {.prefix_length = 128, .address = packet->source};
  if (!map_lookup(&egress, &network)) return 0;
  network.address = packet->destination;
  return map_lookup(&inside, &network) == 0;
}

INLINE u64 marks_that_fit(const struct steal_settings* set, u16 kind, const struct steal_address* value) {
  struct steal_mark_key key = {.prefix_length = 160, .edition = set->marks, .kind = kind, .value = *value};
  const u64* rules = map_lookup(&marks, &key);
  return rules ? *rules : 0;
}

INLINE u64 marks_of_number(const struct steal_settings* set, u16 kind, u32 number) {
  const struct steal_address value = {{__builtin_bswap32(number), 0, 0, 0}};
  return marks_that_fit(set, kind, &value);
}

// Whose packets of a client to an address and port are by the rules of firewall marks. `to` is null where the address
// is no longer known, because it was translated. Of a later fragment, which has no port, the first fragment decides.
INLINE u32 owner_by_marks(const struct steal_address* client, const struct steal_address* to,
                          const struct packet* packet, u16 port, u32 interface) {
  const u32 only = 0;
  const struct steal_settings* set = map_lookup(&settings, &only);
  if (!set || set->marks == 0) return STEAL_NOTHING;
  if (packet->protocol != TCP && packet->protocol != UDP && packet->protocol != SCTP) return STEAL_NOTHING;
  u64 rules = marks_that_fit(set, STEAL_MARK_SOURCE, client);
  if (to) rules &= marks_that_fit(set, STEAL_MARK_DESTINATION, to);
  if (interface) rules &= marks_of_number(set, STEAL_MARK_INTERFACE, interface);
  rules &= marks_of_number(set, STEAL_MARK_PROTOCOL, packet->protocol);
  const u64 services = set->mark_services[is_ipv4(client) ? 0 : 1];
  if (packet->is_later) return (rules & services) != 0 ? STEAL_SEEN : STEAL_NOTHING;
  rules &= marks_of_number(set, STEAL_MARK_PORT, (u32)port << 16);
  const u64 first = rules & -rules;
  return (first & services) != 0 ? STEAL_TAKEN : STEAL_NOTHING;
}

INLINE u32 owner_of_marked(const struct packet* packet, const struct steal_place* destination) {
  const u32 owner =
      owner_by_marks(&packet->source, &packet->destination, packet, packet->destination_port, packet->interface);
  if (owner != STEAL_NOTHING || has(destination, STEAL_HOST)) return owner;
  if (!has(place_of(&packet->source), STEAL_MARKED) || stays_on_link(&packet->destination)) return STEAL_NOTHING;
  return owner_by_marks(&packet->destination, 0, packet, packet->source_port, 0);
}

// The director's packet that an ICMP error quotes, of those with a firewall mark.
INLINE u32 owner_of_marked_error(const struct packet* quoted, const struct steal_place* receiver) {
  const u32 of_reply = owner_by_marks(&quoted->destination, &quoted->source, quoted, quoted->source_port, 0);
  if (of_reply != STEAL_NOTHING || has(receiver, STEAL_HOST)) return of_reply;
  const int is_translated = has(place_of(&quoted->destination), STEAL_MARKED);
  return owner_by_marks(&quoted->source, is_translated ? 0 : &quoted->destination, quoted, quoted->destination_port, 0);
}

// The director's packet that an ICMP error quotes.
INLINE u32 owner_of_error(const struct packet* quoted, const struct steal_place* receiver) {
  const struct steal_place* source = place_of(&quoted->source);
  if (has(source, STEAL_SERVICE) &&
      is_tuple(&quoted->source, quoted->source_port, quoted->protocol, STEAL_TO_SERVICE)) {
    return STEAL_TAKEN;
  }
  if (is_of_pool(source, quoted->source_port)) return STEAL_TAKEN;
  const struct steal_place* destination = place_of(&quoted->destination);
  // The host's PMTU cache may learn from it too.
  if (has(destination, STEAL_TUNNEL) && (quoted->protocol == IPV4_IN_IP || quoted->protocol == IPV6_IN_IP ||
                                         quoted->protocol == GRE || quoted->protocol == UDP)) {
    return STEAL_SEEN;
  }
  // About a packet of a client, and for the client. What the host itself has sent there is its own.
  if (has(receiver, STEAL_HOST)) return STEAL_NOTHING;
  if (has(destination, STEAL_SERVICE) &&
      is_tuple(&quoted->destination, quoted->destination_port, quoted->protocol, STEAL_TO_SERVICE)) {
    return STEAL_TAKEN;
  }
  if (has(destination, STEAL_SERVER) &&
      is_tuple(&quoted->destination, quoted->destination_port, quoted->protocol, STEAL_FROM_SERVER)) {
    return STEAL_TAKEN;
  }
  return STEAL_NOTHING;
}

INLINE u32 owner_to_place(const struct packet* packet, const struct steal_place* place) {
  const int is_hosts = has(place, STEAL_HOST);
  if (has(place, STEAL_WHOLE)) return STEAL_TAKEN;
  // Of an address that the host does not have, the director alone can answer.
  if (!is_hosts && has(place, STEAL_SERVICE | STEAL_POOL)) return STEAL_TAKEN;
  if (has(place, STEAL_SERVICE) &&
      is_tuple(&packet->destination, packet->destination_port, packet->protocol, STEAL_TO_SERVICE)) {
    return STEAL_TAKEN;
  }
  if (!has(place, STEAL_POOL)) return STEAL_NOTHING;
  if (!is_of_pool(place, packet->destination_port)) return STEAL_NOTHING;
  // The identifiers of the host's own echoes are not the director's to choose.
  if (is_icmp(packet)) return is_echo_reply(packet) ? STEAL_SEEN : STEAL_NOTHING;
  return packet->destination_port != 0 ? STEAL_TAKEN : STEAL_NOTHING;
}

// A later fragment whose first has not come yet. Where it might be the director's and might be the host's, both wait
// for the first: who never sees one forgets the rest.
INLINE u32 owner_of_later(const struct packet* packet, const struct steal_place* destination) {
  const u32 owner = destination ? owner_to_place(packet, destination) : STEAL_NOTHING;
  if (owner != STEAL_NOTHING) return owner;
  if (has(destination, STEAL_SERVICE | STEAL_POOL)) return STEAL_SEEN;
  if (has(destination, STEAL_HOST)) return STEAL_NOTHING;
  if (leaves_by_egress(packet, destination)) return STEAL_TAKEN;
  return has(place_of(&packet->source), STEAL_SERVER) ? STEAL_SEEN : STEAL_NOTHING;
}

INLINE u32 owner_by_ends(const struct packet* packet, const struct steal_place* destination) {
  if (packet->is_later) return owner_of_later(packet, destination);
  if (destination) {
    const u32 owner = owner_to_place(packet, destination);
    if (owner != STEAL_NOTHING || has(destination, STEAL_HOST)) return owner;
  }
  const struct steal_place* source = place_of(&packet->source);
  if (has(source, STEAL_SERVER) && !stays_on_link(&packet->destination) &&
      is_tuple(&packet->source, packet->source_port, packet->protocol, STEAL_FROM_SERVER)) {
    return STEAL_TAKEN;
  }
  return leaves_by_egress(packet, destination) ? STEAL_TAKEN : STEAL_NOTHING;
}

// The worker of a client's flow, by what steers it.
INLINE u32 worker_of_client(const struct steal_settings* set, const struct steal_steerings* how,
                            const struct steal_client* client) {
  const u32 edition = set->steering & STEAL_EDITION;
  const struct steal_steering now = edition ? how->edition[1] : how->edition[0];
  const u32 worker = steal_hash(&now, &client->address, client->port) % set->workers;
  const u32 may_stray = now.flags & STEAL_STRAYS;
  const u32 is_changing = set->steering & STEAL_CHANGING;
  if (!may_stray && !is_changing) return worker;

  const struct steal_stray note = {.worker = worker, .seen = nanoseconds() >> STEAL_CLOCK_SHIFT};
  struct steal_stray* stray = may_stray ? map_lookup(&strays, client) : 0;
  if (stray && note.seen - stray->seen <= set->stray_lifetime) {
    stray->seen = note.seen;
    return stray->worker;
  }
  if (stray) map_delete(&strays, client);
  if (!is_changing) return worker;
  const struct steal_steering then = edition ? how->edition[0] : how->edition[1];
  if (steal_hash(&then, &client->address, client->port) % set->workers != worker)
    map_update(&strays, client, &note, BPF_NOEXIST);
  return worker;
}

// The worker of a packet that is no later fragment. Local ports are split by their remainder.
//
// What is found is copied. The verifier follows every way to the end of the program unless it has met the same state
// there before: two ways that have found a client in different places are different, two copies of a client are equal.
INLINE u32 worker_of(const struct packet* packet, const struct packet* quoted) {
  const u32 only = 0;
  const struct steal_settings* set = map_lookup(&settings, &only);
  if (!set || set->workers < 2) return 0;
  // An error goes where the packet that it quotes came from.
  const struct packet* subject = quoted ? quoted : packet;
  const struct steal_address* from = quoted ? &quoted->destination : &packet->source;
  const struct steal_address* to = quoted ? &quoted->source : &packet->destination;
  const u16 from_port = quoted ? quoted->destination_port : packet->source_port;
  const u16 to_port = quoted ? quoted->source_port : packet->destination_port;

  // What no service steers: the flows of the egress, and echoes.
  struct steal_steerings how = {{{{32, 32, 32, 32}, STEAL_BY_PORT}, {{32, 32, 32, 32}, STEAL_BY_PORT}}};
  struct steal_client client = {.address = *from, .port = from_port, .protocol = subject->protocol};
  const struct steal_place* receiver = place_of(to);
  const struct steal_steerings* found = 0;
  if (has(receiver, STEAL_SERVICE)) found = tuple_of(to, to_port, subject->protocol, STEAL_TO_SERVICE);
  if (found) {
    how = *found;
    return worker_of_client(set, &how, &client);
  }
  if (is_of_pool(receiver, to_port)) return to_port % set->workers;

  const struct steal_place* sender = place_of(from);
  if (has(sender, STEAL_SERVER)) found = tuple_of(from, from_port, subject->protocol, STEAL_FROM_SERVER);
  // What an error quotes has gone the other way: a request's answer came from its destination.
  const int is_of_request = !found && quoted && has(sender, STEAL_SERVICE);
  if (is_of_request) found = tuple_of(from, from_port, subject->protocol, STEAL_TO_SERVICE);
  if (found) how = *found;
  int is_answer = found || is_of_request;
  if (!is_answer && set->marks != 0) {
    // Replies of a real server that keeps ports, and requests that an error quotes; then requests.
    const int is_server = has(sender, STEAL_MARKED);
    if (is_server || quoted)
      is_answer = owner_by_marks(to, is_server ? 0 : from, subject, from_port, 0) != STEAL_NOTHING;
    if (is_answer || owner_by_marks(from, to, subject, to_port, quoted ? 0 : packet->interface) != STEAL_NOTHING)
      how = is_ipv4(to) ? set->mark_steering[0] : set->mark_steering[1];
  }
  if (is_answer) {
    client.address = *to;
    client.port = to_port;
  }
  return worker_of_client(set, &how, &client);
}

INLINE void datagram_of(const struct packet* packet, struct steal_datagram* datagram) {
  datagram->source = packet->source;
  datagram->destination = packet->destination;
  datagram->id = packet->id;
  datagram->protocol = packet->protocol;
}

INLINE u32 owner_of_ip(context* frame, struct packet* packet, u32* worker) {
  const struct steal_place* destination = place_of(&packet->destination);
  struct steal_datagram datagram;
  if (packet->is_later) {
    datagram_of(packet, &datagram);
    const struct steal_remembered* first = map_lookup(&fragments, &datagram);
    if (worker) *worker = first ? first->steer : 0;
    if (first) return first->owner;
    const u32 owner = owner_by_ends(packet, destination);
    return owner != STEAL_NOTHING ? owner : owner_of_marked(packet, destination);
  }
  u32 owner = STEAL_NOTHING;
  if (is_icmp(packet) && is_icmp_error(packet)) {
    struct packet quoted;
    const int is_read = packet->protocol == ICMP ? read_ipv4(frame, packet->transport + 8, &quoted)
                                                 : read_ipv6(frame, packet->transport + 8, &quoted);
    if (is_read) owner = owner_of_error(&quoted, destination);
    if (is_read && owner == STEAL_NOTHING) owner = owner_of_marked_error(&quoted, destination);
    if (worker && is_read) *worker = worker_of(packet, &quoted);
    return owner != STEAL_NOTHING ? owner : owner_by_ends(packet, destination);
  }
  owner = owner_by_ends(packet, destination);
  if (owner == STEAL_NOTHING) owner = owner_of_marked(packet, destination);
  if (!worker && !packet->is_first) return owner;
  const u32 steer = worker_of(packet, 0);
  if (worker) *worker = steer;
  if (!packet->is_first) return owner;
  datagram_of(packet, &datagram);
  const struct steal_remembered first = {.owner = owner, .steer = steer};
  // The identification may be that of an earlier datagram, which was the director's.
  if (owner == STEAL_NOTHING)
    map_delete(&fragments, &datagram);
  else
    map_update(&fragments, &datagram, &first, BPF_ANY);
  return owner;
}

// A question for an address, by one whose own address is stated with it; or a statement alone (`asked` is null).
INLINE u32 owner_of_resolution(const struct steal_address* stated, const struct steal_address* asked) {
  const u32 ours = STEAL_SERVICE | STEAL_POOL | STEAL_WHOLE;
  const struct steal_place* place = asked ? place_of(asked) : 0;
  if (has(place, ours) && !has(place, STEAL_HOST)) return STEAL_TAKEN;
  return has(place_of(stated), ours) ? STEAL_SEEN : STEAL_NOTHING;
}

INLINE u32 owner_of_arp(context* frame, u32 offset) {
  u8 arp[28];
  if (!load(frame, offset, arp, sizeof arp) || big16(arp) != 1 || big16(arp + 2) != TYPE_IPV4) return STEAL_NOTHING;
  struct steal_address sender, target;
  mapped(&sender, arp + 14);
  mapped(&target, arp + 24);
  return owner_of_resolution(&sender, big16(arp + 6) == 1 ? &target : 0);
}

INLINE u32 owner_of_neighbour(context* frame, const struct packet* packet) {
  struct steal_address target;
  if (!load(frame, packet->transport + 8, &target, sizeof target)) return STEAL_NOTHING;
  if (packet->type == ADVERTISEMENT) return owner_of_resolution(&target, 0);
  return owner_of_resolution(&packet->source, &target);
}

// `worker` is null where nobody asks for it.
INLINE u32 owner_of(context* frame, u32* worker) {
  u8 ethernet[ETHERNET_LENGTH];
  if (!load(frame, 0, ethernet, sizeof ethernet)) return STEAL_NOTHING;
  u16 type = big16(ethernet + 12);
  u32 offset = ETHERNET_LENGTH;
  for (int i = 0; i < MOST_INLINE_TAGS && (type == TYPE_VLAN || type == TYPE_PROVIDER_VLAN); i++) {
    u8 tag[VLAN_LENGTH];
    if (!load(frame, offset, tag, sizeof tag)) return STEAL_NOTHING;
    type = big16(tag + 2);
    offset += VLAN_LENGTH;
  }
  if (type == TYPE_ARP) return owner_of_arp(frame, offset);
  struct packet packet;
  packet.interface = interface_of(frame);
  if (type == TYPE_IPV4) {
    if (!is_for_host(frame) || !read_ipv4(frame, offset, &packet)) return STEAL_NOTHING;
  } else if (type == TYPE_IPV6) {
    if (!read_ipv6(frame, offset, &packet)) return STEAL_NOTHING;
    if (packet.protocol == ICMPV6 && (packet.type == SOLICITATION || packet.type == ADVERTISEMENT)) {
      return owner_of_neighbour(frame, &packet);
    }
    if (!is_for_host(frame)) return STEAL_NOTHING;
  } else {
    return STEAL_NOTHING;
  }
  return owner_of_ip(frame, &packet, worker);
}

#ifndef STEAL_INCLUDED

// The place of a program that forwards established flows inside the kernel: it would be asked here first, and would
// redirect what it knows. (The packet socket has had its copy by then, so that its filter must ask the same.)
SECTION("ingress") int steal_ingress(context* frame) {
  return owner_of(frame, 0) == STEAL_TAKEN ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

// The number of bytes that the socket gets.
SECTION("socket") int steal_socket(context* frame) {
  return owner_of(frame, 0) == STEAL_NOTHING ? 0 : -1;
}

// What a socket is given for a filter. Before kernel 6.8 a filter's length counts as the socket's memory, of which it
// has 20 KB unless the host's owner gives it more (net.core.optmem_max): less than steal_socket has. So the filter is
// short and goes on there.
SECTION("filter") int steal_filter(context* frame) {
  tail_call(frame, &deciders, 0);
  return 0;
}

SECTION("fanout") int steal_fanout(context* frame) {
  u32 worker = 0;
  owner_of(frame, &worker);
  return worker;
}

#endif
