// SPDX-License-Identifier: Apache-2.0
#include "director/services/text.h"

namespace sluice::director {

std::string_view mode_text(Forwarding forwarding) {
  switch (forwarding) {
    case Forwarding::nat:
      return "nat";
    case Forwarding::fullnat:
      return "fullnat";
    case Forwarding::dr:
      return "dr";
    case Forwarding::tunnel:
      return "tunnel";
    case Forwarding::local:
      return "local";
  }
  return "";
}

std::string to_text(const ServiceKey& key) {
  if (key.mark != 0) return "fwmark " + std::to_string(key.mark);
  return std::string(protocol_text(key.protocol)) + " " + to_text(key.address, key.port);
}

}  // namespace sluice::director
