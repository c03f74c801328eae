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

template <class A>
std::string_view state_text(const director::Flow<A>& flow) {
  if (flow.is_template()) return flow.state == director::template_state::assured ? "ASSURED" : "NONE";
  switch (flow.protocol) {
    case wire::protocol::tcp:
      return director::name(static_cast<director::TcpState>(flow.state));
    case wire::protocol::sctp:
      return director::name(static_cast<director::SctpState>(flow.state));
    case wire::protocol::udp:
      return director::name(director::UdpState::normal);
    default:
      return "NONE";
  }
}

Napi::Object endpoint(Napi::Env env, const wire::Address& address, uint16_t port) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("address", wire::to_string(address));
  object.Set("port", Napi::Number::New(env, port));
  return object;
}

template <class A>
void list_connections(Napi::Env env, Napi::Array& rows, director::Director& director, Tick now) {
  auto& table = director.flows<A>().table();
  table.walk(0, table.span(), [&](director::Flow<A>& flow) {
    Napi::Object row = Napi::Object::New(env);
    const auto left = static_cast<int32_t>(flow.deadline - now);
    const uint64_t nanoseconds = left > 0 ? uint64_t(left) << core::tick_shift : 0;
    wire::Address server = flow.real_server();
    if (flow.destination != director::no_destination)
      server = director.services().destination(flow.destination).address;
    row.Set("protocol", upper_protocol(flow.protocol));
    row.Set("expires", Napi::Number::New(env, static_cast<double>(nanoseconds) / 1e9));
    row.Set("state", text(env, state_text(flow)));
    row.Set("client", endpoint(env, flow.client(), flow.client_port()));
    row.Set("virtual", endpoint(env, flow.virtual_address(), flow.virtual_port()));
    row.Set("server", endpoint(env, server, flow.real_server_port()));
    row.Set("local", endpoint(env, flow.local(), flow.local_port()));
    rows.Set(rows.Length(), row);
  });
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

Napi::Array connection_list(Napi::Env env, director::Director& director, Time now) {
  Napi::Array rows = Napi::Array::New(env);
  list_connections<wire::Ipv4Address>(env, rows, director, tick_at(now));
  list_connections<wire::Ipv6Address>(env, rows, director, tick_at(now));
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
