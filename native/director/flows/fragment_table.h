// SPDX-License-Identifier: Apache-2.0
// Fragments of datagrams. Later fragments carry no ports; the decision for the first fragment applies to them.
//
// Theory of operation
//
// A datagram is known by source, destination, identification and (IPv4) protocol. It is not reassembled; each fragment
// is forwarded by itself. offer() says what to do with a fragment:
//
//   first    offset 0: look it up like any packet, then always call decide(), reject() or postpone()
//   follow   a later one whose first was decided: do the same as with the first
//   held     a later one that came before its first: a copy is kept, and decide() gives it back, in order of arrival
//   early    as held, but the caller wants none held: nothing is remembered of it
//   whole    an IPv6 fragment that is the whole datagram ("atomic"): independent of any other (RFC 6946)
//   drop     with a reason
//
//   nothing known --later--> waiting --first, decide()--> decided --last piece--> forgotten
//                               |                            |
//                               +---- overlap, too many, no memory, reject() ----> spoiled --timeout--> forgotten
//
// Attacks: a first fragment must hold the fixed transport header, and no later fragment may begin inside it (RFC 1858,
// RFC 3128, RFC 7112), so a flow's ports and flags cannot be hidden or overwritten. A fragment that overlaps another
// spoils its datagram: all its further fragments are dropped (RFC 5722; for IPv4, too). An exact duplicate, which
// networks do produce, is dropped alone (RFC 8200, 4.5). The table does not interpret the decision. A decision may
// outlive the flow that it names, so check that flow before use.
//
// All memory is taken in the constructor. If all places are used, a new datagram replaces the oldest: in a flood of
// fragments, new datagrams have the best chance, because the fragments of an honest datagram arrive together. All
// datagrams have the same timeout, so the oldest is also the next to expire.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/time.h"
#include "wire/address.h"
#include "wire/bytes.h"

namespace sluice::director {

template <class Address>
struct FragmentKey {
  Address source, destination;
  uint32_t identification = 0;
  uint8_t protocol = 0;  // IPv4; 0 for IPv6, whose later fragments may hold any value (RFC 8200, 4.5)
  bool operator==(const FragmentKey&) const = default;
};

template <class Address>
struct FragmentInfo {
  FragmentKey<Address> key;
  uint8_t transport = 0;          // IPv4: the protocol; IPv6: the last next header of the chain in a first fragment
  uint16_t transport_offset = 0;  // of the transport header in a first fragment's payload (IPv6 extension headers)
  uint32_t offset = 0;            // of the payload within the datagram, in bytes
  uint32_t length = 0;            // of the payload, in bytes
  bool more = false;
};

enum class FragmentStep : uint8_t { first, follow, held, early, whole, drop };

enum class FragmentDrop : uint8_t {
  none,
  malformed,      // no payload, a length that is not a multiple of eight, or beyond 65535 bytes
  tiny,           // the transport header is cut into pieces
  overlap,        // overlaps another fragment, or the datagram's end
  duplicate,      // an equal piece came before
  too_many,       // too many pieces of one datagram
  out_of_memory,  // no memory for frames that wait for their first
  spoiled,        // an earlier fragment spoiled the datagram
  rejected,       // the first fragment was dropped
  timed_out,      // waited for a first fragment that never came
  displaced,      // waited, and was replaced by newer datagrams
};
inline constexpr size_t fragment_drop_count = static_cast<size_t>(FragmentDrop::displaced) + 1;

struct FragmentOutcome {
  FragmentStep step = FragmentStep::drop;
  FragmentDrop reason = FragmentDrop::none;
  uint64_t decision = 0;  // valid for `follow`
};

struct FragmentTableOptions {
  uint32_t datagrams = 4096;  // at the same time; 2.5 MiB
  uint32_t chunks = 2048;     // of chunk_size, for waiting frames; 4 MiB
  Time timeout =
      30 * second;    // from the first fragment that arrives, as the kernel's ipfrag_time; IPv6: 60 s (RFC 8200)
  uint64_t seed = 0;  // secret
};

template <class Address>
class FragmentTable {
 public:
  // A frame without jumbo size fits in one chunk; larger frames take several.
  static constexpr size_t chunk_size = 2048;
  // The longest datagram in packets of 576 bytes (RFC 791's minimum that every host takes) has 119.
  static constexpr size_t fragment_limit = 128;
  // Chunks that one datagram may occupy: 45 frames of 1500 bytes, or one of 64 KiB and a few more.
  static constexpr uint32_t chunks_a_datagram = 48;

  // Called for each held frame that will not be given back. `context` is the one that offer() was given.
  using OnDrop = std::function<void(uint64_t context, FragmentDrop reason)>;

