// SPDX-License-Identifier: Apache-2.0
// Sends and forwards packets for `npm run bench -- path`, which runs this program in the network namespaces of its
// hosts:
//
//   path_packets_bench send interface=I mac=TO source=A address=B sink=/run/netns/N sink_interface=I [OPTION…]
//   path_packets_bench forward in=I in_mac=PEER out=I out_mac=PEER
//
//   port=N  seconds=N  packets=N (0: for seconds)  flows=N  window=N (0: none)  rate=PACKETS A SECOND (0: what goes)
//
// send: UDP packets of 60 bytes. Each flow has its own source: ports of `source`, then of the following addresses. With
// a window, at most so many packets are on the way, so the figure is what the path carries without loss. The sink's
// interface counts the packets that arrive. Lost packets leave the window after some time and are reported.
//
// forward: the forwarder without logic, until SIGTERM.
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <ctime>
#include <thread>

#include "bench/bare_forwarder.h"
#include "bench/words.h"
#include "wire/bytes.h"
#include "wire/checksum.h"

namespace {

using namespace sluice;
using Clock = std::chrono::steady_clock;
using Mac = std::array<uint8_t, 6>;

constexpr size_t frame_bytes = 60, ip_at = 14, udp_at = 34;
constexpr uint32_t batch = 64;
// The frames of a batch lie one after another in their own memory.
constexpr size_t frame_stride = director::required_headroom + frame_bytes;
constexpr uint32_t first_port = 1024, ports_an_address = 60'000;
// The pause when the window is full: long enough for another thread to forward some packets, short compared with a
// round of measurement.
constexpr auto pause_length = std::chrono::microseconds(50);
// If nothing has arrived for this long, the packets on the way are lost.
constexpr auto lost_after = std::chrono::milliseconds(100);

bench::Words words({{"interface", ""},
                    {"mac", ""},
                    {"source", ""},
                    {"address", ""},
                    {"sink", ""},
                    {"sink_interface", ""},
                    {"port", "9000"},
                    {"seconds", "1"},
                    {"packets", "0"},
                    {"flows", "1000"},
                    {"window", "1024"},
                    {"rate", "0"},
                    {"in", ""},
                    {"in_mac", ""},
                    {"out", ""},
                    {"out_mac", ""}});

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

Mac mac_of_text(const std::string& text) {
  unsigned bytes[6] = {};
  if (std::sscanf(text.c_str(), "%x:%x:%x:%x:%x:%x", &bytes[0], &bytes[1], &bytes[2], &bytes[3], &bytes[4],
                  &bytes[5]) != 6)
    fail("no MAC address: " + text);
  Mac mac;
  std::ranges::copy(bytes, mac.begin());
  return mac;
}

Mac mac_of_interface(const std::string& name) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  if (::ioctl(fd, SIOCGIFHWADDR, &request) != 0) fail(name);
  ::close(fd);
  Mac mac;
  std::memcpy(mac.data(), request.ifr_hwaddr.sa_data, mac.size());
  return mac;
}

// Counts the packets that an interface of another host has received. The contents of sysfs, also of an open file in it,
// belong to the namespace in which it was mounted: the thread that opened the file may end.
class SinkCounter {
 public:
  SinkCounter(const std::string& host, const std::string& interface) {
    std::thread([&] {
      const int there = ::open(host.c_str(), O_RDONLY | O_CLOEXEC);
      if (there < 0 || ::setns(there, CLONE_NEWNET) != 0 || ::unshare(CLONE_NEWNS) != 0 ||
          ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
          ::mount("sysfs", "/sys", "sysfs", 0, nullptr) != 0)
        fail(host);
      ::close(there);
      fd_ = ::open(("/sys/class/net/" + interface + "/statistics/rx_packets").c_str(), O_RDONLY | O_CLOEXEC);
      if (fd_ < 0) fail(interface);
    }).join();
    before_ = read();
  }
  SinkCounter(const SinkCounter&) = delete;
  SinkCounter& operator=(const SinkCounter&) = delete;
  ~SinkCounter() { ::close(fd_); }

  uint64_t arrived() const { return read() - before_; }

 private:
  uint64_t read() const {
    char text[32] = {};
    return ::pread(fd_, text, sizeof text - 1, 0) > 0 ? std::strtoull(text, nullptr, 10) : 0;
  }

  int fd_ = -1;
  uint64_t before_ = 0;
};

// The packets of all flows in turn.
class Stream {
 public:
  Stream() : memory_(batch * frame_stride), flows_(static_cast<uint32_t>(words.number("flows"))) {
    inet_pton(AF_INET, words.text("source").c_str(), &source_);
    source_ = ntohl(source_);
    for (uint32_t i = 0; i < batch; ++i) write_headers(frame(i));
    port::open_or_exit(ring_, {.interface = words.text("interface"), .receive_slots = 128});
  }

