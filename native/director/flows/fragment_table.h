// SPDX-License-Identifier: Apache-2.0
// Fragments of datagrams: the later ones carry no ports and follow what was decided for the first.
//
// Theory of operation
//
// A datagram is known by source, destination, identification and (IPv4) protocol. It is not put together; each fragment
// is forwarded by itself. offer() says what to do with one:
//
//   first    offset 0: look it up like any packet, then call decide(), reject() or postpone(), always
//   follow   a later one whose first was decided: do the same as with the first
//   held     a later one that came before its first: a copy is kept, and decide() gives it back, in order of arrival
//   early    the same where the caller wants none held: nothing is remembered of it
//   whole    an IPv6 fragment that is the whole datagram ("atomic"): treated apart from any other (RFC 6946)
//   drop     with a reason
//
//   nothing known --later--> waiting --first, decide()--> decided --last piece--> forgotten
//                               |                            |
//                               +---- overlap, too many, no memory, reject() ----> spoiled --timeout--> forgotten
//
// Attacks: a first fragment must hold the transport's fixed header, and no later one may begin inside it (RFC 1858,
// RFC 3128, RFC 7112), so a flow's ports and flags cannot be hidden or overwritten. A fragment that overlaps another
// spoils its datagram: everything of it is dropped from then on (RFC 5722, and for IPv4 alike); an exact duplicate,
// which networks do make, is only dropped itself (RFC 8200, 4.5). What the decision looks like is the director's
// business; it outlives the flow it may speak of, so check that flow before use.
//
// All memory is taken in the constructor. When every datagram's place is taken, the oldest gives way: in a flood of
// fragments, new datagrams have the best chance, since the pieces of an honest one arrive together. All have the same
// timeout, so the oldest is also the next to expire.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "core/time.h"
#include "wire/address.h"
#include "wire/bytes.h"

namespace sluice::director {

template <class Address>
struct FragmentKey {
  Address source, destination;
  uint32_t identification = 0;
  uint8_t protocol = 0;  // IPv4; 0 for IPv6, whose later fragments may say anything (RFC 8200, 4.5)
  bool operator==(const FragmentKey&) const = default;
};

template <class Address>
struct FragmentInfo {
  FragmentKey<Address> key;
  uint8_t transport = 0;          // IPv4: the protocol; IPv6: the last next-header of the chain in a first fragment
  uint16_t transport_offset = 0;  // of the transport header in a first fragment's payload (IPv6 extension headers)
  uint32_t offset = 0;            // of the payload in the datagram's, bytes
  uint32_t length = 0;            // of the payload, bytes
  bool more = false;
};

enum class FragmentStep : uint8_t { first, follow, held, early, whole, drop };

enum class FragmentDrop : uint8_t {
  none,
  malformed,      // no payload, a length that is no multiple of eight, or beyond 65535 bytes
  tiny,           // the transport header is cut in pieces
  overlap,        // of this one with another, or with the datagram's end
  duplicate,      // came before, byte for byte as far as its place goes
  too_many,       // pieces of one datagram
  out_of_memory,  // for frames that wait for their first
  spoiled,        // an earlier fragment had the datagram dropped
  rejected,       // the first was dropped
  timed_out,      // waited for a first that never came
  displaced,      // waited, and made room for newer datagrams
};
inline constexpr size_t fragment_drop_count = static_cast<size_t>(FragmentDrop::displaced) + 1;

struct FragmentOutcome {
  FragmentStep step = FragmentStep::drop;
  FragmentDrop reason = FragmentDrop::none;
  uint64_t decision = 0;  // of follow
};

struct FragmentTableOptions {
  uint32_t datagrams = 4096;  // known at a time; 2.5 MiB
  uint32_t chunks = 2048;     // of chunk_size, for frames that wait; 4 MiB
  Time timeout =
      30 * second;    // from a datagram's earliest fragment, as the kernel's ipfrag_time; IPv6: 60 s (RFC 8200)
  uint64_t seed = 0;  // secret
};

template <class Address>
class FragmentTable {
 public:
  // A frame of an Ethernet without jumbo frames fits in one; larger ones take several.
  static constexpr size_t chunk_size = 2048;
  // The longest datagram in packets of 576 bytes (RFC 791's minimum that every host takes) has 119.
  static constexpr size_t fragment_limit = 128;
  // Chunks that one datagram may occupy: 45 frames of 1500 bytes, or one of 64 KiB and a few more.
  static constexpr uint32_t chunks_a_datagram = 48;

  // Told of a held frame that will not be given back; `context` is the one it was offered with.
  using OnDrop = std::function<void(uint64_t context, FragmentDrop reason)>;

  FragmentTable(const FragmentTableOptions& options, OnDrop on_drop);

  // `frame` and `context` are kept when the outcome is held, which it is only where it may.
  FragmentOutcome offer(const FragmentInfo<Address>& info, wire::Bytes frame, uint64_t context, Time now,
                        bool may_hold = true);
  // After `first`, with the same key. give_back(frame, context) gets each frame that waited, in order of arrival; it
  // must not call the table.
  template <class GiveBack>
  void decide(const FragmentKey<Address>& key, uint64_t decision, GiveBack&& give_back);
  void reject(const FragmentKey<Address>& key);
  // Instead of both: the first could not leave yet and comes again. Those that follow wait for it.
  void postpone(const FragmentKey<Address>& key);

  // Forgets datagrams whose time is over, at most `budget` of them. offer() does a few by itself, so this matters only
  // to who wants to be told of timeouts in time.
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
    uint32_t first_held = none, last_held = none;  // chunks that begin frames
    uint32_t chunks = 0;
    uint32_t end = 0;      // the datagram's length; 0: not known yet
    uint32_t covered = 0;  // bytes seen
    uint16_t pieces = 0;
    State state = State::waiting;
    std::array<Piece, fragment_limit> piece;
  };
  // The frame that begins in a chunk, and the chain of its chunks.
  struct Chunk {
    uint64_t context = 0;
    uint32_t next = none;        // of the frame; of the free list
    uint32_t next_frame = none;  // of the datagram
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
  std::vector<uint8_t> arena_;     // chunk_size bytes for every chunk
  std::vector<uint8_t> assembly_;  // for a frame of several chunks, while it is given back
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
