// SPDX-License-Identifier: Apache-2.0
// Replays the choices of Linux's own IPVS. kernel_choices/README.md says how the files were recorded.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "test/director/services/farm.h"

namespace sluice::director::test {
namespace {

constexpr const char* recordings = "native/test/director/services/kernel_choices";

uint8_t flags_of(const std::string& words) {
  uint8_t flags = 0;
  if (words.find("fallback") != std::string::npos) flags |= flag_1;
  if (words.find("port") != std::string::npos) flags |= flag_2;
  return flags;
}

class Replay {
 public:
  explicit Replay(std::istream& in) : in_(in) {}

  // Returns how many choices were compared.
  int run() {
    int compared = 0;
    for (std::string text; std::getline(in_, text);) {
      line_++;
      std::istringstream words(text);
      std::string step;
      if (!(words >> step) || step[0] == '#') continue;
      INFO("line ", line_, ": ", text);
      if (step == "scheduler") {
        std::string name, flags;
        words >> name >> flags;
        farm_ = std::make_unique<Farm>(name, flags_of(flags));
      } else if (step == "open") {
        compared++;
        open(words);
      } else if (step == "close") {
        close(words);
      } else if (step == "expire") {
        expire(words);
      } else {
        change(step, words);
      }
    }
    return compared;
  }

 private:
  void change(const std::string& step, std::istream& words) {
    std::string server;
    int32_t weight = 0;
    uint32_t upper = 0, lower = 0;
    words >> server >> weight >> upper >> lower;
    if (step == "add") farm_->add(server, weight, upper, lower);
    if (step == "edit") farm_->edit(server, weight, upper, lower);
    if (step == "remove") farm_->remove(server);
  }

  void open(std::istream& words) {
    std::string client, to, arrow, expected;
    uint16_t port = 0;
    words >> client >> port >> to >> arrow >> expected;
    Destination* picked = farm_->pick(client, port, to);
    CHECK((picked != nullptr ? wire::to_string(picked->address) : "none") == expected);
    if (picked == nullptr) return;
    farm_->opened(picked);
    flows_[client + " " + std::to_string(port)] = picked;
  }

  // A packet for a server that has left the service is dropped and changes no state.
  void close(std::istream& words) {
    std::string client, port;
    words >> client >> port;
    const auto flow = flows_.find(client + " " + port);
    if (flow != flows_.end() && flow->second->available) farm_->closed(flow->second);
  }

  void expire(std::istream& words) {
    std::string client, port;
    words >> client >> port;
    if (const auto flow = flows_.extract(client + " " + port)) farm_->expired(flow.mapped(), true);
  }

  std::istream& in_;
  std::unique_ptr<Farm> farm_;
  std::map<std::string, Destination*> flows_;
  int line_ = 0;
};

TEST_CASE("every choice equals the kernel's recorded choice") {
  int files = 0, compared = 0;
  for (const auto& entry : std::filesystem::directory_iterator(recordings)) {
    if (entry.path().extension() != ".txt") continue;
    CAPTURE(entry.path().string());
    std::ifstream in(entry.path());
    compared += Replay(in).run();
    files++;
  }
  CHECK(files > 0);
  MESSAGE("compared ", compared, " choices of ", files, " recordings");
}

}  // namespace
}  // namespace sluice::director::test
