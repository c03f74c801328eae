// SPDX-License-Identifier: Apache-2.0
#include "memory/mapped_memory.h"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/reserved_array.h"

using namespace sluice;

namespace {

constexpr size_t step = size_t{2} << 20;  // made usable at once

struct File {
  File() : descriptor(memfd_create("test", MFD_CLOEXEC)) { REQUIRE(descriptor >= 0); }
  ~File() { close(descriptor); }
  size_t size() const {
    struct stat status;
    REQUIRE(fstat(descriptor, &status) == 0);
    return static_cast<size_t>(status.st_size);
  }
  char first_byte() const {
    char byte = 0;
    REQUIRE(pread(descriptor, &byte, 1, 0) == 1);
    return byte;
  }
  int descriptor;
};

}  // namespace

TEST_CASE("memory becomes usable from its beginning on, is zero, and never moves") {
  const auto memory = memory::process_memory().reserve(3 * step, false);
  CHECK(memory->committed() == 0);
  REQUIRE(memory->commit(1));
  CHECK(memory->committed() == step);
  char* const begin = static_cast<char*>(memory->data());
  begin[0] = 'a';
  REQUIRE(memory->commit(2 * step + 1));
  CHECK(memory->data() == begin);
  CHECK(begin[0] == 'a');
  CHECK(begin[3 * step - 1] == 0);
}

TEST_CASE("memory beyond the reservation is refused, and usable memory stays usable") {
  const auto memory = memory::process_memory().reserve(step, false);
  REQUIRE(memory->commit(step));
  CHECK_FALSE(memory->commit(step + 1));
  CHECK(memory->committed() == step);
  static_cast<char*>(memory->data())[step - 1] = 'z';
}

TEST_CASE("a reservation that the machine cannot make gives no memory") {
  const auto memory = memory::process_memory().reserve(size_t{1} << 62, false);
  CHECK_FALSE(memory->commit(1));
  CHECK(memory->make_private());
}

TEST_CASE("memory of a file grows the file, and the file has what is written") {
  const File file;
  const auto source = memory::file_memory(file.descriptor);
  core::ReservedArray<char> array(2 * step, false, *source);
  CHECK(file.size() == 0);
  REQUIRE(array.reach(1));
  CHECK(file.size() == step);
  array[0] = 'a';
  CHECK(file.first_byte() == 'a');
  REQUIRE(array.reach(step + 1));
  CHECK(file.size() == 2 * step);
  CHECK_FALSE(array.reach(2 * step + 1));
}

TEST_CASE("memory that was made private keeps its content, and its changes no longer reach the file") {
  const File file;
  const auto source = memory::file_memory(file.descriptor);
  core::ReservedArray<char> array(2 * step, false, *source);
  REQUIRE(array.reach(1));
  array[0] = 'a';
  REQUIRE(array.make_private());
  CHECK(array[0] == 'a');
  array[0] = 'b';
  CHECK(file.first_byte() == 'a');
  REQUIRE(array.reach(step + 1));
  CHECK(file.size() == step);
}
