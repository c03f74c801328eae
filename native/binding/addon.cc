// SPDX-License-Identifier: Apache-2.0
// The addon's entry point, which `src/native/addon.ts` loads. Each capability adds its own names.
#include <napi.h>

#include <string>

#include "binding/captures.h"
#include "binding/confine.h"
#include "binding/crash_state_object.h"
#include "binding/decap_object.h"
#include "binding/describe.h"
#include "binding/director_object.h"
#include "binding/director_report.h"
#include "binding/listening_socket.h"
#include "binding/live_director_object.h"
#include "binding/prober_object.h"
#include "binding/statistics_page.h"
#include "engine/layout_tag.h"

namespace {

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  exports.Set("napiVersion", Napi::Number::New(env, NAPI_VERSION));
  exports.Set("statisticsLayout", sluice::binding::statistics_layout(env));
  exports.Set("StatisticsWriter", sluice::binding::StatisticsWriter::define(env));
  sluice::binding::register_captures(env, exports);
  exports.Set("Director", sluice::binding::DirectorObject::define(env));
  exports.Set("LiveDirector", sluice::binding::LiveDirectorObject::define(env));
  exports.Set("Decap", sluice::binding::DecapObject::define(env));
  exports.Set("serviceRowsLayout", sluice::binding::service_rows_layout(env));
  exports.Set("mostMarkRules", Napi::Number::New(env, sluice::host::bpf::STEAL_MOST_MARKS));
  // As text: a number of JavaScript has no room for it.
  exports.Set("flowLayout", Napi::String::New(env, std::to_string(sluice::engine::layout_tag())));
  exports.Set("cleanHost", Napi::Function::New<sluice::binding::clean_host>(env, "cleanHost"));
  exports.Set("prepareStealing", Napi::Function::New<sluice::binding::prepare_stealing>(env, "prepareStealing"));
  exports.Set("confine", Napi::Function::New<sluice::binding::confine>(env, "confine"));
  exports.Set("keepCapabilitiesFromPrograms", Napi::Function::New<sluice::binding::keep_capabilities_from_programs>(
                                                  env, "keepCapabilitiesFromPrograms"));
  exports.Set("tellServiceManager",
              Napi::Function::New<sluice::binding::tell_service_manager>(env, "tellServiceManager"));
  exports.Set("keepFilesFromPrograms",
              Napi::Function::New<sluice::binding::keep_files_from_programs>(env, "keepFilesFromPrograms"));
  exports.Set("stopBlocking", Napi::Function::New<sluice::binding::stop_blocking>(env, "stopBlocking"));
  exports.Set("CrashState", sluice::binding::CrashStateObject::define(env));
  exports.Set("crashStateSockets", Napi::Function::New<sluice::binding::crash_state_sockets>(env, "crashStateSockets"));
  exports.Set("describe", Napi::Function::New<sluice::binding::describe>(env, "describe"));
  exports.Set("listenUnix", Napi::Function::New<sluice::binding::listen_unix>(env, "listenUnix"));
  exports.Set("Prober", sluice::binding::ProberObject::define(env));
  exports.Set("reasons", sluice::binding::reason_table(env));
  exports.Set("connectionStates", sluice::binding::connection_states(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(sluice, initialise)
