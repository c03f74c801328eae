// SPDX-License-Identifier: Apache-2.0
// A forwarder without logic between two interfaces: the limit of packet sockets. Needs root. Everything happens in
// network namespaces of its own, on veth pairs:
//
//   generator g0 ── f0 forwarder f1 ── s0 sink
//
//   bare_forwarder_bench rate [OPTION…]     60-byte UDP as fast as possible, from a thread on another core
//   bare_forwarder_bench drain [OPTION…]    the forwarder's CPU time per packet: bursts of half a ring from another
//   core bare_forwarder_bench latency [OPTION…]  ping through an otherwise idle forwarder, and through the kernel's
//   forwarding
//
//   seconds=N  batch=N  slots=N  transmit_slots=N (0: sendmmsg)  spin=MICROSECONDS  size=BYTES
//
// Prints one line of JSON per figure. Times are CPU time of the forwarding thread. On veth they include the sink's
// receive path up to where its host drops the packet.
#include <arpa/inet.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <map>
#include <string_view>
#include <thread>
#include <vector>

#include "bench/bare_forwarder.h"
#include "port/packet_ring.h"
#include "test/port/private_network.h"
#include "wire/bytes.h"
#include "wire/checksum.h"

namespace {

using namespace sluice;
using namespace sluice::port;
using Clock = std::chrono::steady_clock;

constexpr uint8_t g0_mac[] = {2, 0, 0, 0, 0, 1}, f0_mac[] = {2, 0, 0, 0, 0, 2};
constexpr uint8_t f1_mac[] = {2, 0, 0, 0, 0, 3}, s0_mac[] = {2, 0, 0, 0, 0, 4}, nobody_mac[] = {2, 0, 0, 0, 0, 5};

std::map<std::string, uint32_t, std::less<>> options{{"seconds", 3},           {"batch", 32}, {"slots", 2048},
                                                     {"transmit_slots", 1024}, {"spin", 0},   {"size", 60}};

void print(const std::string& figure, double value, const char* unit) {
  std::printf("{\"figure\":\"%s\",\"value\":%.3f,\"unit\":\"%s\"}\n", figure.c_str(), value, unit);
  std::fflush(stdout);
}

double thread_nanoseconds() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

void pin(unsigned core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core % std::thread::hardware_concurrency(), &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

// The three hosts with links and addresses. The kernel in the middle forwards only if it is told to.
struct Hosts {
  NetworkNamespace generator, sink, middle;

  Hosts() {
    const auto run = NetworkNamespace::run;
    run("ip link add f0 address 02:00:00:00:00:02 type veth peer name g0 address 02:00:00:00:00:01 netns " +
        generator.path());
    run("ip link add f1 address 02:00:00:00:00:03 type veth peer name s0 address 02:00:00:00:00:04 netns " +
        sink.path());
    run("ip addr add 10.9.1.2/24 dev f0; ip addr add 10.9.2.2/24 dev f1; ip link set f0 up; ip link set f1 up");
    generator.enter();
    run("ip addr add 10.9.1.1/24 dev g0; ip link set g0 up; ip route add default via 10.9.1.2");
    sink.enter();
    run("ip addr add 10.9.2.1/24 dev s0; ip link set s0 up; ip route add default via 10.9.2.2");
    run("ip neigh add 10.9.2.2 lladdr 02:00:00:00:00:03 dev s0");
    generator.enter();
    run("ip neigh add 10.9.1.2 lladdr 02:00:00:00:00:02 dev g0");
    middle.enter();
    run("ip neigh add 10.9.1.1 lladdr 02:00:00:00:00:01 dev f0; ip neigh add 10.9.2.1 lladdr 02:00:00:00:00:04 dev f1");
  }
  void kernel_forwards(bool does) const {
    middle.enter();
    write_file("/proc/sys/net/ipv4/ip_forward", does ? "1" : "0");
  }
};

BareForwarderOptions forwarder_options() {
  return {.receive_slots = options["slots"],
          .transmit_slots = options["transmit_slots"],
          .batch = options["batch"],
          .spin_microseconds = options["spin"]};
}

// `to_sink`: the destination of frames for the sink. A host drops a frame for nobody before it reads its contents.
std::array<BareForwarder::Side, 2> sides(const uint8_t* to_sink) {
  return {{{"f0", f0_mac, g0_mac}, {"f1", f1_mac, to_sink}}};
}

// Sends the same UDP packet repeatedly.
class Generator {
 public:
  Generator() : memory_(director::required_headroom + options["size"]) {
    open_or_exit(
        ring_,
        {.interface = "g0", .port = 0, .receive_slots = options["slots"], .transmit_slots = options["transmit_slots"]});
    uint8_t* const at = memory_.data() + director::required_headroom;
    frame_.data = at;
    frame_.length = options["size"];
    std::memcpy(at, f0_mac, 6);
    std::memcpy(at + 6, g0_mac, 6);
    wire::store_be16(at + 12, 0x0800);
    const auto length = static_cast<uint16_t>(frame_.length - 14);
    uint8_t* const ip = at + 14;
    ip[0] = 0x45;
    wire::store_be16(ip + 2, length);
    ip[8] = 64;
    ip[9] = IPPROTO_UDP;
    inet_pton(AF_INET, "10.9.1.1", ip + 12);
    inet_pton(AF_INET, "10.9.2.1", ip + 16);
    wire::store_raw16(ip + 10, wire::internet_checksum({ip, 20}));
    wire::store_be16(ip + 20, 5000);
    wire::store_be16(ip + 22, 9);
    wire::store_be16(ip + 24, static_cast<uint16_t>(length - 20));
  }
  void send(uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) ring_.transmit(frame_);
    ring_.flush();
  }

 private:
  std::vector<uint8_t> memory_;
  director::Frame frame_;
  PacketRing ring_;
};

uint64_t sink_packets(const Hosts& hosts) {
  hosts.sink.enter();
  std::ifstream file("/proc/thread-self/net/dev");
  for (std::string line; std::getline(file, line);) {
    unsigned long long bytes = 0, packets = 0;
    if (std::sscanf(line.c_str(), " s0: %llu %llu", &bytes, &packets) == 2) return packets;
  }
  return 0;
}

void rate() {
  const Hosts hosts;
  BareForwarder forwarder(sides(nobody_mac), forwarder_options());
  std::atomic<bool> ends = false;
  double spent = 0;
  std::thread forwarding([&] {
    pin(1);
    const double before = thread_nanoseconds();
    forwarder.run(ends);
    spent = thread_nanoseconds() - before;
  });
  std::thread generating([&] {
    pin(0);
    hosts.generator.enter();
    Generator generator;
    while (!ends) generator.send(64);
  });
  const auto began = Clock::now();
  std::this_thread::sleep_for(std::chrono::seconds(options["seconds"]));
  ends = true;
  const double elapsed = std::chrono::duration<double>(Clock::now() - began).count();
  generating.join();
  forwarding.join();
  const auto arrived = static_cast<double>(sink_packets(hosts));
  const PortStatistics received = forwarder.ring(0).statistics(), sent = forwarder.ring(1).statistics();
  print("packets forwarded", arrived / elapsed / 1e6, "million a second");
  print("packets forwarded a second of CPU time", arrived / spent * 1e3, "million");
  print("CPU time of the forwarder", spent / elapsed / 1e9, "of a core");
  print("packets that found the ring full", static_cast<double>(received.kernel_drops) / elapsed / 1e6,
        "million a second");
  print("packets that could not be sent", static_cast<double>(sent.send_failures), "packets");
}

// Another core fills half of the ring, then this core empties it. They take turns, so that other work on the machine
// does not show.
void drain() {
  const Hosts hosts;
  BareForwarder forwarder(sides(nobody_mac), forwarder_options());
  enum Turn : int { fill, empty, end };
  std::atomic<int> turn = empty;
  std::thread generating([&] {
    pin(0);
    hosts.generator.enter();
    Generator generator;
    for (;;) {
      turn.wait(empty);
      if (turn == end) return;
      generator.send(options["slots"] / 2);
      turn = empty;
      turn.notify_one();
    }
  });
  pin(1);
  std::vector<double> costs;
  const auto began = Clock::now();
  while (Clock::now() - began < std::chrono::seconds(options["seconds"])) {
    turn = fill;
    turn.notify_one();
    turn.wait(fill);
    const double before = thread_nanoseconds();
    size_t total = 0;
    for (size_t count; (count = forwarder.pass()) != 0;) total += count;
    if (total != 0) costs.push_back((thread_nanoseconds() - before) / static_cast<double>(total));
  }
  turn = end;
  turn.notify_one();
  generating.join();
  std::ranges::sort(costs);
  print("CPU time of a packet, median of bursts", costs[costs.size() / 2], "ns");
  print("CPU time of a packet, best tenth of bursts", costs[costs.size() / 10], "ns");
}

// The median round trip of ping, in milliseconds.
double ping(const Hosts& hosts) {
  hosts.generator.enter();
  std::FILE* const pipe = ::popen("ping -c 100 -i 0.02 10.9.2.1", "r");
  std::vector<double> times;
  char line[256];
  while (pipe != nullptr && std::fgets(line, sizeof line, pipe) != nullptr) {
    const char* const time = std::strstr(line, "time=");
    if (time != nullptr) times.push_back(std::strtod(time + 5, nullptr));
  }
  if (pipe == nullptr || ::pclose(pipe) != 0 || times.empty()) {
    std::fprintf(stderr, "ping got no answer\n");
    std::exit(1);
  }
  std::ranges::sort(times);
  return times[times.size() / 2];
}

void latency() {
  const Hosts hosts;
  hosts.kernel_forwards(true);
  print("ping round trip, kernel", ping(hosts), "ms");
  hosts.kernel_forwards(false);
  BareForwarder forwarder(sides(s0_mac), forwarder_options());
  std::atomic<bool> ends = false;
  double spent = 0, idle = 0;
  std::thread forwarding([&] {
    const double before = thread_nanoseconds();
    forwarder.run(ends);
    spent = thread_nanoseconds() - before;
    ends = false;
    const double rest = thread_nanoseconds();
    while (!ends) forwarder.run(ends);
    idle = thread_nanoseconds() - rest;
  });
  print("ping round trip, forwarder", ping(hosts), "ms");
  ends = true;
  while (ends) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::seconds(options["seconds"]));
  ends = true;
  forwarding.join();
  print("CPU time of a ping forwarded there and back", spent / 100e3, "us");
  print("CPU time of the idle forwarder", idle / options["seconds"] / 1e9 * 100, "% of a core");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  bool understood = command == "rate" || command == "drain" || command == "latency";
  for (int i = 2; i < argc; ++i) {
    const std::string_view word = argv[i];
    const size_t equals = std::min(word.find('='), word.size());
    const auto option = options.find(word.substr(0, equals));
    if (option == options.end() || equals == word.size())
      understood = false;
    else
      option->second = static_cast<uint32_t>(std::strtoul(word.data() + equals + 1, nullptr, 10));
  }
  if (!understood) {
    std::fprintf(stderr, "see the beginning of native/bench/bare_forwarder_bench.cc\n");
    return 2;
  }
  if (!can_make_networks()) return 1;
  if (command == "rate")
    rate();
  else if (command == "drain")
    drain();
  else
    latency();
  return 0;
}
