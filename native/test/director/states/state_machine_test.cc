// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "director/states/timeouts.h"
#include "wire/sctp.h"
#include "wire/tcp.h"

namespace sluice::director::test {
namespace {

namespace chunk = wire::sctp_chunk;

uint8_t flags_of(const std::string& letters) {
  uint8_t flags = 0;
  for (char letter : letters) {
    if (letter == 'S') flags |= wire::tcp_flag::syn;
    if (letter == 'F') flags |= wire::tcp_flag::fin;
    if (letter == 'R') flags |= wire::tcp_flag::rst;
    if (letter == 'A') flags |= wire::tcp_flag::ack;
    if (letter == 'P') flags |= wire::tcp_flag::psh;
  }
  return flags;
}

std::vector<uint8_t> chunks_of(const std::string& types) {
  std::vector<uint8_t> bytes;
  std::istringstream in(types);
  for (std::string type; std::getline(in, type, ',');) {
    bytes.insert(bytes.end(), {static_cast<uint8_t>(std::stoi(type)), 0, 0, 8, 0, 0, 0, 0});
  }
  return bytes;
}

// A recording of kernel_states/: a state machine, connections, and packets with the kernel's entry after each.
class Walk {
 public:
  int run(std::istream& in) {
    int compared = 0, line = 0;
    for (std::string text; std::getline(in, text); line++) {
      INFO("line ", line + 1, ": ", text);
      std::istringstream words(text);
      std::string first;
      if (!(words >> first) || first[0] == '#') continue;
      if (first == "machine") {
        std::string protocol, mode, table;
        words >> protocol >> mode >> table;
        is_tcp_ = protocol == "tcp";
        is_nat_ = mode == "nat";
        table_ = table == "secure" ? TcpTable::secure : TcpTable::ordinary;
      } else if (first == "connection") {
        tcp_ = TcpState::none;
        sctp_ = SctpState::none;
        one_way_ = !is_nat_;
      } else {
        packet(first == "out", words);
        compared++;
      }
    }
    return compared;
  }

 private:
  void packet(bool outwards, std::istream& words) {
    std::string what, arrow, state, activity;
    uint32_t seconds = 0;
    words >> what >> arrow >> state >> seconds >> activity;
    if (outwards) one_way_ = false;
    const Passage passage = outwards ? Passage::output : one_way_ ? Passage::input_only : Passage::input;
    Time timeout = 0;
    bool active = false;
    if (is_tcp_) {
      tcp_ = next(tcp_, passage, flags_of(what), table_);
      timeout = timeouts_.of(tcp_);
      active = is_active(tcp_);
      CHECK(name(tcp_) == state);
    } else {
      const auto event = sctp_event(chunks_of(what));
      REQUIRE(event.has_value());
      sctp_ = next(sctp_, passage, *event);
      timeout = timeouts_.of(sctp_);
      active = is_active(sctp_);
      CHECK(name(sctp_) == state);
    }
    CHECK(active == (activity == "active"));
    // The kernel prints whole seconds, some time after the packet.
    CHECK(seconds <= timeout / second);
    CHECK(seconds + 2 >= timeout / second);
  }

