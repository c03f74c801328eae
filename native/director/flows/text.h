// SPDX-License-Identifier: Apache-2.0
// The text of a packet's two ends in explanations.
#pragma once

#include <string>

#include "director/flows/flow.h"
#include "director/network/text.h"

namespace sluice::director {

// "10.0.0.1:34567 > 192.0.2.80:80"
template <class A>
std::string to_text(const Endpoints<A>& e) {
  return to_text(wire::Address(e.source), e.source_port) + " > " +
         to_text(wire::Address(e.destination), e.destination_port);
}

}  // namespace sluice::director
