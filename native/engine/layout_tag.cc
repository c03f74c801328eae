// SPDX-License-Identifier: Apache-2.0
#include "engine/layout_tag.h"

#include <cstddef>
#include <initializer_list>
#include <string_view>

#include "director/states/sctp_state.h"
#include "director/states/tcp_state.h"
#include "director/tracking/flow_keeper.h"
#include "director/tracking/saved_flows.h"
#include "engine/flight_recorder.h"

namespace sluice::engine {

namespace {

// Raise this when a field gets another meaning at the same place.
constexpr uint64_t meaning = 1;

// FNV-1a.
class Hash {
 public:
  void add(uint64_t number) { value_ = (value_ ^ number) * 0x100000001b3; }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xcbf29ce484222325;
};

template <class A>
void add_flow(Hash& hash) {
  using Flow = director::Flow<A>;
  for (const size_t number :
       {sizeof(Flow), offsetof(Flow, forward), offsetof(Flow, reverse), offsetof(Flow, protocol), offsetof(Flow, state),
        offsetof(Flow, flags), offsetof(Flow, destination), offsetof(Flow, control), offsetof(Flow, packets),
        offsetof(Flow, spliced), offsetof(Flow, mark), offsetof(Flow, deadline), offsetof(Flow, timer_previous)}) {
    hash.add(number);
  }
}

void add_structures(Hash& hash) {
  using director::Announcement, director::DestinationIdentity, director::InsertedHeader, director::ProvenClient,
      director::ServiceKey, director::Splice, director::SplicedFlow, director::SynOptions;
  namespace flag = director::flow_flag;
  add_flow<wire::Ipv4Address>(hash);
  add_flow<wire::Ipv6Address>(hash);
  for (const size_t number : {sizeof(SplicedFlow),
                              offsetof(SplicedFlow, splice),
                              offsetof(SplicedFlow, client),
                              offsetof(SplicedFlow, announcement),
                              offsetof(SplicedFlow, client_window),
                              offsetof(SplicedFlow, syns),
                              offsetof(SplicedFlow, phase),
                              offsetof(SplicedFlow, family),
                              offsetof(SplicedFlow, flow),
                              offsetof(SplicedFlow, queue),
                              offsetof(SplicedFlow, due),
                              sizeof(Splice),
                              offsetof(Splice, sequence),
                              offsetof(Splice, timestamp),
                              offsetof(Splice, promised_scale),
                              offsetof(Splice, real_scale),
                              offsetof(Splice, client_scale),
                              sizeof(ProvenClient),
                              offsetof(ProvenClient, options),
                              offsetof(ProvenClient, sequence),
                              offsetof(ProvenClient, cookie),
                              offsetof(ProvenClient, promised_timestamp),
                              offsetof(ProvenClient, has_flow),
                              sizeof(SynOptions),
                              offsetof(SynOptions, mss),
                              offsetof(SynOptions, window_scale),
                              offsetof(SynOptions, sack_permitted),
                              offsetof(SynOptions, timestamps),
                              offsetof(SynOptions, timestamp),
                              offsetof(SynOptions, timestamp_echo),
                              sizeof(Announcement),
                              offsetof(Announcement, header),
                              offsetof(Announcement, times_sent),
                              offsetof(Announcement, has_timestamps),
                              offsetof(Announcement, window),
                              offsetof(Announcement, acknowledgement),
                              offsetof(Announcement, timestamp),
                              offsetof(Announcement, timestamp_echo),
                              offsetof(Announcement, server_first),
                              offsetof(Announcement, client_next),
                              offsetof(Announcement, syn_first),
                              sizeof(InsertedHeader),
                              offsetof(InsertedHeader, first),
                              offsetof(InsertedHeader, length),
                              offsetof(InsertedHeader, window_scale),
                              offsetof(InsertedHeader, phase),
                              sizeof(DestinationIdentity),
                              offsetof(DestinationIdentity, home),
                              offsetof(DestinationIdentity, address),
                              offsetof(DestinationIdentity, port),
                              sizeof(ServiceKey),
                              offsetof(ServiceKey, address),
                              offsetof(ServiceKey, mark),
                              offsetof(ServiceKey, port),
                              offsetof(ServiceKey, protocol),
                              sizeof(wire::Address)}) {
    hash.add(number);
  }
  for (const uint64_t number : {uint64_t{core::tick_shift},
                                uint64_t{flag::inactive},
                                uint64_t{flag::no_output},
                                uint64_t{flag::one_packet},
                                uint64_t{flag::egress},
                                uint64_t{flag::has_local},
                                uint64_t{flag::tells_client},
                                uint64_t{flag::spliced},
                                uint64_t{flag::announces},
                                uint64_t{flag::mode_shift},
                                uint64_t{flag::mode_mask},
                                uint64_t{director::flow_is_template},
                                uint64_t{director::flow_has_reverse},
                                static_cast<uint64_t>(director::Forwarding::nat),
                                static_cast<uint64_t>(director::Forwarding::fullnat),
                                static_cast<uint64_t>(director::Forwarding::dr),
                                static_cast<uint64_t>(director::Forwarding::tunnel),
                                static_cast<uint64_t>(director::Forwarding::local),
                                uint64_t{director::template_state::assured},
                                static_cast<uint64_t>(SplicedFlow::Phase::greeting),
                                static_cast<uint64_t>(SplicedFlow::Phase::spliced),
                                static_cast<uint64_t>(SplicedFlow::Phase::closed),
                                static_cast<uint64_t>(InsertedHeader::Phase::none),
                                static_cast<uint64_t>(InsertedHeader::Phase::awaited),
                                static_cast<uint64_t>(InsertedHeader::Phase::sent),
                                static_cast<uint64_t>(InsertedHeader::Phase::acknowledged),
                                static_cast<uint64_t>(wire::Family::ipv4),
                                static_cast<uint64_t>(wire::Family::ipv6),
                                uint64_t{FlightRecorder::kept_bytes},
                                uint64_t{FlightRecorder::kept_frames},
                                meaning}) {
    hash.add(number);
  }
}

// A flow keeps its state as a number.
void add_states(Hash& hash) {
  const auto add_name = [&hash](std::string_view name) {
    for (const char character : name) hash.add(static_cast<uint8_t>(character));
    hash.add(name.size());
  };
  for (size_t state = 0; state < director::tcp_state_count; state++) add_name(name(director::TcpState(state)));
  for (size_t state = 0; state < director::sctp_state_count; state++) add_name(name(director::SctpState(state)));
}

}  // namespace

uint64_t layout_tag() {
  Hash hash;
  add_structures(hash);
  add_states(hash);
  return hash.value();
}

}  // namespace sluice::engine
