// SPDX-License-Identifier: Apache-2.0
#include "director/stages/admission.h"

#include <algorithm>

#include "director/flows/text.h"
#include "director/outgoing/icmp_errors.h"
#include "director/services/text.h"
#include "director/stages/opening.h"
#include "wire/sctp.h"
#include "wire/tcp.h"

namespace sluice::director {

namespace {

constexpr uint16_t ftp_port = 21, ftp_data_port = 20;

template <class A>
wire::Address network_of(const A& client, const ServiceSettings& settings) {
  wire::Address network = client;
  for (size_t i = 0; i < network.bytes.size(); i++) network.bytes[i] &= settings.persistence_mask.bytes[i];
  return network;
}

// In templates of a service by firewall mark, the mark stands in the place of the address, as in the kernel.
template <class A>
A mark_as_address(uint32_t mark) {
  A address{};
  uint8_t bytes[sizeof address.raw] = {};
  wire::store_be32(bytes, mark);
  return A::load(bytes);
}

}  // namespace

// Whether a template still leads to its server.
template <class A>
bool Admission::keeps_its_server(const Flow<A>& control) const {
  const Destination& destination = services_.destination(control.destination);
  return destination.available && !(switches_.expire_quiescent_template && destination.weight == 0);
}

// The rules give the mark, unless the frame came with one.
template <class A>
void Admission::mark(const Transit<A>& t) const {
  if (marks_.empty() || t.frame.mark != 0) return;
  const std::optional<size_t> number = marks_.find(marked_packet(t));
  if (!number) return;
  const MarkRule& rule = marks_.rules()[*number];
  t.frame.mark = rule.mark;
  if (!t.trace) return;
  const bool has_port = rule.port < transmitter_.route_table().ports().size();
  t.trace->say("firewall mark %u by rule %zu: %s%s%s", rule.mark, *number + 1, to_text(rule).c_str(),
               has_port ? " on " : "", has_port ? transmitter_.route_table().ports()[rule.port].name.c_str() : "");
}

template <class A>
Decision Admission::open_flow(Transit<A>& t) {
  mark(t);
  const Endpoints<A>& e = t.endpoints;
  Service* service = services_.find(t.packet.protocol, e.destination, e.destination_port, t.frame.mark);
  if (service == nullptr) {
    if (t.trace) t.trace->say("no flow, and no virtual service %s", to_text(e).c_str());
    return egress_.without_service(t);
  }
  if (own_addresses_.is_martian(e.source)) return {Reason::martian_source, no_destination, service};
  if (service->settings.syn_proxy != SynProxy::off && e.source_port != ftp_data_port) {
    // The SYN proxy must answer the client.
    if (!own_addresses_.may_tell(e.source)) return {Reason::martian_source, no_destination, service};
    Opening opening = syn_proxy_.answer_opening(t, *service);
    if (opening.answered) return *opening.answered;
    if (opening.proven) return admit_proven(t, *service, *opening.proven);
  }
  if (!may_open(t, switches_)) {
    if (t.trace) t.trace->say("no flow, and such a packet opens none");
    return {Reason::not_opening, no_destination, service};
  }
  return admit(t, *service, nullptr);
}

// The packet is the ACK that brought back a good cookie. Its client already has a connection, so a client that gets no
// flow is reset.
template <class A>
Decision Admission::admit_proven(Transit<A>& t, Service& service, ProvenClient& proven) {
  const Decision decision = admit(t, service, &proven);
  if (!proven.has_flow) syn_proxy_.reset_unadmitted(t);
  return decision;
}

// A packet that opens a flow of the service, unless a limit or the scheduler refuses it. `proven`: its client has
// answered the SYN proxy, and the packet is that answer.
template <class A>
Decision Admission::admit(Transit<A>& t, Service& service, ProvenClient* proven) {
  if (t.trace) {
    t.trace->say("virtual service %s, scheduler %s", to_text(service.key).c_str(), service.settings.scheduler.c_str());
  }
  if (defence_.drops_packet()) return {Reason::drop_packet_defence, no_destination, &service};
  if (service.settings.source_limit.rate > 0 && !admits_source(t, service)) {
    return {Reason::source_limit, no_destination, &service};
  }
  if (t.endpoints.source_port == ftp_data_port) return {Reason::ftp_data, no_destination, &service};
  return service.is_persistent() ? schedule_persistent(t, service, proven) : schedule(t, service, proven);
}

template <class A>
bool Admission::admits_source(const Transit<A>& t, Service& service) {
  return service.source_limit.of<A>()->admit(t.endpoints.source, t.now);
}

template <class A>
Destination* Admission::ask_scheduler(const Transit<A>& t, Service& service) {
  ScheduleRequest request;
  request.client = t.endpoints.source;
  request.virtual_address = t.endpoints.destination;
  request.client_port = t.endpoints.source_port;
  request.virtual_port = t.endpoints.destination_port;
  request.protocol = t.packet.protocol;
  request.now = t.now;
  return service.scheduler->pick(request, t.trace);
}

template <class A>
Decision Admission::schedule(Transit<A>& t, Service& service, ProvenClient* proven) {
  if (service.key.mark == 0 && service.key.port != t.endpoints.destination_port) return leave(t, service);
  Destination* destination = ask_scheduler(t, service);
  if (destination == nullptr) return leave(t, service);
  const uint16_t port = destination->port != 0 ? destination->port : t.endpoints.destination_port;
  return open_to(t, service, *destination, port, static_cast<Flow<A>*>(nullptr), Reason::scheduled, proven);
}

// The client's network keeps its real server while its template lives. The template's key is the kernel's: the
// service's own port; or port 0 for FTP services, services on every port and services by firewall mark, which keep all
// of a client's ports together.
template <class A>
Decision Admission::schedule_persistent(Transit<A>& t, Service& service, ProvenClient* proven) {
  FlowKeeper<A>& keeper = flows_.of<A>();
  const uint16_t port = t.endpoints.destination_port;
  const bool is_services_port = service.key.mark == 0 && port == service.key.port;
  const bool keeps_port = is_services_port && service.key.port != ftp_port;

  Flow<A> pattern;
  const wire::Address network = network_of(t.endpoints.source, service.settings);
  pattern.forward.source = A::load(network.bytes.data());
  pattern.forward.destination = service.key.mark != 0 ? mark_as_address<A>(service.key.mark) : t.endpoints.destination;
  pattern.forward.destination_port = keeps_port ? port : 0;
  pattern.protocol = service.key.mark != 0 ? wire::protocol::hop_by_hop : t.packet.protocol;  // 0: any protocol
  pattern.flags = flow_is_template;

  Flow<A>* control = keeper.find_template(pattern.key(Direction::forward), t.tick());
  if (control != nullptr && !keeps_its_server(*control)) {
    if (t.trace) t.trace->say("the client's template points to a server that is gone: it no longer counts");
    keeper.retire_template(*control);
    control = nullptr;
  }
  Reason reason = Reason::persistent;
  if (control == nullptr) {
    Destination* destination = ask_scheduler(t, service);
    if (destination == nullptr) return leave(t, service);
    pattern.reverse.source_port = keeps_port ? destination->port : 0;
    pattern.mark = service.settings.persistence;
    control = keeper.open(pattern, destination, t.tick() + ticks(service.settings.persistence * second));
    if (control == nullptr) return {Reason::flow_limit, destination->id};
    reason = Reason::scheduled;
  }
  Destination& destination = services_.destination(control->destination);
  if (t.trace && reason == Reason::persistent) {
    t.trace->say("the client's template keeps it at %s", wire::to_string(destination.address).c_str());
  }
  const uint16_t real_port = is_services_port && destination.port != 0 ? destination.port : port;
  const Decision decision = open_to(t, service, destination, real_port, control, reason, proven);
  keeper.table().touch(*control, t.tick() + ticks(control->mark * second));
  return decision;
}

template <class A>
Decision Admission::open_to(Transit<A>& t, Service& service, Destination& destination, uint16_t port, Flow<A>* control,
                            Reason reason, ProvenClient* proven) {
  FlowKeeper<A>& keeper = flows_.of<A>();
  const bool sees_replies = destination.forwarding == Forwarding::nat || destination.forwarding == Forwarding::fullnat;
  if (proven != nullptr && !sees_replies) {
    if (t.trace) t.trace->say("a real server whose replies do not come back this way is none for the SYN proxy");
    return {Reason::no_real_server, no_destination, &service};
  }
  Flow<A> flow;
  flow.forward = t.endpoints;
  flow.protocol = t.packet.protocol;
  flow.flags = mode_bits(destination.forwarding);
  flow.mark = t.frame.mark;
  if (destination.address.family == A::family) flow.reverse.source = A::load(destination.address.bytes.data());
  flow.reverse.source_port = port;
  flow.reverse.destination = t.endpoints.source;
  flow.reverse.destination_port = t.endpoints.source_port;
  if (destination.forwarding == Forwarding::nat) {
    flow.flags |= flow_has_reverse;
  } else if (destination.forwarding == Forwarding::fullnat) {
    const Reason taken = keeper.take_local_port(service.settings.pool, flow, t.trace);
    if (taken != Reason::scheduled) return {taken, destination.id};
    flow.flags |= flow_has_reverse;
    if (service.settings.toa && flow.protocol == wire::protocol::tcp) flow.flags |= flow_flag::tells_client;
  } else {
    flow.flags |= flow_flag::no_output;
  }
  if (service.settings.proxy_protocol && sees_replies && flow.protocol == wire::protocol::tcp) {
    flow.flags |= flow_flag::announces;
  }
  const auto count_connection = [&] { destination.counters.connections++; };
  if (service.settings.one_packet && flow.protocol == wire::protocol::udp) {
    // The flow counts while its one packet passes. It is never in the table, because the table's timers must not see
    // it.
    flow.flags |= flow_flag::one_packet;
    count_connection();
    keeper.bind(flow, destination);
    const Decision decision = send_first(t, flow, reason);
    keeper.release(flow);
    return decision;
  }
  Flow<A>* opened = keeper.begin(flow, &destination, t.tick() + ticks(opening_time));
  if (opened == nullptr) return {Reason::flow_limit, destination.id};
  count_connection();
  if (control != nullptr) keeper.hold_template(*opened, *control);
  if (proven != nullptr) {
    keeper.table().list_reverse(*opened);
    return syn_proxy_.greet_server(t, *opened, *proven);
  }
  // The packet is sent while the bucket of the flow's other half is fetched from memory.
  const Decision decision = send_first(t, *opened, reason);
  keeper.table().list_reverse(*opened);
  return decision;
}

// Sends what the flow was opened for: a packet, or an error about the reply to one.
template <class A>
Decision Admission::send_first(Transit<A>& t, Flow<A>& flow, Reason reason) {
  if (t.error == nullptr) return forwarder_.request(t, flow, reason);
  return related_errors_.carry_error(t.error->t, flow, t.error->inner, true);
}

// There is no real server for the packet. An error is not answered with another error.
template <class A>
Decision Admission::leave(Transit<A>& t, const Service& service) {
  // An FTP service also finds packets for ports that it does not serve: those are for the host.
  if (service.key.port == ftp_port && t.endpoints.destination_port != ftp_port) return {Reason::no_service};
  if (t.trace) t.trace->say("no usable real server");
  if (t.error == nullptr) forwarder_.tell_sender(t, port_unreachable<A>(), Answerer::destination);
  return {Reason::no_real_server, no_destination, &service};
}

template void Admission::mark(const Transit<wire::Ipv4Address>&) const;
template void Admission::mark(const Transit<wire::Ipv6Address>&) const;
template Decision Admission::open_flow(Transit<wire::Ipv4Address>&);
template Decision Admission::open_flow(Transit<wire::Ipv6Address>&);
template Decision Admission::admit(Transit<wire::Ipv4Address>&, Service&, ProvenClient*);
template Decision Admission::admit(Transit<wire::Ipv6Address>&, Service&, ProvenClient*);

}  // namespace sluice::director
