// SPDX-License-Identifier: Apache-2.0
// The director as a whole, with its state. The input is a program: frames, edits, switches, the passing of time. Two
// directors run it, one frame by frame, the other in batches; they must make the same decisions and send the same
// bytes. A packet that passes to the host must be unchanged, counts must be right, and at the end nothing may be left.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>

#include "director/stages/director.h"
#include "director_frames.h"
#include "memory/mapped_memory.h"

using namespace sluice;
using namespace sluice::test;
using director::Director;
using director::Frame;

namespace {

#define REQUIRE_THAT(condition)                                            \
  do {                                                                     \
    if (!(condition)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                        \
    }                                                                      \
  } while (false)

// --- the program ---

class Program {
 public:
  Program(const uint8_t* data, size_t size) : at_(data), end_(data + size) {}
  bool is_over() const { return at_ == end_; }
  uint8_t byte() { return is_over() ? uint8_t{0} : *at_++; }
  Buffer bytes(size_t size) {
    size = std::min(size, static_cast<size_t>(end_ - at_));
    Buffer taken(at_, at_ + size);
    at_ += size;
    return taken;
  }

 private:
  const uint8_t* at_;
  const uint8_t* end_;
};

// --- what frames are made of ---

struct Input {
  Buffer bytes;
  Frame meta;
};

// Which important places a mutation hits, such as the ports. A program rarely finds them by chance.
void mutate(Buffer& frame, Program& program, uint8_t count) {
  for (; count > 0 && !frame.empty(); count--) {
    const size_t at = program.byte() % frame.size();
    frame[at] = program.byte();
  }
}

void renew_header_checksum(Buffer& frame) {
  wire::Packet packet;
  wire::dissect(frame, packet);
  if (packet.ip_version != 4 || packet.l4 <= packet.l3 || packet.l4 > frame.size()) return;
  wire::MutableIpv4View(wire::MutableBytes(frame.data() + packet.l3, frame.size() - packet.l3)).fill_checksum();
}

Input read_frame(Program& program) {
  Input input;
  const uint8_t number = program.byte(), how = program.byte();
  input.bytes = templates()[number % templates().size()];
  if ((how & 0x80) != 0) {
    // Another client port, so that there are several flows.
    wire::Packet packet;
    wire::dissect(input.bytes, packet);
    if (packet.has_ports)
      input.bytes[packet.l4 + 1u] = static_cast<uint8_t>(input.bytes[packet.l4 + 1u] + (program.byte() & 7));
  }
  mutate(input.bytes, program, how & 3);
  if ((how & 4) == 0) renew_header_checksum(input.bytes);
  if ((how & 8) != 0) input.meta.checksum = director::TransportChecksum::partial;
  if ((how & 16) != 0) {
    const uint8_t gso = program.byte();
    input.meta.segmentation = static_cast<director::Segmentation>(gso & 3);
    input.meta.segment_size = static_cast<uint16_t>((gso >> 2) * 24);
  }
  if ((how & 32) != 0) input.meta.mark = program.byte() & 3;
  const wire::MacAddress s0_address = mac(s0_mac);
  const bool names_s0 =
      input.bytes.size() >= 6 && std::equal(s0_address.bytes.begin(), s0_address.bytes.end(), input.bytes.begin());
  input.meta.port = names_s0 != ((how & 64) != 0) ? 1 : 0;
  return input;
}

Input read_raw_frame(Program& program) {
  Input input;
  input.meta.port = program.byte() & 1;
  const wire::MacAddress address = mac(input.meta.port == 0 ? c0_mac : s0_mac);
  input.bytes = program.bytes(program.byte());
  std::copy_n(address.bytes.begin(), std::min<size_t>(6, input.bytes.size()), input.bytes.begin());
  return input;
}

// Writes the answer of a TCP or UDP frame's receiver: the ends are exchanged and the data are acknowledged. So programs
// complete handshakes whose numbers they could not guess.
void turn_around(Buffer& frame, uint8_t flags) {
  wire::Packet packet;
  if (wire::dissect(frame, packet) != wire::Malformed::ok || !packet.has_ports || packet.vlan_count > 0) return;
  const size_t address_size = packet.ip_version == 4 ? 4 : 16,
               addresses = packet.l3 + (packet.ip_version == 4 ? 12u : 8u);
  std::swap_ranges(frame.begin(), frame.begin() + 6, frame.begin() + 6);
  const auto source = frame.begin() + static_cast<ptrdiff_t>(addresses);
  const auto size = static_cast<ptrdiff_t>(address_size);
  std::swap_ranges(source, source + size, source + size);
  const auto ports = frame.begin() + packet.l4;
  std::swap_ranges(ports, ports + 2, ports + 2);
  const wire::MutableBytes transport(frame.data() + packet.l4, packet.l4_length());
  const wire::Sum pseudo =
      packet.ip_version == 4
          ? wire::pseudo_header_sum(wire::Ipv4Address::load(&frame[addresses]),
                                    wire::Ipv4Address::load(&frame[addresses + 4]), packet.protocol, packet.l4_length())
          : wire::pseudo_header_sum(wire::Ipv6Address::load(&frame[addresses]),
                                    wire::Ipv6Address::load(&frame[addresses + 16]), packet.protocol,
                                    packet.l4_length());
  if (packet.protocol == wire::protocol::udp) return wire::MutableUdpView(transport).fill_checksum(pseudo);
  if (packet.protocol != wire::protocol::tcp) return;
  wire::MutableTcpView tcp(transport);
  const uint32_t said = tcp.sequence() + static_cast<uint32_t>(packet.end() - packet.payload) +
                        ((tcp.flags() & (SYN | FIN)) != 0 ? 1 : 0);
  tcp.set_sequence(tcp.acknowledgement());
  tcp.set_acknowledgement(said);
  tcp.set_flags(flags);
  tcp.fill_checksum(pseudo);
}

// --- the configuration ---

struct Place {
  uint8_t protocol;
  std::string_view address;
  uint16_t port;
  std::string_view server;
  director::Forwarding forwarding;
  director::Tunnel tunnel = {};
};

const std::vector<Place>& places() {
  using enum director::Forwarding;
  static const std::vector<Place> all = {
      {6, vip4, 80, server4, nat},
      {6, vip4, 81, server4, fullnat},
      {6, vip4, 82, server4, dr},
      {6, vip4, 83, server4, tunnel},
      {6,
       vip4,
       84,
       server4,
       tunnel,
       {.encapsulation = director::Encapsulation::gue, .port = 6080, .remote_checksum = true}},
      {6, vip4, 21, server4, nat},
      {6, vip6, 80, server6, nat},
      {6, vip6, 81, server6, fullnat},
      {6, vip6, 82, server4, tunnel},
      {6, vip6, 83, server4, tunnel, {.encapsulation = director::Encapsulation::gre, .checksum = true}},
      {17, vip4, 53, server4, nat},
      {17, vip4, 54, server4, fullnat},
      {17, vip6, 53, server6, nat},
      {132, vip4, 5001, server4, nat},
      {6, vip4, 0, server4, nat},
  };
  return all;
}

director::ServiceKey key_of(const Place& place) {
  director::ServiceKey key;
  key.protocol = place.protocol;
  key.address = address(place.address);
  key.port = place.port;
  return key;
}

director::ServiceKey mark_key(uint32_t mark) {
  director::ServiceKey key;
  key.mark = mark;
  return key;
}

director::ServiceSettings settings_of(uint8_t what, wire::Family family) {
  const auto names = director::scheduler_names();
  director::ServiceSettings settings;
  settings.scheduler = names[(what & 15) % names.size()];
  settings.pool = 1;
  settings.toa = (what & 16) != 0;
  settings.one_packet = (what & 32) != 0;
  if ((what & 64) != 0) settings.persistence = 20;
  settings.persistence_mask = address(family == wire::Family::ipv4 ? "255.255.255.0" : "ffff:ffff::");
  if ((what & 128) != 0) settings.source_limit = {.rate = 5, .burst = 3, .prefix = 24};
  return settings;
}

director::DestinationSettings server_of(const Place& place, uint8_t number, uint8_t what) {
  director::DestinationSettings settings;
  settings.address = address(place.server);
  settings.address.bytes[place.server == server4 ? 3 : 15] =
      static_cast<uint8_t>(settings.address.bytes[place.server == server4 ? 3 : 15] + number % 3);
  settings.port = (what & 32) != 0 ? 8080 : 80;
  settings.forwarding = place.forwarding;
  const bool same_family = place.server == server4 || place.address == vip6;
  if ((what & 64) != 0 && same_family && place.address != vip6)
    settings.forwarding = static_cast<director::Forwarding>(number % 5);
  settings.tunnel = place.tunnel;
  settings.weight = what & 7;
  settings.upper_threshold = (what & 8) != 0 ? 2 : 0;
  settings.lower_threshold = (what & 16) != 0 ? 1 : 0;
  return settings;
}

std::shared_ptr<const director::RouteTable> network(uint8_t what) {
  std::vector<director::Port> ports = {
      {"c0", mac(c0_mac), 1500, 0, {{address("10.0.1.1"), 24}, {address("2001:db8:1::1"), 64}}},
      {"s0", mac(s0_mac), 1500, 0, {{address("10.0.2.1"), 24}, {address("2001:db8:2::1"), 64}}}};
  if ((what & 1) != 0) ports[1].mtu = 600;
  if ((what & 2) != 0) ports[1].mtu = 80;
  if ((what & 4) != 0) ports[1].vlan = 100;
  if ((what & 8) != 0) ports[0].mtu = 1280;
  std::vector<director::Route> routes;
  if ((what & 16) == 0)
    routes = {{address("0.0.0.0"), 0, address("10.0.1.254"), 0}, {address("::"), 0, address("2001:db8:1::fe"), 0}};
  std::vector<director::Neighbour> neighbours;
  for (const std::string_view host :
       {client4, client6, std::string_view("10.0.1.254"), std::string_view("2001:db8:1::fe")}) {
    neighbours.push_back({address(host), mac(host_mac), 0});
  }
  for (const std::string_view host :
       {server4, server6, std::string_view("10.0.2.12"), std::string_view("2001:db8:2::12")}) {
    if ((what & 32) == 0) neighbours.push_back({address(host), mac(host_mac), 1});
  }
  return std::make_shared<director::RouteTable>(ports, routes, neighbours);
}

director::DirectorOptions options() {
  director::DirectorOptions options;
  options.memory.own = &memory::process_memory();
  options.flow_limit = 64;
  options.seed = {1, 2, 3, 4};
  options.random = [engine = std::mt19937(1)]() mutable { return static_cast<uint32_t>(engine()); };
  options.start = 1000 * second;
  options.huge_pages = false;
  options.fragment_limit = 4;
  options.fragment_chunks = 8;
  return options;
}

// --- the two directors ---

struct Tally {
  uint32_t active = 0, inactive = 0, persistent = 0;
};

template <class A>
void tally_flows(Director& director, std::map<uint32_t, Tally>& tallies) {
  auto& table = director.flows<A>().table();
  std::map<uint32_t, uint32_t> held;
  uint64_t local = 0;
  table.walk(0, table.span(), [&](director::Flow<A>& flow) {
    if (flow.flags & director::flow_flag::has_local) local++;
    if (!flow.is_template() && flow.control != director::no_flow) {
      REQUIRE_THAT(table.is_live(flow.control) && table.at(flow.control).is_template());
      held[flow.control]++;
    }
    if (flow.destination == director::no_destination) return;
    Tally& tally = tallies[flow.destination];
    (flow.is_template()                             ? tally.persistent
     : (flow.flags & director::flow_flag::inactive) ? tally.inactive
                                                    : tally.active)++;
  });
  table.walk(0, table.span(), [&](director::Flow<A>& flow) {
    if (flow.is_template()) REQUIRE_THAT(flow.control == held[table.index_of(flow)]);
  });
  uint64_t in_pools = 0;
  for (uint32_t id = 1; id <= 2; id++) in_pools += director.pools().flows<A>(id);
  REQUIRE_THAT(in_pools == local);
}

void check_invariants(Director& director) {
  std::map<uint32_t, Tally> tallies;
  tally_flows<wire::Ipv4Address>(director, tallies);
  tally_flows<wire::Ipv6Address>(director, tallies);
  size_t seen = 0;
  director.services().for_each_destination([&](const director::Destination& destination) {
    seen += tallies.contains(destination.id);
    const Tally& tally = tallies[destination.id];
    REQUIRE_THAT(destination.active == tally.active);
    REQUIRE_THAT(destination.inactive == tally.inactive);
    REQUIRE_THAT(destination.persistent == tally.persistent);
    REQUIRE_THAT(destination.flows == tally.active + tally.inactive + tally.persistent);
    REQUIRE_THAT(destination.available || destination.flows > 0);
    REQUIRE_THAT(destination.available == (destination.service != nullptr &&
                                           std::ranges::count(destination.service->destinations, &destination) == 1));
    tallies.erase(destination.id);
  });
  REQUIRE_THAT(tallies.empty());
  REQUIRE_THAT(director.datagrams_in_pieces() <= 2 * options().fragment_limit);
}

class Pair {
 public:
  Pair() {
    for (Director* director : {&single_, &batched_}) director->set_route_table(network(0));
    each([](Director& director) {
      director.set_pool(1, {{address(local4), address(local6)}, 40000, 40002});
      director.set_pool(2, {{address(public4), address("2001:db8:1::200")}, 50000, 50001});
      director.set_egress({{address("10.0.2.0"), 24, 2}, {address("2001:db8:2::"), 64, 2}});
      for (const Place& place : places()) {
        director::ServiceSettings settings = settings_of(0, key_of(place).address.family);
        if (place.port == 0) settings.persistence = 20;
        director.services().add_service(key_of(place), settings);
        director.services().add_destination(key_of(place), server_of(place, 0, 1));
      }
    });
  }

