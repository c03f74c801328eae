// SPDX-License-Identifier: Apache-2.0
// Packets that may open a flow: whether they may, for which virtual service, to which real server.
#include <algorithm>

#include "director/outgoing/icmp_errors.h"
#include "director/stages/director.h"
#include "director/stages/text.h"
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

// A firewall mark in the place of an address, as the kernel's templates of such services have it.
template <class A>
A mark_as_address(uint32_t mark) {
  A address{};
  uint8_t bytes[sizeof address.raw] = {};
  wire::store_be32(bytes, mark);
  return A::load(bytes);
}

// Whether the packet is one with which connections begin.
template <class A>
bool is_first_packet(const Transit<A>& t) {
  if (t.packet.protocol == wire::protocol::tcp) return (t.packet.tcp_flags & wire::tcp_flag::syn) != 0;
  return t.packet.protocol == wire::protocol::sctp && first_chunk(t) == wire::sctp_chunk::init;
}

}  // namespace

// A known flow's packet that begins a connection all the same: the client has taken a port again that the flow had
// closed (conn_reuse_mode), or its server is being drained and expire_nodest_conn wants no more connections there.
template <class A>
bool Director::starts_anew(const Transit<A>& t, const Flow<A>& flow, const Destination& destination) const {
  if (t.is_later_fragment() || !is_first_packet(t)) return false;
  if (switches_.expire_nodest_conn && destination.weight == 0) return true;
  if (switches_.conn_reuse_mode == 0 || flow.control != no_flow) return false;
  if (flow.protocol == wire::protocol::sctp) {
    return is_reusable(static_cast<SctpState>(flow.state), switches_.conn_reuse_mode);
  }
  const bool one_way = (flow.flags & flow_flag::no_output) != 0;
  return is_reusable(static_cast<TcpState>(flow.state), switches_.conn_reuse_mode, one_way);
}

template <class A>
Decision Director::known_or_new(Transit<A>& t, FoundFlow<A> found) {
  if (found && (found.flow->flags & (flow_flag::egress | flow_flag::spliced)) != 0) {
    if ((found.flow->flags & flow_flag::egress) != 0) return egress(t, found);
    if (const std::optional<Decision> handshake = spliced(t, found)) return *handshake;
  }
  if (found && found.direction == Direction::reverse) {
    return route(t, *found.flow, found.flow->forward.mirrored(), Seen::from_server, Reason::reply);
  }
  if (found) {
    Flow<A>& flow = *found.flow;
    const Destination& destination = services_.destination(flow.destination);
    const bool leaves_removed = switches_.udp_leave_removed && flow.protocol == wire::protocol::udp;
    if (starts_anew(t, flow, destination)) {
      if (t.trace) t.trace->say("a new connection on a closed flow's ports: the old flow ends");
      return replace_flow(t, flow);
    }
    if (destination.available) return request(t, flow, Reason::established);
    if (t.is_later_fragment() || !(switches_.expire_nodest_conn || leaves_removed)) {
      return {Reason::server_removed, flow.destination};
    }
    if (t.trace) t.trace->say("its real server was removed: the flow ends, another server is asked for");
    return replace_flow(t, flow);
  }
  return open_flow(t);
}

// The scheduler still counts the old flow when it is asked about the new one, as in the kernel.
template <class A>
Decision Director::replace_flow(Transit<A>& t, Flow<A>& old) {
  const Decision decision = open_flow(t);
  flows<A>().end(old);
  return decision;
}

// Whether no host can have sent from the address, as Linux 6.1 sees it where it lets a packet in: RFC 1812 5.3.7, and
// for IPv4 this host's own addresses. IPv6 packets from this host's own addresses are let in. Asked of packets that
// would open a flow; what belongs to a flow was let in by one that was asked. Who is answered is asked for more
// (HostAnswers::may_tell).
template <class A>
bool Director::is_martian(const A& source) const {
  const wire::Address address = source;
  const auto& bytes = address.bytes;
  if constexpr (A::family == wire::Family::ipv4) {
    const bool is_multicast = (bytes[0] & 0xf0) == 0xe0;
    if (address.is_unspecified() || bytes[0] == 127 || is_multicast || source.raw == UINT32_MAX) return true;
    const bool is_local = route_table().way_to(source).state == HopState::local;
    return is_local || services_.is_virtual_address(address) || pools_.is_local_address(address);
  } else {
    const bool is_loopback = source.raw[0] == 0 && wire::load_be64(bytes.data() + 8) == 1;
    // Nothing can be sent to the unspecified address, and no router may forward what comes from it (RFC 4291 2.5.2).
    return bytes[0] == 0xff || is_loopback || address.is_unspecified();
  }
}

// What a protocol lets open a flow, before any service is looked for.
template <class A>
bool Director::may_open(const Transit<A>& t) const {
  switch (t.packet.protocol) {
    case wire::protocol::tcp:
      return begins_connection(t.packet.tcp_flags, switches_.sloppy_tcp);
    case wire::protocol::sctp:
      return begins_association(wire::Bytes(t.transport()).subspan(wire::SctpView::header_length),
                                switches_.sloppy_sctp);
    default:
      return true;
  }
}

// Whether a template still leads to its server.
template <class A>
bool Director::keeps_its_server(const Flow<A>& control) const {
  const Destination& destination = services_.destination(control.destination);
  return destination.available && !(switches_.expire_quiescent_template && destination.weight == 0);
}

