// SPDX-License-Identifier: Apache-2.0
// The work of a tunnel exit's worker: it unwraps packets from the tunnels' ports (decapsulate.h) and transmits the
// inner packets by the port of the TUN device.
#pragma once

#include <array>
#include <vector>

#include "decap/decapsulate.h"
#include "engine/work.h"

namespace sluice::decap {

class DecapWork final : public engine::Work {
 public:
  // `device`: the number of the TUN device's port. `addresses`: the allowed destinations of inner packets; empty: all.
  DecapWork(director::PortId device, std::vector<wire::Address> addresses)
      : device_(device), addresses_(std::move(addresses)) {}

  void receive(std::span<director::Frame> batch, const Turn& turn) override;
  bool advance(const Turn&) override { return true; }
  bool publish(Time, engine::CounterBlock&) override { return true; }
  Time due() const override { return UINT64_MAX; }
  void finish(engine::CounterBlock&) override {}

  // For visitors: the number of packets by reason. A packet counts as delivered when the device is given it, although
  // the host may still refuse it.
  using Counts = std::array<uint64_t, reason_count>;
  const Counts& counts() const { return counts_; }

 private:
  void take(const Arrived& arrived, const Turn& turn);

  const director::PortId device_;
  const std::vector<wire::Address> addresses_;
  Counts counts_{};
};

}  // namespace sluice::decap
