// SPDX-License-Identifier: Apache-2.0
// Directors that are killed at random instants, and directors that restore their flows.
//
// A child works in memory files until SIGKILL ends it anywhere: within a record, within a change of a list, or between
// the two. A director in this process restores from the files. The restored flows must accept packets and end, as all
// flows do. The fixture checks after every packet that all counts agree.
//
// The environment variable SLUICE_DEEP sets how many children are killed. SLUICE_DEEP_SEED repeats the choices of a
// run, but not the instants.
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <cstdlib>
#include <functional>

#include "engine/crash_state.h"
#include "engine/worker_files.h"
#include "test/director/fixture.h"

using namespace sluice;
using namespace sluice::test;
using engine::CrashState;

namespace {

constexpr unsigned long usual_kills = 40;
constexpr int longest_life = 3000;  // microseconds from the child's first packet on
constexpr uint16_t client_ports = 200;
constexpr std::string_view local4 = "10.0.2.200", local6 = "2001:db8:2::200";

unsigned long from_environment(const char* name, unsigned long otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoul(text, nullptr, 10);
}

void configure(Fixture& f) {
  using enum director::Forwarding;
  f.set_pool(1, {local4, local6}, 40000, 40255);
  const auto add = [&](const director::ServiceKey& key, director::Forwarding mode,
                       const std::function<void(director::ServiceSettings&)>& change) {
    director::ServiceSettings settings;
    settings.pool = 1;
    change(settings);
    f.add(key, settings);
    const bool is_ipv4 = key.address.family == wire::Family::ipv4;
    for (const std::string_view server :
         {is_ipv4 ? server4 : server6, std::string_view(is_ipv4 ? "10.0.2.12" : "2001:db8:2::12")})
      f.add_server(key, server, key.port, {mode});
  };
  const auto plainly = [](director::ServiceSettings&) {};
  const auto persistently = [](director::ServiceSettings& settings) { settings.persistence = 60; };
  const auto with_header = [](director::ServiceSettings& settings) { settings.proxy_protocol = true; };
  const auto by_cookies = [](director::ServiceSettings& settings) { settings.syn_proxy = director::SynProxy::on; };
  for (const std::string_view vip : {vip4, vip6}) {
    add(tcp(vip, 80), nat, plainly);
    add(tcp(vip, 81), nat, persistently);
    add(tcp(vip, 82), fullnat, plainly);
    add(tcp(vip, 83), fullnat, with_header);
    add(tcp(vip, 84), nat, by_cookies);
    add(tcp(vip, 85), dr, plainly);
    add(tcp(vip, 86), tunnel, persistently);
    add(udp(vip, 53), nat, plainly);
  }
  f.director.set_egress({{address("10.0.2.0"), 24, 1}});
}

// A random client or server.
class Traffic {
 public:
  explicit Traffic(uint32_t seed) : random_(seed) {}

  Buffer next(Fixture& f) {
    const uint32_t dice = random_() % 8;
    if (dice < 5) return request();
    if (dice < 7) return answer(f);
    return outgoing();
  }

 private:
  uint8_t flags() {
    constexpr uint8_t all[] = {SYN, SYN, SYN, ACK, ACK, FIN | ACK, RST};
    return all[random_() % std::size(all)];
  }
  uint16_t client_port() { return static_cast<uint16_t>(1024 + random_() % client_ports); }

  Buffer request() {
    const bool is_ipv4 = random_() % 2 == 0;
    PacketBuilder packet = is_ipv4 ? from_client().ipv4({.source = client4, .destination = vip4})
                                   : from_client().ipv6({.source = client6, .destination = vip6});
    if (random_() % 8 == 0) return packet.udp({.source_port = client_port(), .destination_port = 53}).build();
    const auto service_port = static_cast<uint16_t>(80 + random_() % 7);
    return packet.tcp({.source_port = client_port(), .destination_port = service_port, .flags = flags()}).build();
  }
  Buffer outgoing() {
    return from_server()
        .ipv4({.source = server4, .destination = "198.51.100.7"})
        .udp({.source_port = client_port(), .destination_port = 53})
        .build();
  }
  // A packet of the real server of an existing flow.
  Buffer answer(Fixture& f) {
    Buffer packet = answer_of<wire::Ipv4Address>(f);
    if (packet.empty()) packet = answer_of<wire::Ipv6Address>(f);
    return packet.empty() ? request() : packet;
  }
  template <class A>
  Buffer answer_of(Fixture& f) {
    auto& table = f.director.flows<A>().table();
    if (table.span() == 0) return {};
    const uint32_t index = random_() % table.span();
    if (!table.is_live(index) || table.at(index).is_template()) return {};
    const director::Flow<A>& flow = table.at(index);
    const std::string from = wire::to_string(wire::Address(flow.reverse.source)),
                      to = wire::to_string(wire::Address(flow.reverse.destination));
    PacketBuilder packet = A::family == wire::Family::ipv4 ? from_server().ipv4({.source = from, .destination = to})
                                                           : from_server().ipv6({.source = from, .destination = to});
    const uint16_t from_port = flow.reverse.source_port, to_port = flow.reverse.destination_port;
    if (flow.protocol == wire::protocol::udp)
      return packet.udp({.source_port = from_port, .destination_port = to_port}).build();
    constexpr uint8_t all[] = {SYN | ACK, SYN | ACK, ACK, FIN | ACK};
    return packet
        .tcp({.source_port = from_port,
              .destination_port = to_port,
              .sequence = 7,
              .acknowledgement = 2,
              .flags = all[random_() % std::size(all)]})
        .build();
  }

