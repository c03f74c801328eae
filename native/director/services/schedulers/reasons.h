// SPDX-License-Identifier: Apache-2.0
// The text of the reasons that schedulers record.
#pragma once

#include <string>

#include "director/flows/trace.h"
#include "director/services/service.h"

namespace sluice::director::schedulers {

// "10.0.2.11:80", "[fd00::11]:80".
std::string name_of(const Destination& destination);

// One line per server of a walk, but only the first few: nobody reads the numbers of a thousand servers.
class ServerLines {
 public:
  static constexpr unsigned most = 32;  // fills a screen

  explicit ServerLines(Trace* trace) : trace_(trace) {}
  ~ServerLines() {
    if (trace_ != nullptr) close();
  }
  ServerLines(const ServerLines&) = delete;
  ServerLines& operator=(const ServerLines&) = delete;

  // The trace if this server's line is recorded, otherwise nullptr.
  Trace* next() { return trace_ != nullptr && count_++ < most ? trace_ : nullptr; }
  // "10.0.2.11:80: weight 0, passed by"
  void pass_by(const Destination& destination);
  // Records how many lines were left out. No line follows. Only with a trace.
  void close();
  bool is_open() const { return trace_ != nullptr; }

 private:
  Trace* trace_;
  unsigned count_ = 0;
};

// Why a server is not usable: "weight 0" or "overloaded (8 connections, upper threshold 8)".
std::string why_unusable(const Destination& destination);

// The last line of a decision: "wlc: 10.0.2.11:80", or that there is no server.
void say_decision(Trace& trace, const char* scheduler, const Destination* picked);
inline Destination* decide(Trace* trace, const char* scheduler, Destination* picked) {
  if (trace != nullptr) say_decision(*trace, scheduler, picked);
  return picked;
}
// As decide(), after the lines of the servers.
inline Destination* decide(Trace* trace, const char* scheduler, Destination* picked, ServerLines& lines) {
  if (lines.is_open()) lines.close();
  return decide(trace, scheduler, picked);
}

}  // namespace sluice::director::schedulers
