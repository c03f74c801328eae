// SPDX-License-Identifier: Apache-2.0
// Feeds every file of the named folders, in the order of their names, to a fuzz target; then mutations of them with a
// fixed seed. So CI with a plain compiler finds what is one flipped bit away from the corpus.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr int mutations_per_input = 64;

std::vector<uint8_t> read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A heap block of exactly this size, so that AddressSanitizer finds the first read past the input.
void run(const std::vector<uint8_t>& bytes) {
  std::vector<uint8_t> exact(bytes.begin(), bytes.end());
  exact.shrink_to_fit();
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

void run_mutations(std::vector<uint8_t> bytes, std::mt19937& random) {
  for (int i = 0; i < mutations_per_input && !bytes.empty(); i++) {
    std::vector<uint8_t> mutated = bytes;
    const size_t at = random() % mutated.size();
    if (i % 4 == 0) {
      mutated.resize(at);
    } else {
      mutated[at] =
          i % 4 == 1 ? static_cast<uint8_t>(random()) : static_cast<uint8_t>(mutated[at] ^ (1u << (random() % 8)));
    }
    run(mutated);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::mt19937 random(1);
  size_t inputs = 0;
  run({});
  for (int i = 1; i < argc; i++) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    for (const auto& file : files) {
      const std::vector<uint8_t> bytes = read_file(file);
      run(bytes);
      run_mutations(bytes, random);
      inputs++;
    }
  }
  if (inputs == 0) {
    std::fprintf(stderr, "no corpus: every fuzz target has inputs in native/fuzz/corpus/NAME\n");
    return 1;
  }
  std::printf("replayed %zu inputs and %d mutations of each\n", inputs, mutations_per_input);
}
