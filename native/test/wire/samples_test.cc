// SPDX-License-Identifier: Apache-2.0
// The corpus of the fuzz target `packet` holds each sample. After a change of the samples, write it again by running
// this test with UPDATE_CORPUS=1.
#include "wire/samples.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

using namespace sluice::test;

TEST_CASE("the fuzz corpus holds every sample") {
  const bool update = std::getenv("UPDATE_CORPUS") != nullptr;
  for (const Sample& sample : samples()) {
    CAPTURE(sample.name);
    const std::string path = "native/fuzz/corpus/packet/" + sample.name;
    if (update) {
      std::ofstream(path, std::ios::binary)
          .write(reinterpret_cast<const char*>(sample.frame.data()), static_cast<std::streamsize>(sample.frame.size()));
    }
    std::ifstream in(path, std::ios::binary);
    const Buffer stored{std::istreambuf_iterator<char>(in), {}};
    CHECK(stored == sample.frame);
  }
}
