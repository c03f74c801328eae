// SPDX-License-Identifier: Apache-2.0
// rendezvous: highest random weight hashing (Thaler, Ravishankar 1998), weighted. Not one of the kernel's.
//
// For each client every server draws a number u in (0, 1] from the hash of both, and the server with the largest weight
// / -ln(u) wins. Each wins with a probability exactly in proportion to its weight. If a server leaves, joins or changes
// its weight, only the clients that it loses or gains move, and there is no table. The price is one draw per server for
// every new flow: some 2 ns each.
//
// Logarithms are in fixed point, from a table made by integer arithmetic, so they are the same on every machine.
// Unusable servers do not take part. The client's port is hashed with flag 2, as in mh-port.
#include <array>
#include <bit>

#include "director/services/schedulers/make.h"
#include "director/services/schedulers/mix.h"
#include "director/services/schedulers/reasons.h"

namespace sluice::director::schedulers {
namespace {

constexpr unsigned fraction_bits = 24;  // of a logarithm
constexpr unsigned table_bits = 10;     // 1024 steps with straight lines in between: the error is below 2^-23

// log2(1 + i/1024) * 2^24 for i = 0 … 1024, bit by bit: a number whose square reaches 2 has the next bit set.
constexpr auto logarithms = [] {
  std::array<uint32_t, (1u << table_bits) + 1> table{};
  for (uint64_t i = 0; i < 1u << table_bits; i++) {
    uint64_t x = ((1u << table_bits) + i) << (31 - table_bits);  // in [1, 2) as 2^31 … 2^32
    uint32_t log = 0;
    for (unsigned bit = 0; bit < fraction_bits; bit++) {
      x = x * x >> 31;
      log <<= 1;
      if (x >> 32) {
        log |= 1;
        x >>= 1;
      }
    }
    table[i] = log;
  }
  table[1u << table_bits] = 1u << fraction_bits;
  return table;
}();

// -log2(u) * 2^24 for u = (lot + 1) / 2^64. Never 0, because it is a divisor.
constexpr uint64_t minus_log2(uint64_t lot) {
  const unsigned zeros = static_cast<unsigned>(std::countl_zero(lot | 1));
  const uint64_t mantissa = (lot | 1) << zeros << 1;  // what follows the leading one, as a fraction of 2^64
  const size_t i = mantissa >> (64 - table_bits);
  const uint64_t within = (mantissa >> (64 - table_bits - 16)) & 0xffff;
  const uint64_t log = logarithms[i] + ((logarithms[i + 1] - logarithms[i]) * within >> 16);
  return (uint64_t{zeros + 1} << fraction_bits) - log;
}

class Rendezvous final : public Scheduler {
 public:
  explicit Rendezvous(const SchedulerContext& context) : destinations_(context.destinations), flags_(context.flags) {
    destinations_changed(nullptr);
  }

  Destination* pick(const ScheduleRequest& request, Trace* trace) override {
    const uint16_t port = (flags_ & flag_2) != 0 ? request.client_port : 0;
    const uint64_t key = hash_endpoint(request.client, port);
    if (trace != nullptr) {
      trace->say("client %s port %u hashes to %016llx", wire::to_string(request.client).c_str(), port,
                 static_cast<unsigned long long>(key));
    }
    ServerLines lines(trace);
    size_t best = servers_.size();
    uint64_t best_weight = 0, best_log = 1, best_name = 0;
    for (size_t i = 0; i < servers_.size(); i++) {
      const Server& server = servers_[i];
      const uint64_t log = minus_log2(mix(key ^ server.name));
      const uint64_t mine = server.weight * best_log, others = best_weight * log;
      const bool higher = mine > others || (mine == others && server.name < best_name);
      if (!higher && trace == nullptr) continue;  // most servers are not read at all
      if (!destinations_[i]->is_usable()) {
        lines.pass_by(*destinations_[i]);
        continue;
      }
      if (Trace* line = lines.next()) {
        line->say("%s: weight %u / %.4f = %.4f%s", name_of(*destinations_[i]).c_str(), server.weight, log_of(log),
                  server.weight / log_of(log), higher ? ", highest so far" : "");
      }
      if (!higher) continue;
      best = i;
      best_weight = server.weight;
      best_log = log;
      best_name = server.name;
    }
    return decide(trace, "rendezvous", best < servers_.size() ? destinations_[best] : nullptr, lines);
  }

  void destinations_changed(const Destination*) override {
    servers_.clear();
    for (const Destination* d : destinations_) {
      servers_.push_back({hash_endpoint(d->address, d->port), d->weight > 0 ? static_cast<uint32_t>(d->weight) : 0});
    }
  }

 private:
  struct Server {
    uint64_t name;
    uint32_t weight;
  };
  static double log_of(uint64_t fixed) { return static_cast<double>(fixed) / (1u << fraction_bits); }

  const Destinations& destinations_;
  const uint8_t flags_;
  std::vector<Server> servers_;  // in the order of the list
};

}  // namespace

std::unique_ptr<Scheduler> make_rendezvous(SchedulerContext context) {
  return std::make_unique<Rendezvous>(context);
}

}  // namespace sluice::director::schedulers
