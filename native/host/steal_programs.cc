// SPDX-License-Identifier: Apache-2.0
#include "host/steal_programs.h"

#include <utility>

#include "bpf/steal.h"

namespace sluice::host {

namespace {

// A tuple for each service and real server, and as many addresses: 20,000 services with ten real servers of their own,
// and 4 MB of buckets a map. Entries are allocated as they are added.
constexpr uint32_t most_tuples = 262144;
constexpr uint32_t most_places = 262144;
constexpr uint32_t most_networks = 4096;
// Flows of services whose steering has changed, half of which stay where they are with two workers: 4 MB of buckets.
constexpr uint32_t most_strays = 262144;
// Datagrams in fragments at one moment; the oldest are forgotten.
constexpr uint32_t most_datagrams = 16384;
// Two editions of rules of firewall marks, each of which may ask for a range of ports that becomes thirty prefixes.
constexpr uint32_t most_mark_entries = 16384;

MapShape shape_of(bpf::Map map) {
  using namespace bpf;
  switch (map) {
    case places:
      return {"sluice_places",     BPF_MAP_TYPE_HASH, sizeof(steal_address),
              sizeof(steal_place), most_places,       BPF_F_NO_PREALLOC};
    case tuples:
      return {"sluice_tuples",         BPF_MAP_TYPE_HASH, sizeof(steal_tuple),
              sizeof(steal_steerings), most_tuples,       BPF_F_NO_PREALLOC};
    case strays:
      return {"sluice_strays",     BPF_MAP_TYPE_HASH, sizeof(steal_client),
              sizeof(steal_stray), most_strays,       BPF_F_NO_PREALLOC};
    case egress:
      return {"sluice_egress", BPF_MAP_TYPE_LPM_TRIE, sizeof(steal_network),
              sizeof(u32),     most_networks,         BPF_F_NO_PREALLOC};
    case inside:
      return {"sluice_inside", BPF_MAP_TYPE_LPM_TRIE, sizeof(steal_network),
              sizeof(u32),     most_networks,         BPF_F_NO_PREALLOC};
    case fragments:
      return {"sluice_frags",           BPF_MAP_TYPE_LRU_HASH, sizeof(steal_datagram),
              sizeof(steal_remembered), most_datagrams,        0};
    case marks:
      return {"sluice_marks", BPF_MAP_TYPE_LPM_TRIE, sizeof(steal_mark_key),
              sizeof(u64),    most_mark_entries,     BPF_F_NO_PREALLOC};
    case deciders:
      return {"sluice_deciders", BPF_MAP_TYPE_PROG_ARRAY, sizeof(u32), sizeof(u32), 1, 0};
    case settings:
    case lanes:     // the diversion's own
    case sockets:   // likewise
    case expected:  // those of host_reply_programs.h
    case ways:      // likewise
      break;
  }
  return {"sluice_settings", BPF_MAP_TYPE_ARRAY, sizeof(u32), sizeof(steal_settings), 1, 0};
}

// Of this process; the thread that configures asks for them.
StealPrograms prepared;

}  // namespace

bool StealPrograms::load(Failure& failure) {
  for (uint16_t map = 0; map < bpf::map_count; map++) {
    if (map == bpf::lanes || map == bpf::sockets || map == bpf::expected || map == bpf::ways) continue;
    if (!maps[map].create(shape_of(static_cast<bpf::Map>(map)), failure)) return false;
  }
  constexpr uint32_t first = 0;
  if (!load_program(bpf::socket, BPF_PROG_TYPE_SOCKET_FILTER, maps, socket, failure)) return false;
  const int decider = socket.get();
  return load_program(bpf::filter, BPF_PROG_TYPE_SOCKET_FILTER, maps, filter, failure) &&
         maps[bpf::deciders].set(&first, &decider, failure) &&
         load_program(bpf::ingress, BPF_PROG_TYPE_SCHED_CLS, maps, ingress, failure);
}

bool StealPrograms::load_fanout(Failure& failure) {
  return fanout || load_program(bpf::fanout, BPF_PROG_TYPE_SOCKET_FILTER, maps, fanout, failure);
}

void StealPrograms::prepare(bool with_fanout) {
  StealPrograms loaded;
  Failure ignored;  // whoever needs them tries again, and says what is wrong
  if (!loaded.load(ignored)) return;
  if (with_fanout) static_cast<void>(loaded.load_fanout(ignored));
  prepared = std::move(loaded);
}

StealPrograms StealPrograms::take_prepared() {
  return std::exchange(prepared, {});
}

}  // namespace sluice::host
