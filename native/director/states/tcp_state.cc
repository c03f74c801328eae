// SPDX-License-Identifier: Apache-2.0
#include "director/states/tcp_state.h"

#include <array>

#include "wire/tcp.h"

namespace sluice::director {
namespace {

constexpr std::array<std::string_view, tcp_state_count> names{"NONE",     "ESTABLISHED", "SYN_SENT", "SYN_RECV",
                                                              "FIN_WAIT", "TIME_WAIT",   "CLOSE",    "CLOSE_WAIT",
                                                              "LAST_ACK", "LISTEN",      "SYNACK"};

constexpr TcpState es = TcpState::established, ss = TcpState::syn_sent, sr = TcpState::syn_recv,
                   fw = TcpState::fin_wait, tw = TcpState::time_wait, cl = TcpState::close, cw = TcpState::close_wait,
                   la = TcpState::last_ack, li = TcpState::listen, sa = TcpState::synack;

enum Event { on_syn, on_fin, on_ack, on_rst };
struct Row {
  TcpState after[4];  // by Event
};
using Transitions = std::array<Row, tcp_state_count>;

constexpr std::array<std::array<Transitions, 3>, 2> tables{{
    // TcpTable::ordinary
    {{
        // Passage::input
        //   SYN FIN ACK RST
        {{
            {{sr, cl, es, cl}},  // none
            {{es, cw, es, cl}},  // established
            {{es, ss, ss, cl}},  // syn_sent
            {{sr, tw, es, sr}},  // syn_recv
            {{sr, tw, fw, cl}},  // fin_wait
            {{sr, tw, tw, cl}},  // time_wait
            {{sr, cl, cl, cl}},  // close
            {{sr, cw, cw, cl}},  // close_wait
            {{sr, la, cl, la}},  // last_ack
            {{sr, li, li, li}},  // listen
            {{sr, tw, es, sr}},  // synack
        }},
        // Passage::output
        {{
            {{ss, tw, es, cl}},  // none
            {{es, fw, es, cl}},  // established
            {{ss, ss, ss, ss}},  // syn_sent
            {{sr, tw, es, cl}},  // syn_recv
            {{ss, fw, fw, cl}},  // fin_wait
            {{ss, tw, tw, tw}},  // time_wait
            {{ss, cl, cl, cl}},  // close
            {{ss, tw, cw, cl}},  // close_wait
            {{ss, la, la, cl}},  // last_ack
            {{li, li, es, cl}},  // listen
            {{sr, tw, es, cl}},  // synack
        }},
        // Passage::input_only
        {{
            {{sr, cl, es, cl}},  // none
            {{es, fw, es, cl}},  // established
            {{es, ss, ss, cl}},  // syn_sent
            {{sr, tw, es, sr}},  // syn_recv
            {{sr, fw, fw, cl}},  // fin_wait
            {{sr, tw, tw, cl}},  // time_wait
            {{sr, cl, cl, cl}},  // close
            {{sr, cw, cw, cl}},  // close_wait
            {{sr, la, cl, la}},  // last_ack
            {{sr, li, li, li}},  // listen
            {{sr, tw, es, cl}},  // synack
        }},
    }},
    // TcpTable::secure
    {{
        // Passage::input
        {{
            {{sr, cl, es, cl}},  // none
            {{es, cw, es, cl}},  // established
            {{es, ss, ss, cl}},  // syn_sent
            {{sr, tw, sr, sr}},  // syn_recv
            {{sr, tw, fw, cl}},  // fin_wait
            {{sr, tw, tw, cl}},  // time_wait
            {{sr, cl, cl, cl}},  // close
            {{sr, cw, cw, cl}},  // close_wait
            {{sr, la, cl, la}},  // last_ack
            {{sr, li, li, li}},  // listen
            {{sa, sa, sa, cl}},  // synack
        }},
        // Passage::output
        {{
            {{ss, tw, es, cl}},  // none
            {{es, fw, es, cl}},  // established
            {{ss, ss, ss, ss}},  // syn_sent
            {{sa, tw, es, cl}},  // syn_recv
            {{ss, fw, fw, cl}},  // fin_wait
            {{ss, tw, tw, tw}},  // time_wait
            {{ss, cl, cl, cl}},  // close
            {{ss, tw, cw, cl}},  // close_wait
            {{ss, la, la, cl}},  // last_ack
            {{li, li, es, cl}},  // listen
            {{sa, tw, es, cl}},  // synack
        }},
        // Passage::input_only
        {{
            {{sa, cl, es, cl}},  // none
            {{es, fw, es, cl}},  // established
            {{es, ss, ss, cl}},  // syn_sent
            {{sr, tw, es, sr}},  // syn_recv
            {{sa, fw, fw, cl}},  // fin_wait
            {{sa, tw, tw, cl}},  // time_wait
            {{sa, cl, cl, cl}},  // close
            {{sa, cw, cw, cl}},  // close_wait
            {{sa, la, cl, la}},  // last_ack
            {{sa, li, li, li}},  // listen
            {{sa, tw, es, cl}},  // synack
        }},
    }},
}};

}  // namespace

TcpState next(TcpState state, Passage direction, uint8_t flags, TcpTable table) {
  Event event = on_ack;
  if ((flags & wire::tcp_flag::rst) != 0) {
    event = on_rst;
  } else if ((flags & wire::tcp_flag::syn) != 0) {
    event = on_syn;
  } else if ((flags & wire::tcp_flag::fin) != 0) {
    event = on_fin;
  } else if ((flags & wire::tcp_flag::ack) == 0) {
    return TcpState::close;
  }
  const Transitions& transitions = tables[static_cast<size_t>(table)][static_cast<size_t>(direction)];
  return transitions[static_cast<size_t>(state)].after[event];
}

std::string_view name(TcpState state) {
  return names[static_cast<size_t>(state)];
}

bool is_active(TcpState state) {
  return state == TcpState::established || state == TcpState::syn_sent || state == TcpState::syn_recv ||
         state == TcpState::synack;
}

bool begins_connection(uint8_t flags, bool sloppy) {
  return (flags & wire::tcp_flag::rst) == 0 && (sloppy || (flags & wire::tcp_flag::syn) != 0);
}

bool is_reusable(TcpState state, unsigned conn_reuse_mode, bool one_way) {
  if (conn_reuse_mode == 0) return false;
  return state == TcpState::time_wait || state == TcpState::close ||
         ((conn_reuse_mode & 2) != 0 && state == TcpState::fin_wait && one_way);
}

bool is_half_open(TcpState state) {
  return state == TcpState::syn_recv || state == TcpState::synack;
}

}  // namespace sluice::director
