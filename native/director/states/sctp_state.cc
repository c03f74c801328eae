// SPDX-License-Identifier: Apache-2.0
#include "director/states/sctp_state.h"

#include <array>

#include "wire/sctp.h"

namespace sluice::director {
namespace {

constexpr std::array<std::string_view, sctp_state_count> names{
    "NONE",     "INIT1",       "INIT",   "C-SENT",     "C-REPLIED",  "C-WAIT",   "COOKIE",
    "C-ECHOED", "ESTABLISHED", "S-SENT", "S-RECEIVED", "S-ACK-SENT", "REJECTED", "CLOSED"};

namespace chunk = wire::sctp_chunk;
constexpr size_t chunk_header_length = 4;

SctpEvent event_of(uint8_t chunk_type) {
  switch (chunk_type) {
    case chunk::init:
      return SctpEvent::init;
    case chunk::init_ack:
      return SctpEvent::init_ack;
    case chunk::abort:
      return SctpEvent::abort;
    case chunk::shutdown:
      return SctpEvent::shutdown;
    case chunk::shutdown_ack:
      return SctpEvent::shutdown_ack;
    case chunk::error:
      return SctpEvent::error;
    case chunk::cookie_echo:
      return SctpEvent::cookie_echo;
    case chunk::cookie_ack:
      return SctpEvent::cookie_ack;
    case chunk::shutdown_complete:
      return SctpEvent::shutdown_complete;
    default:
      return SctpEvent::data;
  }
}

constexpr SctpState i1 = SctpState::init1, in = SctpState::init, cs = SctpState::cookie_sent,
                    cr = SctpState::cookie_replied, cw = SctpState::cookie_wait, co = SctpState::cookie,
                    ce = SctpState::cookie_echoed, es = SctpState::established, ss = SctpState::shutdown_sent,
                    sr = SctpState::shutdown_received, sa = SctpState::shutdown_ack_sent, rj = SctpState::rejected,
                    cl = SctpState::closed;

struct Row {
  SctpState after[sctp_event_count];
};
using Transitions = std::array<Row, sctp_state_count>;

constexpr std::array<Transitions, 3> tables{{
    // Passage::input
    //   data init i-ack echo c-ack shut s-ack s-com error abort
    {{
        {{es, i1, cw, cr, es, sr, cl, cl, cl, cl}},  // none
        {{i1, in, cw, in, i1, i1, in, cl, i1, cl}},  // init1
        {{in, in, cw, in, in, in, in, cl, in, cl}},  // init
        {{cs, cs, cs, cr, cs, cs, cs, cs, cs, cl}},  // cookie_sent
        {{cr, cr, cr, cr, cr, cr, cr, cr, cr, cl}},  // cookie_replied
        {{cw, cw, co, cw, cw, cw, cw, cw, cw, rj}},  // cookie_wait
        {{co, co, co, co, co, co, co, co, co, cl}},  // cookie
        {{ce, ce, ce, ce, es, ce, ce, ce, cl, cl}},  // cookie_echoed
        {{es, es, es, es, es, sr, es, es, es, cl}},  // established
        {{ss, ss, ss, ss, ss, ss, cl, ss, ss, cl}},  // shutdown_sent
        {{sr, sr, sr, sr, sr, sr, sr, sr, sr, cl}},  // shutdown_received
        {{sa, sa, sa, sa, sa, sa, cl, cl, sa, cl}},  // shutdown_ack_sent
        {{rj, in, rj, rj, rj, rj, rj, rj, rj, cl}},  // rejected
        {{cl, in, cl, cl, cl, cl, cl, cl, cl, cl}},  // closed
    }},
    // Passage::output
    {{
        {{es, cw, cs, ce, es, ss, sa, cl, cl, cl}},  // none
        {{i1, cw, cs, ce, es, ss, sa, i1, cl, rj}},  // init1
        {{in, cw, cs, ce, es, ss, sa, in, cl, cl}},  // init
        {{cs, cw, cs, ce, es, ss, sa, cs, cl, cl}},  // cookie_sent
        {{cr, cw, cr, ce, es, ss, sa, cr, cl, cl}},  // cookie_replied
        {{cw, cw, cw, ce, es, ss, cw, cw, cw, cl}},  // cookie_wait
        {{co, cw, co, ce, es, ss, co, co, co, cl}},  // cookie
        {{ce, cw, ce, ce, es, ss, ce, ce, ce, cl}},  // cookie_echoed
        {{es, es, es, es, es, ss, es, es, es, cl}},  // established
        {{ss, cw, ss, ss, ss, ss, sa, ss, ss, cl}},  // shutdown_sent
        {{sr, cw, sr, sr, sr, sr, sa, sr, sr, cl}},  // shutdown_received
        {{sa, cw, sa, sa, sa, sa, sa, sa, sa, cl}},  // shutdown_ack_sent
        {{rj, cw, rj, rj, rj, rj, rj, rj, rj, cl}},  // rejected
        {{cl, cw, cl, cl, cl, cl, cl, cl, cl, cl}},  // closed
    }},
    // Passage::input_only
    {{
        {{es, i1, ce, es, es, sr, cl, cl, cl, cl}},  // none
        {{i1, in, ce, es, i1, i1, in, cl, i1, cl}},  // init1
        {{in, in, ce, es, in, in, in, cl, in, cl}},  // init
        {{cs, in, ce, es, es, cs, cs, cl, cs, cl}},  // cookie_sent
        {{cr, in, ce, es, es, cr, cr, cl, cr, cl}},  // cookie_replied
        {{es, in, ce, es, cw, cw, cw, cw, cw, rj}},  // cookie_wait
        {{co, co, co, co, es, co, co, co, co, cl}},  // cookie
        {{ce, ce, ce, ce, es, ce, ce, ce, ce, cl}},  // cookie_echoed
        {{es, es, es, es, es, sr, cl, es, es, cl}},  // established
        {{ss, ss, ss, ss, ss, ss, cl, ss, ss, cl}},  // shutdown_sent
        {{sr, sr, sr, sr, sr, sr, sr, cl, sr, cl}},  // shutdown_received
        {{sa, sa, sa, sa, sa, sa, cl, cl, sa, cl}},  // shutdown_ack_sent
        {{rj, in, rj, rj, rj, rj, rj, rj, rj, cl}},  // rejected
        {{cl, in, cl, cl, cl, cl, cl, cl, cl, cl}},  // closed
    }},
}};

}  // namespace

std::optional<SctpEvent> sctp_event(wire::Bytes chunks) {
  if (chunks.size() < chunk_header_length) return std::nullopt;
  const uint8_t first = chunks[0];
  if (first == chunk::cookie_echo || first == chunk::cookie_ack) {
    const size_t length = wire::load_be16(&chunks[2]);
    const size_t second = (length + 3) / 4 * 4;
    if (length >= chunk_header_length && second + chunk_header_length <= chunks.size() &&
        chunks[second] == chunk::abort) {
      return SctpEvent::abort;
    }
  }
  return event_of(first);
}

SctpState next(SctpState state, Passage direction, SctpEvent event) {
  return tables[static_cast<size_t>(direction)][static_cast<size_t>(state)].after[static_cast<size_t>(event)];
}

std::string_view name(SctpState state) {
  return names[static_cast<size_t>(state)];
}

bool begins_association(wire::Bytes chunks, bool sloppy) {
  if (chunks.size() < chunk_header_length) return false;
  return chunks[0] != chunk::abort && (sloppy || chunks[0] == chunk::init);
}

}  // namespace sluice::director
