// SPDX-License-Identifier: Apache-2.0
#include "decap/agent.h"

#include "decap/tun_port.h"
#include "decap/tunnel_port.h"
#include "wire/protocol.h"

namespace sluice::decap {

namespace {

constexpr director::PortId device_number = 0;

}  // namespace

Agent::Agent(AgentOptions options) : options_(std::move(options)), counter_words_(engine::layout::block_stride) {}

bool Agent::open(host::Failure& failure) {
  Ports ports;
  // The device comes first: if the name is taken, another agent runs, and this one must not take its packets.
  auto device = std::make_unique<TunPort>();
  if (!device->open(options_.device, options_.addresses, failure)) return false;
  device_ = device.get();
  ports.push_back(std::move(device));
  if (!open_tunnels(ports, failure)) {
    device_ = nullptr;
    return false;
  }
  work_.emplace(device_number, options_.addresses);
  engine::WorkerOptions options;
  options.name = "decap";
  worker_ =
      std::make_unique<engine::Worker>(options, std::move(ports), *work_, engine::CounterBlock(counter_words_, 0));
  if (!worker_->is_ready()) {
    return host::fail(failure, "cannot make an eventfd (raise the limit of open files, `ulimit -n`)");
  }
  worker_->start();
  return true;
}

bool Agent::open_tunnels(Ports& ports, host::Failure& failure) {
  std::vector<TunnelSocketOptions> wanted;
  for (const auto family : {wire::Family::ipv4, wire::Family::ipv6}) {
    const auto want = [&](uint8_t protocol) {
      wanted.push_back({family, protocol, options_.gue_port, options_.interface});
    };
    if (options_.ipip) want(wire::protocol::ipip);
    if (options_.ipip) want(wire::protocol::ipv6);
    if (options_.gre) want(wire::protocol::gre);
    if (options_.gue_port != 0) want(wire::protocol::udp);
  }
  const auto buffers = std::make_shared<ReceiveBuffers>();
  for (const TunnelSocketOptions& one : wanted) {
    auto tunnel = std::make_unique<TunnelPort>(buffers);
    if (tunnel->open(one, failure)) {
      ports.push_back(std::move(tunnel));
    } else if (one.family != wire::Family::ipv6 || failure.error != EAFNOSUPPORT) {
      return false;
    }
    // A host without IPv6 receives no packets in tunnels over IPv6.
  }
  return true;
}

void Agent::close() {
  if (!worker_) return;
  worker_->stop();
  look();
  device_ = nullptr;
  worker_.reset();
}

const Agent::Report& Agent::look() {
  if (!worker_) return report_;
  engine::Worker::Visit visit(*worker_);
  const auto ports = visit.port_statistics();
  report_ = {.counts = work_->counts(), .is_device_lost = device_->is_lost()};
  const auto count = [this](Reason reason) -> uint64_t& { return report_.counts[static_cast<size_t>(reason)]; };
  count(Reason::refused) = ports[device_number].send_failures;
  count(Reason::delivered) -= ports[device_number].send_failures;
  for (const port::PortStatistics& port : ports) {
    count(Reason::bad_outer_header) += port.unreadable;
    report_.overflows += port.kernel_drops;
  }
  return report_;
}

}  // namespace sluice::decap