  FragmentTable(const FragmentTableOptions& options, OnDrop on_drop);

  // Keeps `frame` and `context` if the outcome is `held`, which happens only if `may_hold` is true.
  FragmentOutcome offer(const FragmentInfo<Address>& info, wire::Bytes frame, uint64_t context, Time now,
                        bool may_hold = true);
  // Call it after `first`, with the same key. Calls give_back(frame, context) for each frame that waited, in order of
  // arrival; give_back must not call the table.
  template <class GiveBack>
  void decide(const FragmentKey<Address>& key, uint64_t decision, GiveBack&& give_back);
  void reject(const FragmentKey<Address>& key);
  // Instead of decide() or reject(): the first fragment cannot leave yet and will be offered again. Later ones wait for
  // it.
  void postpone(const FragmentKey<Address>& key);

  // Forgets expired datagrams, at most `budget` of them. offer() also forgets a few, so a caller needs this only to
  // learn of timeouts in time.
  void expire(Time now, uint32_t budget);

  uint64_t dropped(FragmentDrop reason) const { return dropped_[static_cast<size_t>(reason)]; }
  uint32_t size() const { return size_; }
  uint32_t free_chunks() const { return free_chunks_; }

 private:
  static constexpr uint32_t none = ~uint32_t{0};
  enum class State : uint8_t { waiting, decided, spoiled };
  struct Piece {
    uint16_t begin, end;  // bytes of the datagram
  };
  struct Datagram {
    FragmentKey<Address> key;
    Time deadline = 0;
    uint64_t decision = 0;
    uint32_t next_in_bucket = none;
    uint32_t older = none, newer = none;
    uint32_t first_held = none, last_held = none;  // chunks in which frames begin
    uint32_t chunks = 0;
    uint32_t end = 0;      // the datagram's length; 0: not yet known
    uint32_t covered = 0;  // bytes seen
    uint16_t pieces = 0;
    State state = State::waiting;
    std::array<Piece, fragment_limit> piece;
  };
  // The frame that begins in a chunk, and the chain of its chunks.
  struct Chunk {
    uint64_t context = 0;
    uint32_t next = none;        // within the frame, or within the free list
    uint32_t next_frame = none;  // within the datagram
    uint32_t size = 0;           // of the frame
  };

  uint32_t& bucket_of(const FragmentKey<Address>& key);
  uint32_t find(const FragmentKey<Address>& key);
  uint32_t create(const FragmentKey<Address>& key, Time now);
  void forget(uint32_t index, FragmentDrop reason);
  void spoil(Datagram& datagram, FragmentDrop reason);
  FragmentOutcome drop(FragmentDrop reason);
  FragmentDrop add_piece(Datagram& datagram, const FragmentInfo<Address>& info);
  bool hold(Datagram& datagram, wire::Bytes frame, uint64_t context);
  wire::Bytes frame_at(uint32_t chunk);
  void release_frame(uint32_t chunk);
  void drop_held(Datagram& datagram, FragmentDrop reason);
  static bool is_complete(const Datagram& datagram) { return datagram.end != 0 && datagram.covered == datagram.end; }

  Time timeout_;
  uint64_t seed_;
  OnDrop on_drop_;
  std::vector<Datagram> datagrams_;
  std::vector<uint32_t> buckets_;
  uint32_t free_datagram_ = none, oldest_ = none, newest_ = none, size_ = 0;
  std::vector<Chunk> chunks_;
  // chunk_size bytes for every chunk. They are not touched until a frame waits, so a rehearsal's copy does not contain
  // them (decision 12).
  std::unique_ptr<uint8_t[]> arena_;
  std::vector<uint8_t> assembly_;  // for a frame of several chunks, while decide() gives it back
  uint32_t free_chunk_ = none, free_chunks_ = 0;
  std::array<uint64_t, fragment_drop_count> dropped_{};
};

template <class Address>
template <class GiveBack>
void FragmentTable<Address>::decide(const FragmentKey<Address>& key, uint64_t decision, GiveBack&& give_back) {
  const uint32_t index = find(key);
  if (index == none) return;
  Datagram& datagram = datagrams_[index];
  if (datagram.state != State::waiting) return;
  datagram.state = State::decided;
  datagram.decision = decision;
  while (datagram.first_held != none) {
    const uint32_t chunk = datagram.first_held;
    datagram.first_held = chunks_[chunk].next_frame;
    give_back(frame_at(chunk), chunks_[chunk].context);
    release_frame(chunk);
  }
  datagram.chunks = 0;
  if (is_complete(datagram)) forget(index, FragmentDrop::none);
}

extern template class FragmentTable<wire::Ipv4Address>;
extern template class FragmentTable<wire::Ipv6Address>;

}  // namespace sluice::director
