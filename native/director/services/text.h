// SPDX-License-Identifier: Apache-2.0
// The text of virtual services and forwarding modes in explanations.
#pragma once

#include <string>
#include <string_view>

#include "director/network/text.h"
#include "director/services/service.h"

namespace sluice::director {

// "tcp 10.0.0.1:80", "fwmark 7"
std::string to_text(const ServiceKey& key);
// "nat", "fullnat", …
std::string_view mode_text(Forwarding forwarding);

}  // namespace sluice::director
