// SPDX-License-Identifier: Apache-2.0
// The statistics page: counters that native threads write and JavaScript reads. Neither calls the other.
//
// The page is an array of 64-bit words in memory that JavaScript allocates (a BigUint64Array over a SharedArrayBuffer):
//
//   header | block 0 | block 1 | … | block 63
//
// A block belongs to one writer: a worker thread of the engine, or a component written in TypeScript. A writer claims
// it by name. Only the owner adds to it, so adding is a load and a store and never a locked instruction. Readers on
// other threads see every counter whole, but two counters may be of slightly different moments. Counters only grow: a
// released block keeps its name and its counts. Only a writer of the same name may claim it again, and continues its
// counts. So the sum over all blocks never falls, as a metrics system expects of a counter.
//
// A Heartbeat thread stamps the header's beat, the owner of a block stamps the block's beat. If a worker's beat lags
// behind the page's, the worker is stuck. If the page's beat lags behind the monotonic clock, its native threads are
// gone.
//
// The tables below are the only description of the layout. The addon exports them (binding/statistics_page.cc), and
// TypeScript finds every word by that export. The header holds a hash of the tables, so that a page of another build is
// refused.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>

namespace sluice::engine {

// Words of the header, in order.
#define SLUICE_PAGE_HEADER(WORD)                                        \
  WORD(version)     /* set first, by whoever formats the page */        \
  WORD(magic)       /* set last: a reader that sees it sees the rest */ \
  WORD(layout_hash) /* of these tables */                               \
  WORD(beat)        /* monotonic nanoseconds of the last heartbeat */   \
  WORD(beats)       /* heartbeats so far */

// Words of a block that are not counters, in order. The name is UTF-8, padded with zeros.
#define SLUICE_BLOCK_HEADER(WORD)                                               \
  WORD(generation) /* raised by each claim and release: odd while it is held */ \
  WORD(name)                                                                    \
  WORD(name_continued)                                                          \
  WORD(beat) /* monotonic nanoseconds of the owner's last sign of life */

// The counters of a block, in order: to add one, add a line. Names are those of the metrics.
#define SLUICE_COUNTERS(COUNTER)                                                  \
  COUNTER(batches, "batches of frames taken from a port")                         \
  COUNTER(frames_received, "frames taken from a port")                            \
  COUNTER(bytes_received, "bytes of those frames, without preamble and checksum") \
  COUNTER(frames_transmitted, "frames given to a port that took them")            \
  COUNTER(bytes_transmitted, "bytes of those frames")                             \
  COUNTER(frames_dropped, "frames that were not forwarded, whatever the reason")  \
  COUNTER(frames_untransmitted, "frames that should have left and no port took")  \
  COUNTER(awake_nanoseconds, "time that its thread did not sleep")                \
  COUNTER(longest_visit_nanoseconds, "the longest time that it stood still for a change or a question")

// After these comes one counter for each reason of director/flows/reasons.def: packets whose verdict had that reason,
// as of the worker's last publication.

#define SLUICE_NAME(name, ...) name,
#define REASON(identifier, ...) packets_##identifier,
enum class PageWord : uint32_t { SLUICE_PAGE_HEADER(SLUICE_NAME) count };
enum class BlockWord : uint32_t { SLUICE_BLOCK_HEADER(SLUICE_NAME) count };
enum class Counter : uint32_t {
  SLUICE_COUNTERS(SLUICE_NAME)
#include "director/flows/reasons.def"
      count
};
#undef REASON
#undef SLUICE_NAME

struct CounterDescription {
  std::string_view name;
  std::string_view meaning;
};

#define SLUICE_NAME(name, ...) std::string_view{#name},
#define SLUICE_DESCRIPTION(name, meaning) CounterDescription{#name, meaning},
inline constexpr auto page_words = std::to_array({SLUICE_PAGE_HEADER(SLUICE_NAME)});
inline constexpr auto block_words = std::to_array({SLUICE_BLOCK_HEADER(SLUICE_NAME)});
#define REASON(identifier, verdict, meaning) CounterDescription{"packets_" #identifier, meaning},
inline constexpr auto counters = std::to_array({SLUICE_COUNTERS(SLUICE_DESCRIPTION)
#include "director/flows/reasons.def"
});
#undef REASON
#undef SLUICE_DESCRIPTION
#undef SLUICE_NAME

#define SLUICE_ONE(...) +1
inline constexpr size_t first_reason_counter = 0 SLUICE_COUNTERS(SLUICE_ONE);
#undef SLUICE_ONE

// The counter of the reason with that number.
inline constexpr Counter reason_counter(size_t reason) {
  return static_cast<Counter>(first_reason_counter + reason);
}

namespace layout {

// "sluicest" in memory order on the little-endian machines that Sluice runs on.
inline constexpr uint64_t magic = 0x7473656369756c73;
inline constexpr uint64_t version = 1;
inline constexpr size_t words_in_cache_line = 8;
// More than the cores of a balancer host, each with a worker, and the components of the control plane.
inline constexpr size_t block_count = 64;
inline constexpr size_t name_size = 2 * sizeof(uint64_t);

inline constexpr size_t first_counter = block_words.size();
// Blocks start at equal distances of whole cache lines, with at least a line less a word between their contents. So two
// writers never share a line, however JavaScript's memory is aligned.
inline constexpr size_t stride_for(size_t held) {
  return (held + 2 * (words_in_cache_line - 1)) / words_in_cache_line * words_in_cache_line;
}
inline constexpr size_t first_block = stride_for(page_words.size());
inline constexpr size_t block_stride = stride_for(first_counter + counters.size());
inline constexpr size_t size = first_block + block_count * block_stride;

// FNV-1a over everything that a reader relies on.
inline constexpr uint64_t hash() {
  uint64_t value = 0xcbf29ce484222325;
  const auto mix = [&value](size_t part) { value = (value ^ part) * 0x100000001b3; };
  const auto mix_name = [&mix](std::string_view name) {
    for (const char letter : name) mix(static_cast<uint8_t>(letter));
    mix(0);  // ends a name
  };
  for (const auto name : page_words) mix_name(name);
  for (const auto name : block_words) mix_name(name);
  for (const auto& counter : counters) mix_name(counter.name);
  for (const size_t number : {first_block, block_stride, block_count, name_size}) mix(number);
  return value;
}

}  // namespace layout

using Words = std::span<uint64_t>;

// One writer's counters. Used by one thread at a time. The page must outlive it. The destructor releases the block.
class CounterBlock {
 public:
  CounterBlock(Words words, size_t index) : words_(words), index_(index) {}
  CounterBlock(CounterBlock&& other) noexcept : words_(std::exchange(other.words_, {})), index_(other.index_) {}
  CounterBlock& operator=(CounterBlock&&) = delete;
  ~CounterBlock();