  // Applies `what` to both directors, after the waiting frames.
  template <class Do>
  void each(Do&& what) {
    flush();
    what(single_);
    what(batched_);
  }
  void offer(Input input) {
    inputs_.push_back(std::move(input));
    if (inputs_.size() == most_waiting) flush();
  }
  // Answers a frame that was sent; the latest is number 0.
  void answer(uint8_t number, uint8_t flags) {
    flush();
    if (left_.empty()) return;
    Input input = left_[left_.size() - 1 - number % left_.size()];
    turn_around(input.bytes, flags);
    renew_header_checksum(input.bytes);
    offer(std::move(input));
  }
  void wait(Time duration) {
    flush();
    now_ += duration;
    each([&](Director& director) {
      for (bool done = false; !done;) {
        director::TransmitQueue out;
        done = director.advance(now_, 100, out);
      }
    });
  }
  void flush();
  void finish();

 private:
  static constexpr size_t most_waiting = 40;  // more than a batch of 32

  static Frame frame_in(const Input& input, Buffer& room) {
    room.assign(director::required_headroom, 0);
    room.insert(room.end(), input.bytes.begin(), input.bytes.end());
    room.shrink_to_fit();
    Frame frame = input.meta;
    frame.data = room.data() + director::required_headroom;
    frame.length = static_cast<uint32_t>(input.bytes.size());
    return frame;
  }

