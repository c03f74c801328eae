// SPDX-License-Identifier: Apache-2.0
#include "host/tunnel_egress.h"

#include "bpf/tunnel.generated.h"
#include "host/bpf.h"

namespace sluice::host {

bool TunnelEgress::add(uint32_t interface, Failure& failure) {
  if (!program_ && !load_program(bpf::tunnel, BPF_PROG_TYPE_SCHED_CLS, {}, program_, failure)) return false;
  Descriptor link;
  if (!link_at_egress(program_.get(), interface, link, failure)) return false;
  links_.insert_or_assign(interface, std::move(link));
  return true;
}

}  // namespace sluice::host
