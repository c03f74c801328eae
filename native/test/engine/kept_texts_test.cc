// SPDX-License-Identifier: Apache-2.0
#include "engine/kept_texts.h"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <random>

using namespace sluice;
using engine::KeptTexts;

namespace {

using Texts = std::vector<std::string>;

std::string bytes_of(int file) {
  std::string bytes(static_cast<size_t>(lseek(file, 0, SEEK_END)), '\0');
  REQUIRE(pread(file, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  return bytes;
}

std::optional<Texts> read(const std::string& bytes) {
  const host::Descriptor file(memfd_create("test", MFD_CLOEXEC));
  REQUIRE(pwrite(file.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  return KeptTexts::read(file.get());
}

}  // namespace

TEST_CASE("texts are read as they were kept") {
  KeptTexts kept;
  CHECK_FALSE(kept.add("before the first"));
  REQUIRE(kept.begin("first"));
  CHECK(KeptTexts::read(kept.file()) == Texts{"first"});
  REQUIRE(kept.add(""));
  REQUIRE(kept.add(std::string(100'000, 'x')));
  CHECK(KeptTexts::read(kept.file()) == Texts{"first", "", std::string(100'000, 'x')});
  REQUIRE(kept.begin("anew"));
  CHECK(KeptTexts::read(kept.file()) == Texts{"anew"});
}

TEST_CASE("a process that ends at any byte of what it adds leaves the texts before it") {
  KeptTexts kept;
  REQUIRE(kept.begin("first"));
  const std::string before = bytes_of(kept.file());
  REQUIRE(kept.add("second"));
  const std::string after = bytes_of(kept.file());
  constexpr size_t valid = sizeof(uint64_t);
  for (size_t written = before.size(); written <= after.size(); written++) {
    CAPTURE(written);
    const std::string bytes = before.substr(0, valid) + after.substr(valid, written - valid);
    CHECK(read(bytes) == Texts{"first"});
  }
  CHECK(read(after) == Texts{"first", "second"});
}

TEST_CASE("a file of other bytes is refused or read within its bounds") {
  CHECK_FALSE(read(""));
  CHECK_FALSE(read("{\"a\":1}"));
  CHECK_FALSE(read("{\"part\":{\"id\":1}}"));
  std::mt19937 numbers(1);
  KeptTexts kept;
  REQUIRE(kept.begin("first"));
  REQUIRE(kept.add("second"));
  const std::string good = bytes_of(kept.file());
  for (int i = 0; i < 2000; i++) {
    std::string bytes = good.substr(0, numbers() % (good.size() + 1));
    if (!bytes.empty()) bytes[numbers() % bytes.size()] = static_cast<char>(numbers());
    static_cast<void>(read(bytes));
  }
}