  Director single_{options()}, batched_{options()};
  std::vector<Input> inputs_;
  std::vector<Input> left_;  // of the last flush
  Time now_ = options().start;
  uint64_t frames_ = 0;
};

void Pair::flush() {
  if (inputs_.empty()) return;
  const std::vector<Input> inputs = std::move(inputs_);
  inputs_.clear();
  std::vector<Buffer> rooms(inputs.size());
  std::vector<Frame> frames;
  for (size_t i = 0; i < inputs.size(); i++) frames.push_back(frame_in(inputs[i], rooms[i]));
  std::vector<director::Decision> decisions(inputs.size());
  director::TransmitQueue batched_out;
  batched_.receive_batch(frames, decisions, now_, batched_out);

  size_t sent = 0;
  left_.clear();
  for (size_t i = 0; i < inputs.size(); i++) {
    Buffer room;
    Frame frame = frame_in(inputs[i], room);
    director::TransmitQueue out;
    director::Trace trace;
    const director::Decision decision = single_.receive(frame, now_, out, i % 2 == 0 ? &trace : nullptr);
    REQUIRE_THAT(decision.reason == decisions[i].reason);
    REQUIRE_THAT(decision.destination == decisions[i].destination);
    REQUIRE_THAT((decision.service == nullptr) == (decisions[i].service == nullptr));
    if (decision.verdict() == director::Verdict::pass) {
      REQUIRE_THAT(
          std::equal(inputs[i].bytes.begin(), inputs[i].bytes.end(), room.begin() + director::required_headroom));
    }
    for (const auto& entry : out.entries()) {
      REQUIRE_THAT(sent < batched_out.entries().size());
      const auto& other = batched_out.entries()[sent++];
      REQUIRE_THAT(other.cause == i);
      REQUIRE_THAT(entry.frame.port == other.frame.port && entry.frame.length == other.frame.length);
      REQUIRE_THAT(entry.frame.checksum == other.frame.checksum &&
                   entry.frame.segmentation == other.frame.segmentation);
      REQUIRE_THAT(std::equal(entry.frame.data, entry.frame.data + entry.frame.length, other.frame.data));
      Input& left = left_.emplace_back();
      left.bytes.assign(entry.frame.data, entry.frame.data + entry.frame.length);
      left.meta.port = entry.frame.port;
    }
  }
  REQUIRE_THAT(sent == batched_out.entries().size());
  frames_ += inputs.size();
  for (Director* director : {&single_, &batched_}) {
    uint64_t counted = 0;
    for (size_t i = 0; i < director::reason_count; i++) counted += director->count(static_cast<director::Reason>(i));
    REQUIRE_THAT(counted == frames_);
    check_invariants(*director);
  }
}

// Removes all services and lets all time pass: nothing may be left.
void Pair::finish() {
  each([](Director& director) {
    std::vector<director::ServiceKey> keys;
    director.services().for_each_service([&](const director::Service& service) { keys.push_back(service.key); });
    for (const director::ServiceKey& key : keys) director.services().remove_service(key);
    check_invariants(director);
  });
  for (int i = 0; i < 3; i++) wait(2000 * second);
  each([](Director& director) {
    REQUIRE_THAT(director.flows<wire::Ipv4Address>().table().size() == 0);
    REQUIRE_THAT(director.flows<wire::Ipv6Address>().table().size() == 0);
    director.services().for_each_destination([](const director::Destination&) { std::abort(); });
  });
}

// --- what a program can do beside frames ---

void edit_service(Pair& pair, Program& program) {
  const uint8_t which = program.byte(), what = program.byte(), how = program.byte();
  const Place& place = places()[which % places().size()];
  const bool by_mark = (which & 0x80) != 0;
  const director::ServiceKey key = by_mark ? mark_key(1 + which % 2) : key_of(place);
  director::ServiceSettings settings = settings_of(what, key.address.family);
  if (place.port == 0 && !by_mark && (how & 4) == 0) settings.persistence = 20;
  settings.syn_proxy = static_cast<director::SynProxy>(std::min((how >> 3) & 3, 2));
  settings.proxy_protocol = (how & 32) != 0;
  pair.each([&](Director& director) {
    switch (how & 3) {
      case 0:
        director.services().add_service(key, settings);
        director.services().add_destination(key, server_of(place, 0, 1));
        break;
      case 1:
        director.services().edit_service(key, settings);
        break;
      case 2:
        director.remove_service(key);
        break;
      default:
        director.services().order_destinations(key, {server_of(place, 1, 0), server_of(place, 0, 0)});
        break;
    }
    check_invariants(director);
  });
}

void edit_server(Pair& pair, Program& program) {
  const uint8_t which = program.byte(), what = program.byte(), how = program.byte();
  const Place& place = places()[which % places().size()];
  const director::ServiceKey key = key_of(place);
  const director::DestinationSettings server = server_of(place, how >> 2, what);
  pair.each([&](Director& director) {
    switch (how & 3) {
      case 0:
      case 3:
        director.services().add_destination(key, server);
        break;
      case 1:
        director.services().edit_destination(key, server);
        break;
      default:
        director.remove_destination(key, server.address, server.port);
        break;
    }
    check_invariants(director);
  });
}

void set_switches(Pair& pair, Program& program) {
  const uint8_t a = program.byte(), b = program.byte();
  director::Switches switches;
  switches.conn_reuse_mode = a & 3;
  switches.expire_nodest_conn = (a & 4) != 0;
  switches.expire_quiescent_template = (a & 8) != 0;
  switches.sloppy_tcp = (a & 16) != 0;
  switches.sloppy_sctp = (a & 32) != 0;
  switches.nat_icmp_send = (a & 64) != 0;
  switches.pmtu_disc = (a & 128) == 0;
  switches.schedule_icmp = (a & 3) == 3;
  switches.drop_entry = b & 3;
  switches.drop_packet = (b >> 2) & 3;
  switches.secure_tcp = (b >> 4) & 3;
  switches.udp_leave_removed = (b & 64) != 0;
  switches.amemthresh = (b & 128) != 0 ? 1 : 1024;
  switches.am_droprate = 3;
  switches.host_answers = (a & 64) == 0;
  pair.each([&](Director& director) { director.set_switches(switches); });
}

void set_pools(Pair& pair, uint8_t what) {
  director::PoolSettings local{{}, 40000, 40002}, outside{{}, 50000, 50001};
  if ((what & 1) == 0) local.addresses.push_back(address(local4));
  if ((what & 2) != 0) local.addresses.push_back(address("10.0.2.201"));
  if ((what & 4) == 0) local.addresses.push_back(address(local6));
  if ((what & 128) != 0) local.last_port = outside.last_port = 50010;
  if ((what & 8) == 0) outside.addresses.push_back(address(public4));
  if ((what & 16) != 0) outside.addresses.push_back(address("10.0.1.1"));
  std::vector<director::EgressRule> rules;
  if ((what & 32) == 0) rules.push_back({address("10.0.2.0"), 24, 2});
  if ((what & 64) != 0) rules.push_back({address("0.0.0.0"), 0, 2});
  pair.each([&](Director& director) {
    director.set_pool(1, local);
    director.set_pool(2, outside);
    director.set_egress(rules);
    check_invariants(director);
  });
}

void run_step(Pair& pair, Program& program) {
  const uint8_t operation = program.byte();
  switch (operation & 15) {
    default:
      return pair.offer(read_frame(program));
    case 7: {
      static constexpr uint8_t answers[] = {SYN | ACK, ACK, ACK | PSH, FIN | ACK, RST, RST | ACK, SYN, 0};
      const uint8_t how = program.byte();
      return pair.answer(how >> 3, answers[how & 7]);
    }
    case 8:
      return pair.offer(read_raw_frame(program));
    case 9:
      return pair.wait(Time{1} << (20 + (operation >> 4) % 12) << (program.byte() & 7));
    case 10:
      return edit_service(pair, program);
    case 11:
      return edit_server(pair, program);
    case 12:
      return set_switches(pair, program);
    case 13:
      return set_pools(pair, program.byte());
    case 14: {
      const std::shared_ptr<const director::RouteTable> changed = network(program.byte());
      return pair.each([&](Director& director) { director.set_route_table(changed); });
    }
    case 15: {
      const uint32_t limit = program.byte();
      return pair.each([&](Director& director) { director.set_flow_limit(limit); });
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t longest_program = 4096;
  Program program(data, std::min(size, longest_program));
  Pair pair;
  while (!program.is_over()) run_step(pair, program);
  pair.finish();
  return 0;
}
