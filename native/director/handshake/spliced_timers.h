// SPDX-License-Identifier: Apache-2.0
// Timers of spliced flows: they repeat what a real server has not answered.
#pragma once

#include <optional>

#include "director/handshake/proxy_protocol.h"
#include "director/handshake/syn_proxy.h"

namespace sluice::director {

class SplicedTimers {
 public:
  SplicedTimers(FlowKeepers flows, SplicedFlows& spliced, SynHandshake& syn_proxy, ProxyProtocol& proxy_protocol)
      : flows_(flows), spliced_(spliced), syn_proxy_(syn_proxy), proxy_protocol_(proxy_protocol) {}

  // The next time at which something will be sent again, if nothing happens before.
  std::optional<Time> next_timer() const;
  // Repeats what is due, for at most `budget` flows. False if more is due.
  bool repeat_unanswered(Time now, uint32_t budget, TransmitQueue& out);

 private:
  template <class A>
  void repeat_to_server(SplicedFlow& spliced, Time now, TransmitQueue& out);

  FlowKeepers flows_;
  SplicedFlows& spliced_;
  SynHandshake& syn_proxy_;
  ProxyProtocol& proxy_protocol_;
};

}  // namespace sluice::director
