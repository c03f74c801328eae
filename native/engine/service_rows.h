// SPDX-License-Identifier: Apache-2.0
// Services and real servers with their counts in shared memory: one worker writes them, JavaScript reads them, and
// neither calls the other.
//
//   workers' areas, one after another, each:  header | row 0 | row 1 | …
//
// A worker writes its area while it handles no packet. A pass over all its services begins 100 ms after the previous
// pass began, and writes a few rows between two batches. So what a reader sees is at most 100 ms older than a pass
// takes. The order of the rows may change with the configuration; a row is known by its name. A reader gets a
// consistent row like this: it reads the sequence, the row, and the sequence again; if the two differ or are odd, it
// reads once more.
//
// The tables below are the only description of the layout, as in statistics.h.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "director/stages/director.h"
#include "engine/statistics.h"

namespace sluice::engine {

#define SLUICE_AREA_HEADER(WORD)                                                   \
  WORD(rows)   /* services and servers; those beyond the last row are not shown */ \
  WORD(passes) /* so far */                                                        \
  WORD(since)  /* monotonic nanoseconds of the last pass's beginning */

// The counts follow the sequence and the name.
#define SLUICE_ROW_COUNTS(COUNT)                           \
  COUNT(connections)                                       \
  COUNT(packets_in)                                        \
  COUNT(packets_out)                                       \
  COUNT(bytes_in)                                          \
  COUNT(bytes_out)                                         \
  COUNT(active)                                            \
  COUNT(inactive)                                          \
  COUNT(persistent)                                        \
  COUNT(overloaded) /* servers at their upper threshold */ \
  /* a second */                                           \
  COUNT(connection_rate)                                   \
  COUNT(packet_in_rate)                                    \
  COUNT(packet_out_rate)                                   \
  COUNT(byte_in_rate)                                      \
  COUNT(byte_out_rate)

#define SLUICE_NAME(name) name,
enum class AreaWord : uint32_t { SLUICE_AREA_HEADER(SLUICE_NAME) count };
enum class RowCount : uint32_t { SLUICE_ROW_COUNTS(SLUICE_NAME) count };
#undef SLUICE_NAME
#define SLUICE_NAME(name) std::string_view{#name},
inline constexpr auto area_words = std::to_array({SLUICE_AREA_HEADER(SLUICE_NAME)});
inline constexpr auto row_counts = std::to_array({SLUICE_ROW_COUNTS(SLUICE_NAME)});
#undef SLUICE_NAME

namespace service_layout {

// "6 sctp [2001:…]:65535 > [2001:…]:65535": the family, a service, and for a server its address and port.
inline constexpr size_t name_words = 14;
inline constexpr size_t first_count = 1 + name_words;
inline constexpr size_t row_stride = first_count + row_counts.size();
inline constexpr size_t first_row = area_words.size();
// About as many as the maps of stolen places and tuples hold. Memory that no row needs is never touched.
inline constexpr size_t row_count = 16384;
inline constexpr size_t area_stride = layout::stride_for(first_row + row_count * row_stride);

}  // namespace service_layout

// One worker's area. Only that worker's thread uses it. The memory must outlive it. Without memory it does nothing.
class ServiceRows {
 public:
  static constexpr Time interval = 100'000'000;
  static constexpr size_t rows_a_round = 64;

  explicit ServiceRows(Words area = {}) : area_(area) {}

  // A visitor may have changed the services.
  void invalidate() { is_valid_ = false; }
  // The time when the next pass begins.
  Time due() const { return begun_ + interval; }
  // Writes some of the rows. False if there is more to write.
  bool advance(const director::Director& director, Time now);

 private:
  struct Row {
    const director::Service* service;
    const director::Destination* server;  // nullptr: the service itself
  };
  void list(const director::Director& director);
  void write(size_t index);
  std::atomic_ref<uint64_t> header(AreaWord word) {
    return std::atomic_ref<uint64_t>(area_[static_cast<size_t>(word)]);
  }

  Words area_;
  std::vector<Row> rows_;  // valid until the next visit that changes services
  bool is_valid_ = false;
  size_t next_ = 0, named_ = 0;  // rows before `named_` have their names
  Time begun_ = 0;
};

}  // namespace sluice::engine
