// SPDX-License-Identifier: Apache-2.0
#include "binding/plan_step.h"

#include "binding/js_values.h"

namespace sluice::binding {

namespace {

// An address pool that is larger takes too long to go through (port_pool.h has the same limit).
constexpr uint32_t most_pool_addresses = 256;

const char* text_of(director::EditResult result) {
  switch (result) {
    case director::EditResult::done:
      return "done";
    case director::EditResult::service_exists:
      return "service-exists";
    case director::EditResult::no_such_service:
      return "no-such-service";
    case director::EditResult::destination_exists:
      return "destination-exists";
    case director::EditResult::no_such_destination:
      return "no-such-destination";
    case director::EditResult::unknown_scheduler:
      return "unknown-scheduler";
    case director::EditResult::family_mismatch:
      return "family-mismatch";
  }
  return "unknown";
}

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

void apply_egress(director::Director& director, PlanNames& names) {
  std::vector<director::EgressRule> rules;
  for (const auto& [name, list] : names.egress()) rules.insert(rules.end(), list.begin(), list.end());
  director.set_egress(std::move(rules));
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

const char* carry_out(const Napi::Object& step, director::Director& director, PlanNames& names) {
  const std::string op = text_field(step, "op");
  const Napi::Object service = object_field(step, "service");
  const Napi::Object server = object_field(step, "server");
  director::ServiceTable& services = director.services();
  if (op == "addService") return text_of(services.add_service(key_of(service), settings_of(service, names)));
  if (op == "editService") return text_of(services.edit_service(key_of(service), settings_of(service, names)));
  if (op == "removeService") return text_of(director.remove_service(key_of(service)));
  if (op == "addServer") return text_of(services.add_destination(key_of(service), server_of(server)));
  if (op == "editServer") return text_of(services.edit_destination(key_of(service), server_of(server)));
  if (op == "removeServer") {
    const director::DestinationSettings settings = server_of(server);
    return text_of(director.remove_destination(key_of(service), settings.address, settings.port));
  }
  if (op == "zeroCounters") {
    director::Service* one = services.find(key_of(service));
    if (one == nullptr) return text_of(director::EditResult::no_such_service);
    director.zero_counters(*one);
    return "done";
  }
  if (op == "orderServers") {
    std::vector<director::DestinationSettings> order;
    for_each_element(step, "servers", [&](const Napi::Object& one) { order.push_back(server_of(one)); });
    return text_of(services.order_destinations(key_of(service), order));
  }
  if (op == "setTimeouts") {
    director.set_timeouts(timeouts_of(object_field(step, "timeouts")));
  } else if (op == "setSwitches") {
    director.set_switches(switches_of(object_field(step, "switches")));
  } else if (op == "setLimits") {
    const Napi::Object limits = object_field(step, "limits");
    director.set_flow_limit(number_field(limits, "flows"));
    director.set_half_open_limit(number_field(limits, "half_open"));
  } else if (op == "addPool" || op == "editPool") {
    const Napi::Object pool = object_field(step, "pool");
    director.set_pool(names.pool(text_field(pool, "name")), pool_of(pool));
  } else if (op == "removePool") {
    director.set_pool(names.pool(text_field(step, "name")), {});
  } else if (op == "addEgress" || op == "editEgress") {
    const Napi::Object egress = object_field(step, "egress");
    names.egress()[text_field(egress, "name")] = egress_of(egress, names);
    apply_egress(director, names);
  } else if (op == "setMarks") {
    director.set_marks(marks_of(step));
  } else if (op == "removeEgress") {
    names.egress().erase(text_field(step, "name"));
    apply_egress(director, names);
  } else {
    return "unknown-step";
  }
  return "done";
}

}  // namespace sluice::binding