// By the rules, unless the frame came with a mark.
template <class A>
void Director::mark(const Transit<A>& t) const {
  if (marks_.empty() || t.frame.mark != 0) return;
  const std::optional<size_t> number = marks_.find(marked_packet(t));
  if (!number) return;
  const MarkRule& rule = marks_.rules()[*number];
  t.frame.mark = rule.mark;
  if (!t.trace) return;
  const bool has_port = rule.port < route_table().ports().size();
  t.trace->say("firewall mark %u by rule %zu: %s%s%s", rule.mark, *number + 1, to_text(rule).c_str(),
               has_port ? " on " : "", has_port ? route_table().ports()[rule.port].name.c_str() : "");
}

template <class A>
Decision Director::open_flow(Transit<A>& t) {
  mark(t);
  const Endpoints<A>& e = t.endpoints;
  Service* service = services_.find(t.packet.protocol, e.destination, e.destination_port, t.frame.mark);
  if (service == nullptr) {
    if (t.trace) t.trace->say("no flow, and no virtual service %s", to_text(e).c_str());
    return without_service(t);
  }
  if (is_martian(e.source)) return {Reason::martian_source, no_destination, service};
  if (service->settings.syn_proxy != SynProxy::off && e.source_port != ftp_data_port) {
    // Its client has to be answered.
    if (!host_answers_.may_tell(e.source)) return {Reason::martian_source, no_destination, service};
    if (const std::optional<Decision> answered = answer_opening(t, *service)) return *answered;
  }
  if (!may_open(t)) {
    if (t.trace) t.trace->say("no flow, and such a packet opens none");
    return {Reason::not_opening, no_destination, service};
  }
  return admit(t, *service, nullptr);
}

// A packet that opens a flow of the service, unless a limit or its scheduler says no. `proven`: its client has answered
// the SYN proxy, and the packet is the ACK of that.
template <class A>
Decision Director::admit(Transit<A>& t, Service& service, ProvenClient* proven) {
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
bool Director::admits_source(const Transit<A>& t, Service& service) {
  return service.source_limit.of<A>()->admit(t.endpoints.source, t.now);
}

template <class A>
Destination* Director::ask_scheduler(const Transit<A>& t, Service& service) {
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
Decision Director::schedule(Transit<A>& t, Service& service, ProvenClient* proven) {
  if (service.key.mark == 0 && service.key.port != t.endpoints.destination_port) return leave(t, service);
  Destination* destination = ask_scheduler(t, service);
  if (destination == nullptr) return leave(t, service);
  const uint16_t port = destination->port != 0 ? destination->port : t.endpoints.destination_port;
  return open_to(t, service, *destination, port, static_cast<Flow<A>*>(nullptr), Reason::scheduled, proven);
}

// The client's network keeps its real server while its template lives. The template's key is the kernel's: the
// service's own port, or port 0 for FTP, port-0 and firewall-mark services, which keep all of a client's ports
// together.
template <class A>
Decision Director::schedule_persistent(Transit<A>& t, Service& service, ProvenClient* proven) {
  FlowKeeper<A>& keeper = flows<A>();
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
Decision Director::open_to(Transit<A>& t, Service& service, Destination& destination, uint16_t port, Flow<A>* control,
                           Reason reason, ProvenClient* proven) {
  FlowKeeper<A>& keeper = flows<A>();
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
    const Reason taken = take_local_port(t, service.settings.pool, flow);
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
    // Counted while its one packet passes, and never listed: the table's timers must not hear of it.
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
    return greet_server(t, *opened, *proven);
  }
  // The packet goes its way while the bucket of the flow's other half comes from memory.
  const Decision decision = send_first(t, *opened, reason);
  keeper.table().list_reverse(*opened);
  return decision;
}

// What the flow was opened for: a packet, or an error about the reply to one.
template <class A>
Decision Director::send_first(Transit<A>& t, Flow<A>& flow, Reason reason) {
  if (t.error == nullptr) return request(t, flow, reason);
  return carry_error(t.error->t, flow, t.error->inner, true);
}

// No real server for the packet. An error is not answered with another one.
template <class A>
Decision Director::leave(Transit<A>& t, const Service& service) {
  // An FTP service also meets packets for ports that it does not serve: the host's own business.
  if (service.key.port == ftp_port && t.endpoints.destination_port != ftp_port) return {Reason::no_service};
  if (t.trace) t.trace->say("no usable real server");
  if (t.error == nullptr) tell_sender(t, port_unreachable<A>(), Answerer::destination);
  return {Reason::no_real_server, no_destination, &service};
}

template bool Director::is_martian(const wire::Ipv4Address&) const;
template bool Director::is_martian(const wire::Ipv6Address&) const;
template void Director::mark(const Transit<wire::Ipv4Address>&) const;
template void Director::mark(const Transit<wire::Ipv6Address>&) const;
template bool Director::may_open(const Transit<wire::Ipv4Address>&) const;
template bool Director::may_open(const Transit<wire::Ipv6Address>&) const;
template Decision Director::open_flow(Transit<wire::Ipv4Address>&);
template Decision Director::open_flow(Transit<wire::Ipv6Address>&);
template Decision Director::admit(Transit<wire::Ipv4Address>&, Service&, ProvenClient*);
template Decision Director::admit(Transit<wire::Ipv6Address>&, Service&, ProvenClient*);
template Decision Director::known_or_new(Transit<wire::Ipv4Address>&, FoundFlow<wire::Ipv4Address>);
template Decision Director::known_or_new(Transit<wire::Ipv6Address>&, FoundFlow<wire::Ipv6Address>);

}  // namespace sluice::director
