// SPDX-License-Identifier: Apache-2.0
#include "lvs/schedulers/load.h"

#include <cinttypes>

namespace sluice::lvs::schedulers {

void say_load(ServerLines& lines, const Destination& destination, Load load, bool lowest) {
  Trace* trace = lines.next();
  if (trace == nullptr) return;
  trace->say("%s: %u active, %u inactive, weight %d: %" PRIu64 "/%" PRIu64 " = %.1f%s", name_of(destination).c_str(),
             destination.active, destination.inactive, destination.weight, load.cost, load.weight,
             static_cast<double>(load.cost) / static_cast<double>(load.weight), lowest ? ", lowest so far" : "");
}

}  // namespace sluice::lvs::schedulers
