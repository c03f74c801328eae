// SPDX-License-Identifier: Apache-2.0
// What a director tells of itself, as JavaScript's values: the same whoever feeds it.
#pragma once

#include <napi.h>

#include "director/stages/director.h"

namespace sluice::binding {

// Every reason with its name, verdict and meaning, by number.
Napi::Array reason_table(Napi::Env env);
Napi::Array connection_list(Napi::Env env, director::Director& director, Time now);
Napi::Array service_list(Napi::Env env, const director::Director& director);
// Packets by reason.
Napi::Array count_list(Napi::Env env, const director::Director& director);

}  // namespace sluice::binding