  std::mt19937 random_;
};

director::DirectorOptions options_with(const engine::WorkerFiles& files, uint32_t seed) {
  director::DirectorOptions options = small_options();
  options.flow_limit = 1024;
  options.memory = files.of_director();
  options.random = seeded(seed);
  return options;
}

// Runs until it is killed. The checks of Fixture::receive() would take nearly all the time.
[[noreturn]] void work(const engine::WorkerFiles& files, uint32_t seed, int ready) {
  Fixture fixture(options_with(files, seed));
  configure(fixture);
  Traffic traffic(seed);
  std::vector<Buffer> rooms;
  for (uint64_t count = 0;; count++) {
    // The packets are built ahead, so that the kill interrupts the director.
    rooms.clear();
    for (int i = 0; i < 64; i++) {
      Buffer room(director::required_headroom);
      const Buffer bytes = traffic.next(fixture);
      room.insert(room.end(), bytes.begin(), bytes.end());
      rooms.push_back(std::move(room));
    }
    if (count == 0 && write(ready, "r", 1) != 1) _exit(1);
    for (int round = 0; round < 16; round++) {
      for (Buffer& room : rooms) {
        Buffer copy = room;
        director::Frame frame;
        frame.data = copy.data() + director::required_headroom;
        frame.length = static_cast<uint32_t>(copy.size() - director::required_headroom);
        frame.port = frame.data[4] == 0xc0 ? c0 : s0;
        director::TransmitQueue out;
        fixture.director.receive(frame, fixture.now, out);
        // A quarter of a second later: flows end while new ones begin.
        fixture.now += second / 4;
        director::TransmitQueue by_timers;
        fixture.director.advance(fixture.now, 100, by_timers);
      }
    }
  }
}

struct Sockets {
  int ends[2];
  Sockets() {
    host::Failure failure;
    REQUIRE(CrashState::make_sockets(ends, failure));
  }
  ~Sockets() {
    close(ends[0]);
    close(ends[1]);
  }
  CrashState crash_state() const { return CrashState(dup(ends[0]), dup(ends[1])); }
};

}  // namespace

TEST_CASE("a director that is killed at any instant leaves nothing that harms the next one") {
  const unsigned long kills = from_environment("SLUICE_DEEP", usual_kills);
  std::mt19937 chance(static_cast<uint32_t>(from_environment("SLUICE_DEEP_SEED", 1)));
  uint64_t restored_flows = 0, lost_flows = 0;
  for (unsigned long number = 0; number < kills; number++) {
    CAPTURE(number);
    const uint32_t seed = chance();
    const Sockets sockets;
    CrashState of_child = sockets.crash_state();
    engine::WorkerFiles files;
    host::Failure failure;
    REQUIRE(files.make(of_child, 0, failure));
    REQUIRE(of_child.take_over(failure));
    int ready[2];
    REQUIRE(pipe(ready) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) work(files, seed, ready[1]);
    char byte;
    REQUIRE(read(ready[0], &byte, 1) == 1);
    const timespec life = {0, static_cast<long>(chance() % longest_life) * 1000};
    nanosleep(&life, nullptr);
    REQUIRE(kill(child, SIGKILL) == 0);
    REQUIRE(waitpid(child, nullptr, 0) == child);
    close(ready[0]);
    close(ready[1]);

    CrashState crash_state = sockets.crash_state();
    crash_state.take();
    engine::WorkerFiles next_files;
    REQUIRE(next_files.make(crash_state, 0, failure));
    Fixture next(options_with(next_files, seed + 1));
    configure(next);
    const director::Restored restored = engine::restore_from(crash_state, 0, next.director, next.now);
    restored_flows += restored.flows;
    lost_flows += restored.lost;
    CHECK(restored.flows == next.flow_count());
    next.check_invariants();
    Traffic traffic(seed);
    for (int i = 0; i < 40; i++) next.receive(traffic.next(next));
    next.wait(3 * 3600 * second);
    next.wait(3 * 3600 * second);  // templates end after their flows
    CHECK(next.flow_count() == 0);
    CHECK(next.pool_flows<wire::Ipv4Address>(1) + next.pool_flows<wire::Ipv6Address>(1) == 0);
    CHECK(next.director.spliced_flows().size() == 0);
  }
  MESSAGE(kills << " directors killed, " << restored_flows << " flows restored, " << lost_flows << " left out");
  CHECK(restored_flows > 0);
}