  size_t index() const { return index_; }
  void add(Counter counter, uint64_t amount) {
    std::atomic_ref<uint64_t> word(words_[layout::first_counter + static_cast<size_t>(counter)]);
    word.store(word.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  // Sets the counter to `value` if that is larger: for a maximum, which also only grows.
  void raise(Counter counter, uint64_t value) {
    std::atomic_ref<uint64_t> word(words_[layout::first_counter + static_cast<size_t>(counter)]);
    if (word.load(std::memory_order_relaxed) < value) word.store(value, std::memory_order_relaxed);
  }
  void beat(uint64_t now) {
    std::atomic_ref<uint64_t>(words_[static_cast<size_t>(BlockWord::beat)]).store(now, std::memory_order_relaxed);
  }

 private:
  Words words_;
  size_t index_;
};

// The writers' side of a page. There is one per page.
class StatisticsPage {
 public:
  // Formats the page. Nothing if there are fewer words than layout::size, if they are not aligned, or if they are
  // already formatted.
  static std::unique_ptr<StatisticsPage> format(Words words);

  enum class Refusal { bad_name, name_in_use, no_room };
  // A name is 1 to layout::name_size bytes without a zero. Any thread may claim.
  std::variant<CounterBlock, Refusal> claim(std::string_view name);
  void beat(uint64_t now);

 private:
  explicit StatisticsPage(Words words) : words_(words) {}
  Words block(size_t index) const {
    return words_.subspan(layout::first_block + index * layout::block_stride, layout::block_stride);
  }

  Words words_;
  std::mutex claiming_;
};

// A thread that stamps the page's beat until it is destroyed.
class Heartbeat {
 public:
  using Clock = std::function<uint64_t()>;
  Heartbeat(StatisticsPage& page, std::chrono::milliseconds interval, Clock clock);
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

 private:
  void run();

  StatisticsPage& page_;
  const std::chrono::milliseconds interval_;
  const Clock clock_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

// Nanoseconds of CLOCK_MONOTONIC: what Node's process.hrtime.bigint() returns.
uint64_t monotonic_nanoseconds();

}  // namespace sluice::engine