  void send(uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
      set_flow(frame(i), next_flow_);
      if (++next_flow_ == flows_) next_flow_ = 0;
      director::Frame sent;
      sent.data = frame(i);
      sent.length = frame_bytes;
      ring_.transmit(sent);
    }
    ring_.flush();
    ring_.receive(answers_);  // answers are ignored
  }

 private:
  uint8_t* frame(uint32_t i) { return memory_.data() + i * frame_stride + director::required_headroom; }

  static void write_headers(uint8_t* at) {
    std::ranges::copy(mac_of_text(words.text("mac")), at);
    std::ranges::copy(mac_of_interface(words.text("interface")), at + 6);
    wire::store_be16(at + 12, 0x0800);
    uint8_t* const ip = at + ip_at;
    ip[0] = 0x45;
    wire::store_be16(ip + 2, frame_bytes - ip_at);
    ip[8] = 64;
    ip[9] = IPPROTO_UDP;
    inet_pton(AF_INET, words.text("address").c_str(), ip + 16);
    wire::store_be16(at + udp_at + 2, static_cast<uint16_t>(words.number("port")));
    wire::store_be16(at + udp_at + 4, frame_bytes - udp_at);
  }

  void set_flow(uint8_t* at, uint32_t flow) const {
    uint8_t* const ip = at + ip_at;
    const uint32_t address = htonl(source_ + flow / ports_an_address);
    std::memcpy(ip + 12, &address, sizeof address);
    wire::store_be16(ip + 10, 0);
    wire::store_raw16(ip + 10, wire::internet_checksum({ip, udp_at - ip_at}));
    uint8_t* const udp = at + udp_at;
    wire::store_be16(udp, static_cast<uint16_t>(first_port + flow % ports_an_address));
    // The pseudo-header has the addresses, which lie in front of the UDP header, and the protocol and length of UDP.
    const uint8_t pseudo[] = {0, IPPROTO_UDP, udp[4], udp[5]};
    wire::store_raw16(udp + 6, 0);
    const wire::Sum sum = wire::sum_bytes({ip + 12, frame_bytes - ip_at - 12}, wire::sum_bytes(pseudo));
    wire::store_raw16(udp + 6, wire::udp_checksum_on_wire(wire::finish_checksum(sum)));
  }

  std::vector<uint8_t> memory_;
  uint32_t flows_, next_flow_ = 0, source_ = 0;
  port::PacketRing ring_;
  std::array<director::Frame, batch> answers_;
};

void send_packets() {
  const SinkCounter sink(words.text("sink"), words.text("sink_interface"));
  Stream stream;
  const uint64_t window = words.number("window"), packets = words.number("packets"), rate = words.number("rate");
  const auto began = Clock::now();
  const auto end = began + std::chrono::duration<double>(words.seconds("seconds"));
  uint64_t sent = 0, seen = 0, lost = 0;
  auto progress = began;
  for (auto now = began; packets == 0 ? now < end : sent < packets; now = Clock::now()) {
    const uint64_t arrived = sink.arrived();
    if (arrived != seen || sent == seen + lost) progress = now;
    seen = arrived;
    if (now - progress > lost_after) lost = sent - seen;
    const double due =
        rate == 0 ? 1e18 : std::chrono::duration<double>(now - began).count() * static_cast<double>(rate);
    const bool is_full = window != 0 && sent - std::min(sent, seen + lost) + batch > window;
    if (is_full || static_cast<double>(sent + batch) > due) {
      std::this_thread::sleep_for(pause_length);
      continue;
    }
    stream.send(packets == 0 ? batch : static_cast<uint32_t>(std::min<uint64_t>(batch, packets - sent)));
    sent += batch;
  }
  const double elapsed = std::chrono::duration<double>(Clock::now() - began).count();
  // Packets that are still on the way are not lost.
  for (auto last = Clock::now(); Clock::now() - last < lost_after;) {
    const uint64_t arrived = sink.arrived();
    if (arrived != seen) last = Clock::now();
    seen = arrived;
    std::this_thread::sleep_for(pause_length);
  }
  timespec cpu;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
  bench::print_figure("sent", static_cast<double>(sent), "packets");
  bench::print_figure("arrived", static_cast<double>(seen), "packets");
  bench::print_figure("elapsed", elapsed, "s");
  bench::print_figure("cpu", static_cast<double>(cpu.tv_sec) + static_cast<double>(cpu.tv_nsec) * 1e-9, "s");
}

std::atomic<bool> ends = false;

void forward() {
  std::signal(SIGTERM, [](int) { ends = true; });
  const Mac in = mac_of_interface(words.text("in")), out = mac_of_interface(words.text("out"));
  const Mac in_peer = mac_of_text(words.text("in_mac")), out_peer = mac_of_text(words.text("out_mac"));
  port::BareForwarder forwarder(
      {{{words.text("in"), in.data(), in_peer.data()}, {words.text("out"), out.data(), out_peer.data()}}}, {});
  std::puts("ready");
  std::fflush(stdout);
  forwarder.run(ends);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  if ((command != "send" && command != "forward") || !words.read(argc, argv, 2)) {
    std::fprintf(stderr, "see the beginning of native/bench/path_packets_bench.cc\n");
    return 2;
  }
  if (command == "send")
    send_packets();
  else
    forward();
  return 0;
}
