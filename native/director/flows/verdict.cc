// SPDX-License-Identifier: Apache-2.0
#include "director/flows/verdict.h"

#include <string>

namespace sluice::director {

namespace {

struct ReasonText {
  std::string name;
  std::string_view meaning;
};

std::string with_dashes(std::string identifier) {
  for (char& c : identifier) {
    if (c == '_') c = '-';
  }
  return identifier;
}

const std::array<ReasonText, reason_count>& reason_texts() {
  static const std::array<ReasonText, reason_count> texts = {{
#define REASON(identifier, verdict, meaning) {with_dashes(#identifier), meaning},
#include "director/flows/reasons.def"
#undef REASON
  }};
  return texts;
}

}  // namespace

std::string_view verdict_name(Verdict verdict) {
  constexpr std::array<std::string_view, 5> names = {"forward", "drop", "pass", "consume", "deliver"};
  return names[static_cast<size_t>(verdict)];
}

std::string_view reason_name(Reason reason) {
  return reason_texts()[static_cast<size_t>(reason)].name;
}

std::string_view reason_meaning(Reason reason) {
  return reason_texts()[static_cast<size_t>(reason)].meaning;
}

}  // namespace sluice::director
