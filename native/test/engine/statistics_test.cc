// SPDX-License-Identifier: Apache-2.0
#include "engine/statistics.h"

#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <vector>

using namespace sluice::engine;

namespace {

struct Page {
  std::vector<uint64_t> words = std::vector<uint64_t>(layout::size);
  std::unique_ptr<StatisticsPage> page = StatisticsPage::format(words);

  uint64_t header(PageWord word) { return std::atomic_ref(words[static_cast<size_t>(word)]).load(); }
  uint64_t block(size_t index, size_t word) {
    return std::atomic_ref(words[layout::first_block + index * layout::block_stride + word]).load();
  }
  uint64_t generation(size_t index) { return block(index, static_cast<size_t>(BlockWord::generation)); }
  uint64_t count(size_t index, Counter counter) {
    return block(index, layout::first_counter + static_cast<size_t>(counter));
  }
  CounterBlock claim(std::string_view name) { return std::get<CounterBlock>(page->claim(name)); }
  StatisticsPage::Refusal refusal(std::string_view name) {
    return std::get<StatisticsPage::Refusal>(page->claim(name));
  }
};

}  // namespace

TEST_CASE("a formatted page describes itself, and can be formatted only once") {
  Page page;
  REQUIRE(page.page);
  CHECK(page.header(PageWord::magic) == layout::magic);
  CHECK(page.header(PageWord::version) == 1);
  CHECK(page.header(PageWord::layout_hash) == layout::hash());
  CHECK(StatisticsPage::format(page.words) == nullptr);
}

TEST_CASE("memory that is too small or not aligned is not formatted") {
  std::vector<uint64_t> words(layout::size + 1);
  CHECK(StatisticsPage::format(Words(words).first(layout::size - 1)) == nullptr);
  // As a careless caller would cast a Buffer. Only the address is read.
  auto* const askew = reinterpret_cast<uint64_t*>(reinterpret_cast<uintptr_t>(words.data()) + 4);
  CHECK(StatisticsPage::format({askew, layout::size}) == nullptr);
  CHECK(words == std::vector<uint64_t>(layout::size + 1));
}

TEST_CASE("two blocks never share a cache line, wherever the page begins") {
  const size_t held = layout::first_counter + counters.size();
  CHECK(layout::block_stride % layout::words_in_cache_line == 0);
  CHECK(layout::block_stride - held >= layout::words_in_cache_line - 1);
  CHECK(layout::first_block - page_words.size() >= layout::words_in_cache_line - 1);
}

TEST_CASE("a writer's counts are in its own block") {
  Page page;
  CounterBlock first = page.claim("worker-0");
  CounterBlock second = page.claim("worker-1");
  first.add(Counter::frames_received, 3);
  first.add(Counter::frames_received, 4);
  second.add(Counter::bytes_received, 1500);
  second.beat(42);
  CHECK(page.count(0, Counter::frames_received) == 7);
  CHECK(page.count(0, Counter::bytes_received) == 0);
  CHECK(page.count(1, Counter::bytes_received) == 1500);
  CHECK(page.block(1, static_cast<size_t>(BlockWord::beat)) == 42);
}

TEST_CASE("the next writer of a released block's name continues its counts") {
  Page page;
  {
    CounterBlock block = page.claim("worker-0");
    CHECK(page.generation(0) == 1);
    block.add(Counter::batches, 5);
  }
  CHECK(page.generation(0) == 2);
  CHECK(page.claim("worker-1").index() == 1);
  CounterBlock again = page.claim("worker-0");
  again.add(Counter::batches, 1);
  CHECK(again.index() == 0);
  CHECK(page.generation(0) == 3);
  CHECK(page.count(0, Counter::batches) == 6);
}

TEST_CASE("a name is refused if it cannot be stored, is in use, or no block is left") {
  Page page;
  using enum StatisticsPage::Refusal;
  CHECK(page.refusal("") == bad_name);
  CHECK(page.refusal("seventeen letters") == bad_name);
  CHECK(page.refusal(std::string_view("a\0b", 3)) == bad_name);
  const CounterBlock held = page.claim("sixteen letters!");
  CHECK(page.refusal("sixteen letters!") == name_in_use);
  for (size_t index = 1; index < layout::block_count; ++index) page.claim("block " + std::to_string(index));
  CHECK(page.refusal("one more") == no_room);
  CHECK(page.claim("block 7").index() == 7);
}

TEST_CASE("threads that claim at the same time get different blocks") {
  Page page;
  std::vector<std::thread> threads;
  for (int number = 0; number < 8; ++number) {
    threads.emplace_back([&page, number] {
      CounterBlock block = page.claim("worker-" + std::to_string(number));
      for (int turn = 0; turn < 1000; ++turn) block.add(Counter::batches, 1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t index = 0; index < 8; ++index) CHECK(page.count(index, Counter::batches) == 1000);
}

TEST_CASE("a heartbeat stamps the page at once and again, and ends with its object") {
  Page page;
  std::atomic<uint64_t> time = 0;
  {
    const Heartbeat heartbeat(*page.page, std::chrono::milliseconds(1), [&time] { return ++time; });
    while (page.header(PageWord::beats) < 3) std::this_thread::yield();
  }
  CHECK(page.header(PageWord::beat) == time);
  CHECK(page.header(PageWord::beats) == time);
}

TEST_CASE("a heartbeat with a long interval stops at once") {
  Page page;
  { const Heartbeat heartbeat(*page.page, std::chrono::hours(1), monotonic_nanoseconds); }
  CHECK(page.header(PageWord::beats) == 1);
}
