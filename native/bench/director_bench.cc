// SPDX-License-Identifier: Apache-2.0
// Cost of the whole director, from a frame in memory to a frame in the transmit queue. Prints one line of JSON per
// figure.
//
//   director_bench established [OPTION…]   time per packet of known flows, in random order, from both sides
//   director_bench instructions [OPTION…]  packets for callgrind to count; prints their number:
//     valgrind --tool=callgrind --toggle-collect='*MemoryPort*::pass(*' director_bench instructions packets=known
//   director_bench open [OPTION…]          new flows per second, and their memory
//   director_bench expire [OPTION…]        the pauses while flows end that are all due at once
//   director_bench scale                   a packet with few and many services, and few and many real servers
//   director_bench edit                    one change among 10,000 services while flows go on
//
//   mode=nat|fullnat|dr|tunnel  family=4|6  protocol=tcp|udp  flows=N  services=N  servers=N  scheduler=NAME
//   side=both|client|server  packets=known|first
//
// Measures the thread's CPU time inside receive_batch() with batches of 32, without filling the frames. Frames are in
// the CPU's cache, as a NIC leaves them. Prints medians, because the machine may be shared.
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "memory_port.h"

namespace {

using namespace sluice;
using namespace sluice::bench;

constexpr uint32_t ring = 1024;  // frames that are filled and passed between two readings of the clock
constexpr Time start = 2 * second;
constexpr uint32_t expiry_budget = 256;

struct Options {
  FarmOptions farm;
  uint32_t flows = 1000;
  bool is_v4 = true;
  std::string mode = "nat", side = "both", packets = "known";
};

void print(const std::string& figure, double value, const char* unit) {
  std::printf("{\"figure\":\"%s\",\"value\":%.2f,\"unit\":\"%s\"}\n", figure.c_str(), value, unit);
  std::fflush(stdout);
}

double median(std::vector<double>& values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// Memory of this process, in bytes.
double resident() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  unsigned long size = 0, pages = 0;
  if (file == nullptr || std::fscanf(file, "%lu %lu", &size, &pages) != 2) std::abort();
  std::fclose(file);
  return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

std::string described(const Options& options) {
  std::string text = options.mode + " ipv" + (options.is_v4 ? "4 " : "6 ");
  return text + (options.farm.protocol == wire::protocol::tcp ? "tcp" : "udp");
}

// A packet of a flow as it arrives.
template <class A>
struct Arrival {
  Endpoints<A> endpoints;
  bool from_client;
};

// A director with flows, and packets of these flows.
template <class A>
class Traffic {
 public:
  explicit Traffic(const Options& options)
      : options_(options), director_(make_farm<A>(options.farm)), port_(options.farm.protocol, ring) {}

  // Opens every flow with the first packets of its connection, one at a time: pass() is only for what is measured.
  void establish() {
    for (uint32_t i = 0; i < options_.flows; ++i) {
      const Endpoints<A> client = client_endpoints<A>(options_.farm, i);
      one(client, true, wire::tcp_flag::syn);
      if (options_.farm.protocol != wire::protocol::tcp) continue;
      if (has_replies()) one(reply_to(client), false, wire::tcp_flag::syn | wire::tcp_flag::ack);
      one(client, true, wire::tcp_flag::ack);
    }
  }

  // Draws `count` packets of random flows.
  void draw(uint32_t count) {
    std::mt19937_64 random(1);
    arrivals_.clear();
    for (uint32_t i = 0; i < count; ++i) {
      const uint64_t number = random();
      const Endpoints<A> client =
          client_endpoints<A>(options_.farm, static_cast<uint32_t>((number >> 32) % options_.flows));
      const bool from_client =
          !has_replies() || options_.side == "client" || (options_.side == "both" && (number & 1) != 0);
      arrivals_.push_back({from_client ? client : reply_to(client), from_client});
    }
  }

  // Passes the drawn packets and returns the time per packet.
  double pass() {
    double spent = 0;
    for (size_t at = 0; at < arrivals_.size(); at += ring) {
      const auto count = static_cast<uint32_t>(std::min<size_t>(ring, arrivals_.size() - at));
      for (uint32_t i = 0; i < count; ++i) {
        port_.fill(i, arrivals_[at + i].endpoints, arrivals_[at + i].from_client, wire::tcp_flag::ack);
      }
      const double from = thread_nanoseconds();
      port_.pass(*director_, count, now_);
      spent += thread_nanoseconds() - from;
      port_.check(count);
      now_ += 1000;
    }
    return spent / static_cast<double>(arrivals_.size());
  }

  // Opens the flows [from, to) in batches and returns the time per flow.
  double open(uint32_t from, uint32_t to) {
    double spent = 0;
    for (uint32_t at = from; at < to; at += ring) {
      const uint32_t count = std::min(ring, to - at);
      for (uint32_t i = 0; i < count; ++i) {
        port_.fill(i, client_endpoints<A>(options_.farm, at + i), true, wire::tcp_flag::syn);
      }
      const double began = thread_nanoseconds();
      port_.pass(*director_, count, now_);
      spent += thread_nanoseconds() - began;
      port_.check(count);
    }
    return spent / (to - from);
  }

  Director& director() { return *director_; }

 private:
  bool has_replies() const {
    return options_.farm.forwarding == Forwarding::nat || options_.farm.forwarding == Forwarding::fullnat;
  }
  void one(const Endpoints<A>& endpoints, bool from_client, uint8_t flags) {
    port_.fill(0, endpoints, from_client, flags);
    if (port_.pass_one(*director_, 0, now_).verdict() != Verdict::forward) std::abort();
  }
  Endpoints<A> reply_to(const Endpoints<A>& client) {
    const auto found = director_->flows<A>().table().find({client, options_.farm.protocol});
    if (!found) std::abort();
    return found.flow->reverse;
  }

  const Options options_;
  std::unique_ptr<Director> director_;
  MemoryPort<A> port_;
  std::vector<Arrival<A>> arrivals_;
  Time now_ = start;
};

template <class A>
void established(const Options& options) {
  constexpr uint32_t packets = 1 << 20;
  constexpr int rounds = 5;
  Traffic<A> traffic(options);
  traffic.establish();
  traffic.draw(packets);
  std::vector<double> costs;
  traffic.pass();
  for (int round = 0; round < rounds; ++round) costs.push_back(traffic.pass());
  print("established, " + described(options) + ", " + std::to_string(options.flows) + " flows", median(costs),
        "ns a packet");
}

// callgrind counts all that goes through MemoryPort::pass(): packets of known flows, or packets that open flows.
template <class A>
void instructions(const Options& options) {
  constexpr uint32_t packets = 1 << 15;
  Traffic<A> traffic(options);
  traffic.establish();
  if (options.packets == "first") {
    traffic.open(options.flows, options.flows + packets);
  } else {
    traffic.draw(packets);
    traffic.pass();
  }
  print(options.packets + ", " + described(options) + ", " + options.side, packets, "packets");
}

template <class A>
void open(const Options& options) {
  constexpr int rounds = 3;
  std::vector<double> costs;
  double bytes = 0;
  for (int round = 0; round < rounds; ++round) {
    Traffic<A> traffic(options);
    const uint32_t warm = std::min(options.flows / 10, ring);
    traffic.open(0, warm);
    const double before = resident();
    costs.push_back(traffic.open(warm, options.flows));
    bytes = (resident() - before) / (options.flows - warm);
  }
  const std::string what = described(options) + ", " + std::string(options.farm.scheduler) + ", " +
                           std::to_string(options.farm.servers) + " servers";
  print("new flows, " + what, 1000 / median(costs), "million a second");
  print("memory, " + described(options) + ", " + std::to_string(options.flows) + " flows", bytes, "bytes a flow");
}

// Does the same steps three times. A step that takes long each time is slow because of the director; if it takes long
// only once, an interrupt or another process was the reason.
template <class A>
void expire(const Options& options) {
  std::vector<double> calls;
  double whole = 1e18;
  for (int round = 0; round < 3; ++round) {
    Traffic<A> traffic(options);
    traffic.open(0, options.flows);
    double total = 0;
    bool done = false;
    director::TransmitQueue out;
    for (size_t call = 0; !done; ++call) {
      const double from = thread_nanoseconds();
      done = traffic.director().advance(start + 1000 * second, expiry_budget, out);
      const double cost = thread_nanoseconds() - from;
      total += cost;
      if (call == calls.size()) calls.push_back(cost);
      calls[call] = std::min(calls[call], cost);
    }
    whole = std::min(whole, total);
    if (traffic.director().template flows<A>().table().size() != 0) std::abort();
  }
  const std::string what = "expiry of " + std::to_string(options.flows) + " flows";
  print(what, whole / options.flows, "ns a flow");
  print(what + ", worst pause", *std::ranges::max_element(calls) / 1000, "us");
}

// Measures alternately, so that both meet the same disturbances.
template <class A>
void compare(const Options& small, const Options& large, const std::string& what) {
  constexpr uint32_t packets = 1 << 18;
  constexpr int rounds = 9;
  Traffic<A> few(small), many(large);
  few.establish();
  many.establish();
  few.draw(packets);
  many.draw(packets);
  std::vector<double> few_costs, many_costs;
  for (int round = 0; round < rounds; ++round) {
    few_costs.push_back(few.pass());
    many_costs.push_back(many.pass());
  }
  const double before = median(few_costs), after = median(many_costs);
  print(what + ", few", before, "ns a packet");
  print(what + ", many", after, "ns a packet");
  print(what, after / before, "times the cost");
}

template <class A>
void scale(Options options) {
  options.flows = 20'000;
  Options many = options;
  options.farm.services = 1;
  many.farm.services = 10'000;
  compare<A>(options, many, "1 and 10000 services of 10 servers");
  many = options;
  many.farm.servers = 1000;
  compare<A>(options, many, "10 and 1000 real servers");
}

template <class A>
void edit(Options options) {
  options.flows = 1'000'000;
  options.farm.services = 10'000;
  Traffic<A> traffic(options);
  traffic.open(0, options.flows);
  ServiceTable& services = traffic.director().services();
  const uint32_t middle = options.farm.services / 2;
  const ServiceKey key = service_key<A>(options.farm, middle);
  const uint32_t server = middle * options.farm.servers + 3;
  const auto measure = [&](const char* what, auto change) {
    const double from = thread_nanoseconds();
    if (change() != EditResult::done) std::abort();
    print(std::string("one of 10000 services, 1000000 flows: ") + what, (thread_nanoseconds() - from) / 1000, "us");
  };
  const auto settings = server_settings<A>(options.farm, server, 5);
  ServiceSettings other;
  other.scheduler = "mh";
  ServiceKey added = key;
  added.port = 443;
  measure("a weight", [&] { return services.edit_destination(key, settings); });
  measure("a server leaves",
          [&] { return traffic.director().remove_destination(key, settings.address, settings.port); });
  measure("a server joins", [&] { return services.add_destination(key, settings); });
  measure("another scheduler", [&] { return services.edit_service(key, other); });
  measure("a service more", [&] { return services.add_service(added, other); });
  measure("a service less", [&] { return traffic.director().remove_service(key); });
}

template <class A>
int run(std::string_view command, const Options& options) {
  if (command == "established") {
    established<A>(options);
  } else if (command == "instructions") {
    instructions<A>(options);
  } else if (command == "open") {
    open<A>(options);
  } else if (command == "expire") {
    expire<A>(options);
  } else if (command == "scale") {
    scale<A>(options);
  } else if (command == "edit") {
    edit<A>(options);
  } else {
    return 2;
  }
  return 0;
}

bool set_mode(Options& options, std::string_view mode) {
  constexpr std::pair<std::string_view, Forwarding> modes[] = {{"nat", Forwarding::nat},
                                                               {"fullnat", Forwarding::fullnat},
                                                               {"dr", Forwarding::dr},
                                                               {"tunnel", Forwarding::tunnel}};
  options.mode = mode;
  for (const auto& [name, forwarding] : modes) {
    if (name != mode) continue;
    options.farm.forwarding = forwarding;
    return true;
  }
  return false;
}

bool set(Options& options, std::string_view name, const char* value) {
  const auto number = static_cast<uint32_t>(std::strtoul(value, nullptr, 10));
  if (name == "mode") return set_mode(options, value);
  if (name == "side")
    options.side = value;
  else if (name == "packets")
    options.packets = value;
  else if (name == "family")
    options.is_v4 = number == 4;
  else if (name == "protocol")
    options.farm.protocol = std::string_view(value) == "udp" ? wire::protocol::udp : wire::protocol::tcp;
  else if (name == "flows")
    options.flows = number;
  else if (name == "services")
    options.farm.services = number;
  else if (name == "servers")
    options.farm.servers = number;
  else if (name == "scheduler")
    options.farm.scheduler = value;
  else
    return false;
  return number != 0 || name == "side" || name == "packets" || name == "protocol" || name == "scheduler";
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  bool understood = argc > 1;
  for (int i = 2; i < argc && understood; ++i) {
    const std::string_view word = argv[i];
    const size_t equals = word.find('=');
    understood = equals != std::string_view::npos && set(options, word.substr(0, equals), argv[i] + equals + 1);
  }
  const std::string_view command = argc > 1 ? argv[1] : "";
  const int status = !understood     ? 2
                     : options.is_v4 ? run<wire::Ipv4Address>(command, options)
                                     : run<wire::Ipv6Address>(command, options);
  if (status == 2) std::fprintf(stderr, "see the beginning of native/bench/director_bench.cc\n");
  return status;
}
