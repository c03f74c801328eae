// SPDX-License-Identifier: Apache-2.0
// The state of a director as JavaScript values, for a live director and for one that JavaScript feeds.
#pragma once

#include <napi.h>

#include <span>

#include "director/stages/director.h"
#include "engine/connections.h"

namespace sluice::binding {

// Every reason with its name, verdict and meaning, by number.
Napi::Array reason_table(Napi::Env env);
// The names of all states of connections.
Napi::Array connection_states(Napi::Env env);
Napi::Array connection_list(Napi::Env env, std::span<const engine::Connection> connections);
Napi::Array service_list(Napi::Env env, const director::Director& director);
// Packets by reason.
Napi::Array count_list(Napi::Env env, const director::Director& director);

}  // namespace sluice::binding