  Timeouts timeouts_;
  bool is_tcp_ = true, is_nat_ = true, one_way_ = false;
  TcpTable table_ = TcpTable::ordinary;
  TcpState tcp_ = TcpState::none;
  SctpState sctp_ = SctpState::none;
};

TEST_CASE("every recorded connection has the kernel's states, timeouts and activity") {
  int compared = 0;
  for (const auto& entry : std::filesystem::directory_iterator("native/test/director/states/kernel_states")) {
    if (entry.path().extension() != ".txt") continue;
    CAPTURE(entry.path().string());
    std::ifstream in(entry.path());
    compared += Walk().run(in);
  }
  CHECK(compared > 0);
  MESSAGE("compared the states after ", compared, " packets");
}

TEST_CASE("states are printed as ipvsadm prints them") {
  CHECK(name(TcpState::none) == "NONE");
  CHECK(name(TcpState::synack) == "SYNACK");
  CHECK(name(UdpState::normal) == "UDP");
  CHECK(name(SctpState::cookie_replied) == "C-REPLIED");
  CHECK(name(SctpState::shutdown_ack_sent) == "S-ACK-SENT");
  std::set<std::string_view> names;
  for (size_t i = 0; i < tcp_state_count; i++) names.insert(name(static_cast<TcpState>(i)));
  CHECK(names.size() == tcp_state_count);
  names.clear();
  for (size_t i = 0; i < sctp_state_count; i++) names.insert(name(static_cast<SctpState>(i)));
  CHECK(names.size() == sctp_state_count);
}

TEST_CASE("a SYN begins a TCP connection; with sloppy_tcp every packet but RST does") {
  const struct {
    const char* flags;
    bool strict, sloppy;
  } table[] = {{"S", true, true}, {"SA", true, true},  {"A", false, true},   {"FA", false, true},
               {"", false, true}, {"R", false, false}, {"SR", false, false}, {"RA", false, false}};
  for (const auto& [flags, strict, sloppy] : table) {
    CAPTURE(std::string(flags));
    CHECK(begins_connection(flags_of(flags), false) == strict);
    CHECK(begins_connection(flags_of(flags), true) == sloppy);
  }
}

TEST_CASE("an INIT begins an SCTP association; with sloppy_sctp every packet but ABORT does") {
  CHECK(begins_association(chunks_of("1"), false));
  CHECK_FALSE(begins_association(chunks_of("10"), false));
  CHECK(begins_association(chunks_of("10"), true));
  CHECK(begins_association(chunks_of("0"), true));
  CHECK_FALSE(begins_association(chunks_of("6"), true));
  CHECK_FALSE(begins_association({}, true));
}

TEST_CASE("whether a SYN reuses a connection depends on its state and conn_reuse_mode") {
  for (TcpState state : {TcpState::time_wait, TcpState::close}) {
    CHECK_FALSE(is_reusable(state, 0, true));
    CHECK(is_reusable(state, 1, false));
    CHECK(is_reusable(state, 2, false));
  }
  CHECK_FALSE(is_reusable(TcpState::fin_wait, 1, true));
  CHECK_FALSE(is_reusable(TcpState::fin_wait, 2, false));
  CHECK(is_reusable(TcpState::fin_wait, 2, true));
  CHECK(is_reusable(TcpState::fin_wait, 3, true));
  CHECK_FALSE(is_reusable(TcpState::established, 3, true));
  CHECK(is_reusable(SctpState::closed, 1));
  CHECK_FALSE(is_reusable(SctpState::closed, 0));
  CHECK_FALSE(is_reusable(SctpState::established, 3));
}

TEST_CASE("the first chunk decides the meaning of an SCTP packet, except for an ABORT after a cookie") {
  CHECK(sctp_event(chunks_of("10,6")) == SctpEvent::abort);
  CHECK(sctp_event(chunks_of("11,6")) == SctpEvent::abort);
  CHECK(sctp_event(chunks_of("10,0")) == SctpEvent::cookie_echo);
  CHECK(sctp_event(chunks_of("0,6")) == SctpEvent::data);
  CHECK(sctp_event(chunks_of("200")) == SctpEvent::data);
  CHECK_FALSE(sctp_event({}).has_value());
  const uint8_t three[] = {chunk::init, 0, 0};
  CHECK_FALSE(sctp_event(three).has_value());
  const uint8_t padded[] = {chunk::cookie_echo, 0, 0, 5, 1, 0, 0, 0, chunk::abort, 0, 0, 4};
  CHECK(sctp_event(padded) == SctpEvent::abort);
  const uint8_t too_short[] = {chunk::cookie_echo, 0, 0, 3, chunk::abort, 0, 0, 4};
  CHECK(sctp_event(too_short) == SctpEvent::cookie_echo);
  const uint8_t beyond[] = {chunk::cookie_echo, 0, 0xff, 0xff, chunk::abort, 0, 0, 4};
  CHECK(sctp_event(beyond) == SctpEvent::cookie_echo);
}

TEST_CASE("ipvsadm --set sets three timeouts, and zero leaves one unchanged") {
  Timeouts timeouts;
  timeouts.set(7200, 0, 30);
  CHECK(timeouts.of(TcpState::established) == 7200 * second);
  CHECK(timeouts.of(TcpState::fin_wait) == 120 * second);
  CHECK(timeouts.of(UdpState::normal) == 30 * second);
  timeouts.set(0, 5, 0);
  CHECK(timeouts.of(TcpState::established) == 7200 * second);
  CHECK(timeouts.of(TcpState::fin_wait) == 5 * second);
}

TEST_CASE("every state's timeout is found by its name") {
  Timeouts timeouts;
  CHECK(timeouts.find("tcp", "syn_recv") == &timeouts.tcp[3]);
  CHECK(timeouts.find("tcp", "SYN_RECV") == &timeouts.tcp[3]);
  CHECK(timeouts.find("sctp", "C-WAIT") == &timeouts.sctp[5]);
  CHECK(timeouts.find("udp", "udp") == &timeouts.udp[0]);
  CHECK(timeouts.find("tcp", "syn") == nullptr);
  CHECK(timeouts.find("udp", "established") == nullptr);
  CHECK(timeouts.find("icmp", "none") == nullptr);
  for (size_t i = 0; i < sctp_state_count; i++) {
    CHECK(timeouts.find("sctp", name(static_cast<SctpState>(i))) == &timeouts.sctp[i]);
  }
}

}  // namespace
}  // namespace sluice::director::test
