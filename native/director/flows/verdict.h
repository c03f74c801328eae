// SPDX-License-Identifier: Apache-2.0
// What the director decided about a packet, and why. reasons.def is the table of reasons.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "director/flows/flow.h"

namespace sluice::director {

enum class Verdict : uint8_t { forward, drop, pass, consume, deliver };

enum class Reason : uint8_t {
#define REASON(identifier, verdict, meaning) identifier,
#include "director/flows/reasons.def"
#undef REASON
};

inline constexpr size_t reason_count = 0
#define REASON(identifier, verdict, meaning) +1
#include "director/flows/reasons.def"
#undef REASON
    ;

inline constexpr std::array<Verdict, reason_count> verdict_of_reason = {
#define REASON(identifier, verdict, meaning) Verdict::verdict,
#include "director/flows/reasons.def"
#undef REASON
};

inline constexpr Verdict verdict_of(Reason reason) {
  return verdict_of_reason[static_cast<size_t>(reason)];
}

// "forward", "established", "belongs to a known flow, …". Names have dashes: "no-real-server".
std::string_view verdict_name(Verdict verdict);
std::string_view reason_name(Reason reason);
std::string_view reason_meaning(Reason reason);

struct Service;

struct Decision {
  Reason reason = Reason::no_service;
  uint32_t destination = no_destination;  // index of the real server in the director's table of destinations
  const Service* service = nullptr;       // of a packet that got no real server; valid until the next edit
  Verdict verdict() const { return verdict_of(reason); }
};

}  // namespace sluice::director
