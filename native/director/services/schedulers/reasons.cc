// SPDX-License-Identifier: Apache-2.0
#include "director/services/schedulers/reasons.h"

#include <cinttypes>

namespace sluice::director::schedulers {

std::string name_of(const Destination& destination) {
  const std::string address = wire::to_string(destination.address);
  const std::string port = std::to_string(destination.port);
  return destination.address.family == wire::Family::ipv6 ? "[" + address + "]:" + port : address + ":" + port;
}

std::string why_unusable(const Destination& destination) {
  if (destination.weight <= 0) return "weight " + std::to_string(destination.weight);
  const uint64_t connections = uint64_t{destination.active} + destination.inactive;
  return "overloaded (" + std::to_string(connections) + " connections, upper threshold " +
         std::to_string(destination.upper_threshold) + ")";
}

void ServerLines::close() {
  if (count_ > most) trace_->say("and %u more servers", count_ - most);
  trace_ = nullptr;
  count_ = 0;
}

void ServerLines::pass_by(const Destination& destination) {
  if (Trace* trace = next()) {
    trace->say("%s: %s, passed by", name_of(destination).c_str(), why_unusable(destination).c_str());
  }
}

void say_decision(Trace& trace, const char* scheduler, const Destination* picked) {
  trace.say("%s: %s", scheduler, picked != nullptr ? name_of(*picked).c_str() : "no server will do");
}

}  // namespace sluice::director::schedulers
