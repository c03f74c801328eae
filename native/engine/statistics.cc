// SPDX-License-Identifier: Apache-2.0
#include "engine/statistics.h"

#include <cstring>
#include <utility>

namespace sluice::engine {

namespace {

static_assert(std::atomic_ref<uint64_t>::is_always_lock_free, "readers in JavaScript know of no lock");

using Name = std::array<uint64_t, layout::name_size / sizeof(uint64_t)>;

template <typename Word>
std::atomic_ref<uint64_t> at(Words words, Word word) {
  return std::atomic_ref<uint64_t>(words[static_cast<size_t>(word)]);
}

std::optional<Name> encode_name(std::string_view name) {
  if (name.empty() || name.size() > layout::name_size || name.find('\0') != name.npos) return std::nullopt;
  Name encoded{};
  std::memcpy(encoded.data(), name.data(), name.size());
  return encoded;
}

Name name_of(Words block) {
  return {at(block, BlockWord::name).load(std::memory_order_relaxed),
          at(block, BlockWord::name_continued).load(std::memory_order_relaxed)};
}

}  // namespace

CounterBlock::~CounterBlock() {
  if (!words_.empty()) at(words_, BlockWord::generation).fetch_add(1, std::memory_order_release);
}

std::unique_ptr<StatisticsPage> StatisticsPage::format(Words words) {
  if (words.size() < layout::size) return nullptr;
  if (reinterpret_cast<uintptr_t>(words.data()) % std::atomic_ref<uint64_t>::required_alignment != 0) return nullptr;
  uint64_t unformatted = 0;
  if (!at(words, PageWord::version).compare_exchange_strong(unformatted, layout::version)) return nullptr;
  at(words, PageWord::layout_hash).store(layout::hash(), std::memory_order_relaxed);
  at(words, PageWord::magic).store(layout::magic, std::memory_order_release);
  return std::unique_ptr<StatisticsPage>(new StatisticsPage(words));
}

std::variant<CounterBlock, StatisticsPage::Refusal> StatisticsPage::claim(std::string_view name) {
  const auto wanted = encode_name(name);
  if (!wanted) return Refusal::bad_name;
  const std::lock_guard lock(claiming_);
  // Blocks are taken in order and never given to another name: the search ends at the first block without a name.
  for (size_t index = 0; index < layout::block_count; ++index) {
    const Words words = block(index);
    const auto generation = at(words, BlockWord::generation);
    const Name present = name_of(words);
    if (present != Name{} && present != *wanted) continue;
    if (generation.load(std::memory_order_acquire) % 2 != 0) return Refusal::name_in_use;
    at(words, BlockWord::name).store((*wanted)[0], std::memory_order_relaxed);
    at(words, BlockWord::name_continued).store((*wanted)[1], std::memory_order_relaxed);
    generation.fetch_add(1, std::memory_order_release);
    return CounterBlock(words, index);
  }
  return Refusal::no_room;
}

void StatisticsPage::beat(uint64_t now) {
  at(words_, PageWord::beat).store(now, std::memory_order_relaxed);
  at(words_, PageWord::beats).fetch_add(1, std::memory_order_release);
}

Heartbeat::Heartbeat(StatisticsPage& page, std::chrono::milliseconds interval, Clock clock)
    : page_(page), interval_(interval), clock_(std::move(clock)), thread_([this] { run(); }) {}

Heartbeat::~Heartbeat() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Heartbeat::run() {
  std::unique_lock lock(mutex_);
  do {
    page_.beat(clock_());
  } while (!wake_.wait_for(lock, interval_, [this] { return stopping_; }));
}

uint64_t monotonic_nanoseconds() {
  const auto since_boot = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(since_boot).count());
}

}  // namespace sluice::engine
