// SPDX-License-Identifier: Apache-2.0
#include "binding/director_report.h"

#include "director/services/text.h"

namespace sluice::binding {

namespace {

Napi::String text(Napi::Env env, std::string_view view) {
  return Napi::String::New(env, view.data(), view.size());
}

std::string upper_protocol(uint8_t protocol) {
  std::string name(director::protocol_text(protocol));
  for (char& c : name) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

Napi::Object end_object(Napi::Env env, const engine::Connection::End& end) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("address", wire::to_string(end.address));
  object.Set("port", Napi::Number::New(env, end.port));
  return object;
}

Napi::Object connection_object(Napi::Env env, const engine::Connection& connection) {
  Napi::Object row = Napi::Object::New(env);
  row.Set("protocol", upper_protocol(connection.protocol));
  row.Set("expires", Napi::Number::New(env, static_cast<double>(connection.expires) / 1e9));
  row.Set("state", text(env, engine::state_text(connection)));
  row.Set("client", end_object(env, connection.client));
  row.Set("virtual", end_object(env, connection.virtual_service));
  row.Set("server", end_object(env, connection.server));
  row.Set("local", end_object(env, connection.local));
  return row;
}

Napi::Object counters_object(Napi::Env env, const director::Counters& counters) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("connections", Napi::Number::New(env, static_cast<double>(counters.connections)));
  object.Set("packetsIn", Napi::Number::New(env, static_cast<double>(counters.packets_in)));
  object.Set("packetsOut", Napi::Number::New(env, static_cast<double>(counters.packets_out)));
  object.Set("bytesIn", Napi::Number::New(env, static_cast<double>(counters.bytes_in)));
  object.Set("bytesOut", Napi::Number::New(env, static_cast<double>(counters.bytes_out)));
  return object;
}

Napi::Object server_object(Napi::Env env, const director::Destination& destination) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("address", wire::to_string(destination.address));
  object.Set("port", Napi::Number::New(env, destination.port));
  object.Set("active", Napi::Number::New(env, destination.active));
  object.Set("inactive", Napi::Number::New(env, destination.inactive));
  object.Set("persistent", Napi::Number::New(env, destination.persistent));
  object.Set("overloaded", Napi::Boolean::New(env, destination.overloaded));
  object.Set("counters", counters_object(env, destination.counters));
  return object;
}

}  // namespace

Napi::Array reason_table(Napi::Env env) {
  Napi::Array table = Napi::Array::New(env, director::reason_count);
  for (uint32_t i = 0; i < director::reason_count; i++) {
    const auto reason = static_cast<director::Reason>(i);
    Napi::Object row = Napi::Object::New(env);
    row.Set("name", text(env, director::reason_name(reason)));
    row.Set("verdict", text(env, director::verdict_name(director::verdict_of(reason))));
    row.Set("meaning", text(env, director::reason_meaning(reason)));
    table.Set(i, row);
  }
  return table;
}

Napi::Array connection_states(Napi::Env env) {
  Napi::Array names = Napi::Array::New(env);
  for (const std::string_view name : engine::state_names()) names.Set(names.Length(), text(env, name));
  return names;
}

Napi::Array connection_list(Napi::Env env, std::span<const engine::Connection> connections) {
  Napi::Array rows = Napi::Array::New(env, connections.size());
  for (uint32_t i = 0; i < connections.size(); i++) rows.Set(i, connection_object(env, connections[i]));
  return rows;
}

Napi::Array service_list(Napi::Env env, const director::Director& director) {
  Napi::Array list = Napi::Array::New(env);
  director.services().for_each_service([&](const director::Service& service) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", director::to_text(service.key));
    object.Set("family", Napi::Number::New(env, service.key.address.family == wire::Family::ipv4 ? 4 : 6));
    object.Set("counters", counters_object(env, service.counters()));
    Napi::Array servers = Napi::Array::New(env);
    for (const director::Destination* destination : service.destinations) {
      servers.Set(servers.Length(), server_object(env, *destination));
    }
    object.Set("servers", servers);
    list.Set(list.Length(), object);
  });
  return list;
}

Napi::Array count_list(Napi::Env env, const director::Director& director) {
  Napi::Array counts = Napi::Array::New(env, director::reason_count);
  for (uint32_t i = 0; i < director::reason_count; i++) {
    counts.Set(i, Napi::Number::New(env, static_cast<double>(director.count(static_cast<director::Reason>(i)))));
  }
  return counts;
}

}  // namespace sluice::binding
