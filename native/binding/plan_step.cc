// SPDX-License-Identifier: Apache-2.0
#include "binding/plan_step.h"

#include "binding/js_values.h"

namespace sluice::binding {

namespace {

// The search in a larger address pool takes too long (port_pool.h has the same limit).
constexpr uint32_t most_pool_addresses = 256;

director::ServiceSettings settings_of(const Napi::Object& service, PlanNames& names) {
  director::ServiceSettings settings;
  settings.scheduler = text_field(service, "scheduler");
  settings.scheduler_flags = static_cast<uint8_t>(number_field(service, "flags"));
  settings.persistence = number_field(service, "persistenceSeconds");
  settings.persistence_mask = address_field(service, "persistenceNetmask");
  settings.one_packet = flag_field(service, "onePacket");
  settings.syn_proxy = static_cast<director::SynProxy>(number_field(service, "synProxy"));
  settings.toa = flag_field(service, "toa");
  settings.proxy_protocol = flag_field(service, "proxyProtocol");
  settings.pool = names.pool(text_field(service, "pool"));
  settings.source_limit = {number_field(service, "sourceRate"), number_field(service, "sourceBurst"),
                           static_cast<uint8_t>(number_field(service, "sourcePrefix"))};
  return settings;
}

director::DestinationSettings server_of(const Napi::Object& server) {
  director::DestinationSettings settings;
  settings.address = address_field(server, "address");
  settings.port = static_cast<uint16_t>(number_field(server, "port"));
  settings.forwarding = static_cast<director::Forwarding>(number_field(server, "forwarding"));
  settings.tunnel.encapsulation = static_cast<director::Encapsulation>(number_field(server, "encapsulation"));
  settings.tunnel.port = static_cast<uint16_t>(number_field(server, "tunnelPort"));
  settings.tunnel.checksum = flag_field(server, "tunnelChecksum");
  settings.tunnel.remote_checksum = flag_field(server, "tunnelRemoteChecksum");
  settings.weight = static_cast<int32_t>(number_field(server, "weight"));
  settings.upper_threshold = number_field(server, "upperThreshold");
  settings.lower_threshold = number_field(server, "lowerThreshold");
  return settings;
}

// All addresses of the networks, up to the limit.
director::PoolSettings pool_of(const Napi::Object& pool) {
  director::PoolSettings settings;
  settings.first_port = static_cast<uint16_t>(number_field(pool, "firstPort"));
  settings.last_port = static_cast<uint16_t>(number_field(pool, "lastPort"));
  for_each_element(pool, "networks", [&](const Napi::Object& network) {
    wire::Address address = address_field(network, "address");
    const unsigned bits = address.family == wire::Family::ipv4 ? 32 : 128;
    const unsigned host_bits = bits - std::min(bits, static_cast<unsigned>(number_field(network, "prefix")));
    const uint64_t count = host_bits >= 8 ? most_pool_addresses : uint64_t{1} << host_bits;
    for (uint64_t i = 0; i < count && settings.addresses.size() < most_pool_addresses; i++) {
      settings.addresses.push_back(address);
      for (size_t at = bits / 8; at-- > 0 && ++address.bytes[at] == 0;) {
      }
    }
  });
  return settings;
}

std::vector<director::EgressRule> egress_of(const Napi::Object& egress, PlanNames& names) {
  std::vector<director::EgressRule> rules;
  const uint32_t pool = names.pool(text_field(egress, "pool"));
  for_each_element(egress, "sources", [&](const Napi::Object& network) {
    rules.push_back({address_field(network, "address"), static_cast<uint8_t>(number_field(network, "prefix")), pool});
  });
  return rules;
}

director::Switches switches_of(const Napi::Object& values) {
  director::Switches switches;
  switches.conn_reuse_mode = static_cast<uint8_t>(number_field(values, "conn_reuse_mode"));
  switches.expire_nodest_conn = flag_field(values, "expire_nodest_conn");
  switches.expire_quiescent_template = flag_field(values, "expire_quiescent_template");
  switches.sloppy_tcp = flag_field(values, "sloppy_tcp");
  switches.sloppy_sctp = flag_field(values, "sloppy_sctp");
  switches.nat_icmp_send = flag_field(values, "nat_icmp_send");
  switches.host_answers = flag_field(values, "host_answers");
  switches.pmtu_disc = flag_field(values, "pmtu_disc");
  switches.schedule_icmp = flag_field(values, "schedule_icmp");
  switches.drop_entry = static_cast<uint8_t>(number_field(values, "drop_entry"));
  switches.drop_packet = static_cast<uint8_t>(number_field(values, "drop_packet"));
  switches.secure_tcp = static_cast<uint8_t>(number_field(values, "secure_tcp"));
  switches.am_droprate = number_field(values, "am_droprate");
  switches.amemthresh = number_field(values, "amemthresh");
  switches.udp_leave_removed = flag_field(values, "udp_leave_removed");
  return switches;
}

director::Timeouts timeouts_of(const Napi::Object& values) {
  director::Timeouts timeouts;
  for (const char* protocol : {"tcp", "udp", "sctp"}) {
    const Napi::Object states = object_field(values, protocol);
    const Napi::Array names = states.GetPropertyNames();
    for (uint32_t i = 0; i < names.Length(); i++) {
      const std::string state = names.Get(i).As<Napi::String>().Utf8Value();
      uint32_t* timeout = timeouts.find(protocol, state == "normal" ? protocol : state);
      if (timeout != nullptr) *timeout = number_field(states, state.c_str());
    }
  }
  return timeouts;
}

std::vector<director::MarkRule> marks_of(const Napi::Object& step) {
  std::vector<director::MarkRule> rules;
  for_each_element(step, "marks", [&](const Napi::Object& given) {
    director::MarkRule& rule = rules.emplace_back();
    const auto network = [&](const char* name) -> std::optional<director::MarkRule::Network> {
      if (!given.Get(name).IsObject()) return std::nullopt;
      const Napi::Object object = object_field(given, name);
      return {{address_field(object, "address"), static_cast<uint8_t>(number_field(object, "prefix"))}};
    };
    rule.mark = number_field(given, "mark");
    if (given.Get("port").IsNumber()) rule.port = static_cast<director::PortId>(number_field(given, "port"));
    rule.source = network("source");
    rule.destination = network("destination");
    rule.protocol = static_cast<uint8_t>(number_field(given, "protocol"));
    if (given.Get("firstPort").IsNumber()) {
      rule.ports = {static_cast<uint16_t>(number_field(given, "firstPort")),
                    static_cast<uint16_t>(number_field(given, "lastPort"))};
    }
  });
  return rules;
}

engine::SetEgress all_egress(const PlanNames& names) {
  engine::SetEgress step;
  for (const auto& [name, list] : names.egress()) step.rules.insert(step.rules.end(), list.begin(), list.end());
  return step;
}

// For steps that concern a service. Nothing for another op.
std::optional<engine::PlanStep> service_step_of(const std::string& op, const Napi::Object& step, PlanNames& names) {
  const Napi::Object service = object_field(step, "service");
  const Napi::Object server = object_field(step, "server");
  const auto key = [&] { return key_of(service); };
  if (op == "addService") return engine::AddService{key(), settings_of(service, names)};
  if (op == "editService") return engine::EditService{key(), settings_of(service, names)};
  if (op == "removeService") return engine::RemoveService{key()};
  if (op == "zeroCounters") return engine::ZeroCounters{key()};
  if (op == "addServer") return engine::AddServer{key(), server_of(server)};
  if (op == "editServer") return engine::EditServer{key(), server_of(server)};
  if (op == "removeServer") {
    const director::DestinationSettings settings = server_of(server);
    return engine::RemoveServer{key(), settings.address, settings.port};
  }
  if (op == "orderServers") {
    engine::OrderServers order{key(), {}};
    for_each_element(step, "servers", [&](const Napi::Object& one) { order.servers.push_back(server_of(one)); });
    return order;
  }
  return std::nullopt;
}

}  // namespace

director::ServiceKey key_of(const Napi::Object& service) {
  director::ServiceKey key;
  key.mark = number_field(service, "mark");
  key.protocol = static_cast<uint8_t>(number_field(service, "protocol"));
  key.port = static_cast<uint16_t>(number_field(service, "port"));
  if (key.mark == 0) {
    key.address = address_field(service, "address");
  } else {
    key.address.family = number_field(service, "family") == 6 ? wire::Family::ipv6 : wire::Family::ipv4;
  }
  return key;
}

std::optional<engine::PlanStep> step_of(const Napi::Object& step, PlanNames& names) {
  const std::string op = text_field(step, "op");
  if (auto of_service = service_step_of(op, step, names)) return of_service;
  if (op == "setTimeouts") return engine::SetTimeouts{timeouts_of(object_field(step, "timeouts"))};
  if (op == "setSwitches") return engine::SetSwitches{switches_of(object_field(step, "switches"))};
  if (op == "setMarks") return engine::SetMarks{marks_of(step)};
  if (op == "setLimits") {
    const Napi::Object limits = object_field(step, "limits");
    return engine::SetLimits{number_field(limits, "flows"), number_field(limits, "half_open"),
                             number_field(limits, "fragments")};
  }
  if (op == "addPool" || op == "editPool") {
    const Napi::Object pool = object_field(step, "pool");
    return engine::SetPool{names.pool(text_field(pool, "name")), pool_of(pool)};
  }
  if (op == "removePool") return engine::SetPool{names.pool(text_field(step, "name")), {}};
  if (op == "addEgress" || op == "editEgress") {
    const Napi::Object egress = object_field(step, "egress");
    names.egress()[text_field(egress, "name")] = egress_of(egress, names);
    return all_egress(names);
  }
  if (op == "removeEgress") {
    names.egress().erase(text_field(step, "name"));
    return all_egress(names);
  }
  return std::nullopt;
}

}  // namespace sluice::binding
