// SPDX-License-Identifier: Apache-2.0
// The SYN proxy packet by packet, and from the view of two TCP ends that do not know about it.
#include <malloc.h>

#include <random>
#include <set>

#include "test/director/handshake/proxy_fixture.h"

using namespace sluice;
using namespace sluice::test;

namespace {

// The options that Linux offers: MSS 1460, SACK permitted, timestamp, window scale 7.
Buffer linux_options(uint32_t value, uint32_t echo) {
  return hex("0204 05b4 0402 080a") + be32(value) + be32(echo) + hex("01 0303 07");
}

}  // namespace

TEST_CASE("the packets of a handshake through the proxy are these, byte for byte") {
  for (const Way& way : ways) {
    CAPTURE(way.is_v4());
    CAPTURE(way.is_nat());
    CAPTURE(way.tells_client);
    ProxyFixture f(way);
    // The director's timestamps are milliseconds. A cookie keeps an MSS of its table: 1460, or 1440 for IPv6.
    const auto clock = static_cast<uint32_t>(f.now / 1'000'000);
    const Buffer mss = way.is_v4() ? hex("0204 05b4") : hex("0204 05a0");
    f.take_cookie(linux_options(500, 0));
    const Buffer promise = mss + hex("0402 080a") + be32(clock) + be32(500) + hex("01 0303 07");
    f.expect(
        {"SYN again",
         f.request({.sequence = f.c, .options = linux_options(500, 0)}),
         Reason::syn_cookie_sent,
         {f.own_to_client(
             {.sequence = f.k, .acknowledgement = f.c + 1, .flags = SYN | ACK, .window = 0, .options = promise})}});
    CHECK(f.flow_count() == 0);
    f.run({
        {"ACK",
         f.request({.sequence = f.c + 1,
                    .acknowledgement = f.k + 1,
                    .flags = ACK,
                    .window = 502,
                    .options = timestamp_option(510, clock)}),
         Reason::syn_proxy_handshake,
         {f.own_to_server({.sequence = f.c,
                           .flags = SYN,
                           .window = 502 << 7,
                           .options = mss + hex("0402 080a") + be32(510) + be32(0) + hex("01 0303 07")})}},
    });
    CHECK(f.state() == "SYN_RECV");
    CHECK(f.destination().active == 1);
    f.run({
        {"SYN-ACK",
         f.reply({.sequence = f.s,
                  .acknowledgement = f.c + 1,
                  .flags = SYN | ACK,
                  .window = 65160,
                  .options = hex("0204 05b4 0402 080a") + be32(90000) + be32(510) + hex("01 0303 09")}),
         Reason::syn_proxy_handshake,
         {f.own_to_server({.sequence = f.c + 1,
                           .acknowledgement = f.s + 1,
                           .flags = ACK,
                           .window = 502,
                           .options = timestamp_option(510, 90000)}),
          f.own_to_client({.sequence = f.k + 1,
                           .acknowledgement = f.c + 1,
                           .flags = ACK,
                           .window = 65160 >> 7,
                           .options = timestamp_option(clock, 510)})}},
    });
    CHECK(f.state() == "ESTABLISHED");
    const Buffer told = way.tells_client ? f.toa() : Buffer{};
    f.run({
        {"a request, with the client's address while the real server may not know it",
         f.request({.sequence = f.c + 1,
                    .acknowledgement = f.k + 1,
                    .flags = ACK | PSH,
                    .options = timestamp_option(520, clock)},
                   "GET /"),
         Reason::established,
         {f.request_out({.sequence = f.c + 1,
                         .acknowledgement = f.s + 1,
                         .flags = ACK | PSH,
                         .options = told + timestamp_option(520, 90000)},
                        "GET /")}},
        {"an answer; its window, in units of 2^9, in those of 2^7",
         f.reply({.sequence = f.s + 1,
                  .acknowledgement = f.c + 6,
                  .flags = ACK | PSH,
                  .window = 100,
                  .options = timestamp_option(90007, 520)},
                 "200"),
         Reason::reply,
         {f.reply_out({.sequence = f.k + 1,
                       .acknowledgement = f.c + 6,
                       .flags = ACK | PSH,
                       .window = 400,
                       .options = timestamp_option(clock + 7, 520)},
                      "200")}},
        {"an acknowledgement with a hole",
         f.request({.sequence = f.c + 6,
                    .acknowledgement = f.k + 4,
                    .flags = ACK,
                    .options = timestamp_option(530, clock + 7) + hex("0101 050a") + be32(f.k + 10) + be32(f.k + 20)}),
         Reason::established,
         {f.request_out(
             {.sequence = f.c + 6,
              .acknowledgement = f.s + 4,
              .flags = ACK,
              .options = timestamp_option(530, 90007) + hex("0101 050a") + be32(f.s + 10) + be32(f.s + 20)})}},
    });
    CHECK(f.destination().counters.connections == 1);
    CHECK(f.destination().counters.packets_in == 3);
    CHECK(f.destination().counters.packets_out == 2);
  }
}

TEST_CASE("the SYN-ACK's options echo the client's offer and fit the paths to both ends") {
  const struct {
    const char* what;
    Buffer offered, answered;
  } table[] = {
      {"nothing", {}, hex("0204 05b4")},
      {"MSS", hex("0204 0218"), hex("0204 05b4")},
      {"SACK", hex("0204 05b4 0101 0402"), hex("0204 05b4 0101 0402")},
      {"window scale", hex("0204 05b4 01 0303 0e"), hex("0204 05b4 01 0303 07")},
      {"timestamp", hex("0204 05b4 0101 080a 00000009 00000000"),
       hex("0204 05b4 0101 080a") + be32(1000'000) + hex("00000009")},
      {"unknown ones and Fast Open's", hex("0204 05b4 2202 fd04 0000"), hex("0204 05b4")},
  };
  for (const auto& [what, offered, answered] : table) {
    CAPTURE(what);
    ProxyFixture f;
    const Outcome outcome = f.receive(f.request({.sequence = 7, .options = offered}, "data in a SYN"));
    REQUIRE(outcome.out.size() == 1);
    CHECK(hear(outcome.out[0]).option_bytes == answered);
    CHECK(hear(outcome.out[0]).acknowledgement == 8);
  }
  SUBCASE("the MSS fits the narrower of both paths") {
    for (const auto& [to_client_mtu, to_server_mtu, mss] :
         {std::tuple{1500u, 1400u, 1360}, {1280u, 1500u, 1240}, {9000u, 9000u, 8960}, {300u, 1500u, 536}}) {
      ProxyFixture f;
      Network network;
      network.ports[c0].mtu = to_client_mtu;
      network.ports[s0].mtu = to_server_mtu;
      f.use(network);
      CHECK(hear(f.receive(f.request({})).out.at(0)).options.mss == mss);
    }
  }
}

TEST_CASE("two ends that do not know about the proxy exchange data, across the wrap of every number") {
  std::mt19937 engine(5);
  const auto any = [&](uint32_t below) { return static_cast<uint32_t>(engine() % below); };
  for (const Way& way : ways) {
    for (const uint32_t before_wrap : {0u, 700u, 0x40000000u}) {
      ProxyFixture f(way);
      f.c = uint32_t{0} - before_wrap - 1;
      f.s = uint32_t{0} - before_wrap / 2 - 1;
      const auto clock = static_cast<uint32_t>(f.now / 1'000'000);
      uint32_t client_time = uint32_t{0} - 50, server_time = uint32_t{0} - 30;
      f.take_cookie(linux_options(client_time, 0));
      f.greet(timestamp_option(client_time, clock));
      const uint32_t server_start = server_time;
      f.join(hex("0204 05b4 0402 080a") + be32(server_time) + be32(client_time) + hex("01 0303 05"));

      uint32_t from_client_sent = 0, from_server_sent = 0;  // bytes of each stream so far
      uint32_t echo_of_client = client_time, echo_of_server = clock;
      for (int i = 0; i < 200; i++) {
        const uint32_t length = any(300), ahead = 1 + any(1000);
        const std::string data(length, static_cast<char>('a' + i % 26));
        const auto window = static_cast<uint16_t>(any(65536));
        if (any(2) == 0) {
          client_time += any(3);
          const Buffer sack = hex("0101 050a") + be32(f.k + 1 + from_server_sent + ahead) +
                              be32(f.k + 1 + from_server_sent + ahead + length);
          const Outcome outcome = f.receive(f.request({.sequence = f.c + 1 + from_client_sent,
                                                       .acknowledgement = f.k + 1 + from_server_sent,
                                                       .flags = ACK,
                                                       .window = window,
                                                       .options = timestamp_option(client_time, echo_of_server) + sack},
                                                      data));
          REQUIRE(outcome.out.size() == 1);
          const Heard heard = hear(outcome.out[0]);
          CHECK(heard.sequence == f.c + 1 + from_client_sent);
          CHECK(heard.acknowledgement == f.s + 1 + from_server_sent);
          CHECK(heard.window == window);
          CHECK(heard.options.timestamp == client_time);
          CHECK(heard.options.timestamp_echo == server_time);
          CHECK(heard.sack ==
                std::vector<uint32_t>{f.s + 1 + from_server_sent + ahead, f.s + 1 + from_server_sent + ahead + length});
          CHECK(heard.payload == Buffer(data.begin(), data.end()));
          echo_of_client = client_time;
          from_client_sent += length;
        } else {
          server_time += any(3);
          const Buffer sack = hex("0101 050a") + be32(f.c + 1 + from_client_sent + ahead) +
                              be32(f.c + 1 + from_client_sent + ahead + length);
          const Outcome outcome = f.receive(f.reply({.sequence = f.s + 1 + from_server_sent,
                                                     .acknowledgement = f.c + 1 + from_client_sent,
                                                     .flags = ACK,
                                                     .window = window,
                                                     .options = timestamp_option(server_time, echo_of_client) + sack},
                                                    data));
          REQUIRE(outcome.out.size() == 1);
          const Heard heard = hear(outcome.out[0]);
          CHECK(heard.sequence == f.k + 1 + from_server_sent);
          CHECK(heard.acknowledgement == f.c + 1 + from_client_sent);
          const uint32_t meant = uint32_t{window} << 5, understood = uint32_t{heard.window} << 7;
          CHECK(understood <= meant);
          CHECK(meant - understood < 128);
          CHECK(heard.options.timestamp - clock == server_time - server_start);
          CHECK(heard.options.timestamp_echo == client_time);
          CHECK(heard.sack ==
                std::vector<uint32_t>{f.c + 1 + from_client_sent + ahead, f.c + 1 + from_client_sent + ahead + length});
          CHECK(heard.payload == Buffer(data.begin(), data.end()));
          echo_of_server = heard.options.timestamp;
          from_server_sent += length;
        }
      }
      CHECK(f.state() == "ESTABLISHED");
      f.receive(f.request({.sequence = f.c + 1 + from_client_sent, .acknowledgement = f.k + 1, .flags = FIN | ACK}));
      CHECK(f.state() == "CLOSE_WAIT");
      f.receive(f.reply({.sequence = f.s + 1, .acknowledgement = f.c + 2 + from_client_sent, .flags = FIN | ACK}));
      CHECK(f.state() == "TIME_WAIT");
      f.wait(121 * second);
      CHECK(f.flow_count() == 0);
      CHECK(f.director.spliced_flows().size() == 0);
    }
  }
}

TEST_CASE("a million SYNs leave no flow and use no memory") {
  ProxyFixture f;
  constexpr size_t batch = 64;
  const Buffer syn = f.request({.sequence = 9, .options = linux_options(1, 0)});
  const size_t stride = director::required_headroom + syn.size();
  std::vector<uint8_t> memory(batch * stride);
  std::vector<director::Frame> frames(batch);
  std::vector<director::Decision> decisions(batch);
  director::TransmitQueue out;
  uint32_t number = 0;
  const auto flood = [&](uint32_t syns) {
    for (const uint32_t end = number + syns; number < end;) {
      for (size_t i = 0; i < batch; i++) {
        uint8_t* at = &memory[i * stride + director::required_headroom];
        std::copy(syn.begin(), syn.end(), at);
        const uint16_t source_port = static_cast<uint16_t>(1024 + number % 50'000);
        wire::store_be16(at + 14 + 20, source_port);
        wire::MutableTcpView tcp(wire::MutableBytes(at + 34, syn.size() - 34));
        tcp.set_sequence(number++);
        tcp.fill_checksum(wire::pseudo_header_sum(address(client4).v4(), address(vip4).v4(), wire::protocol::tcp,
                                                  static_cast<uint32_t>(syn.size() - 34)));
        frames[i] = {};
        frames[i].data = at;
        frames[i].length = static_cast<uint32_t>(syn.size());
      }
      out.clear();
      f.director.receive_batch(frames, decisions, f.now, out);
      f.now += second / 10'000;
      REQUIRE(out.entries().size() == batch);
    }
  };
  flood(batch);
  const size_t table = f.director.flows<wire::Ipv4Address>().table().memory_bytes();
  const auto heap = mallinfo2();
  flood(1 << 20);
  CHECK(mallinfo2().uordblks == heap.uordblks);
  CHECK(f.director.flows<wire::Ipv4Address>().table().memory_bytes() == table);
  CHECK(f.director.spliced_flows().memory_bytes() == 0);
  CHECK(f.flow_count() == 0);
  CHECK(f.director.count(Reason::syn_cookie_sent) == (1 << 20) + batch);
}

TEST_CASE("a batch that needs more answers than there is memory for gets as many as the memory holds") {
  ProxyFixture f;
  const Buffer syn = f.request({.sequence = 9});
  constexpr size_t count = 40'000;
  std::vector<uint8_t> memory(director::required_headroom + syn.size());
  std::copy(syn.begin(), syn.end(), memory.begin() + director::required_headroom);
  director::Frame frame;
  frame.data = memory.data() + director::required_headroom;
  frame.length = static_cast<uint32_t>(syn.size());
  std::vector<director::Frame> frames(count, frame);
  std::vector<director::Decision> decisions(count);
  director::TransmitQueue out;
  f.director.receive_batch(frames, decisions, f.now, out);
  CHECK(f.director.count(Reason::syn_cookie_sent) == out.entries().size());
  CHECK(f.director.count(Reason::syn_cookie_sent) + f.director.count(Reason::out_of_buffers) == count);
  CHECK(decisions.front().reason == Reason::syn_cookie_sent);
  CHECK(decisions.back().reason == Reason::out_of_buffers);
}

TEST_CASE("cookies depend only on the random source and the time, so a replay repeats them") {
  const auto cookies = [](uint32_t seed) {
    director::DirectorOptions options = small_options();
    options.random = seeded(seed);
    ProxyFixture f({}, director::SynProxy::on, options);
    std::vector<uint32_t> taken;
    for (int i = 0; i < 4; i++) {
      f.take_cookie();
      taken.push_back(f.k);
      f.wait(64 * second);
    }
    return taken;
  };
  const auto first = cookies(1);
  CHECK(first == cookies(1));
  CHECK(first != cookies(2));
  CHECK(std::set<uint32_t>(first.begin(), first.end()).size() == first.size());
}

TEST_CASE("forged acknowledgements open nothing") {
  ProxyFixture f;
  f.take_cookie();
  std::mt19937 engine(3);
  const Buffer ack = f.request({.flags = ACK}, "x");
  Buffer memory(director::required_headroom + ack.size());
  director::TransmitQueue out;
  // An ACK with data is tried with one sequence number: two tags of 24 bits are good, so 2^20 guesses have a chance of
  // 1/8.
  for (uint32_t i = 0; i < 1 << 20; i++) {
    uint8_t* at = memory.data() + director::required_headroom;
    std::copy(ack.begin(), ack.end(), at);
    wire::MutableTcpView tcp(wire::MutableBytes(at + 34, ack.size() - 34));
    tcp.set_sequence(static_cast<uint32_t>(engine()));
    tcp.set_acknowledgement(static_cast<uint32_t>(engine()));
    tcp.fill_checksum(wire::pseudo_header_sum(address(client4).v4(), address(vip4).v4(), wire::protocol::tcp,
                                              static_cast<uint32_t>(ack.size() - 34)));
    director::Frame frame;
    frame.data = at;
    frame.length = static_cast<uint32_t>(ack.size());
    out.clear();
    f.director.receive(frame, f.now, out);
  }
  CHECK(f.director.count(Reason::syn_cookie_invalid) == 1 << 20);
  CHECK(f.flow_count() == 0);
}

TEST_CASE("while the proxy is on, only a SYN or a good cookie opens a flow, even with sloppy_tcp") {
  for (const bool sloppy : {false, true}) {
    ProxyFixture f;
    director::Switches switches;
    switches.sloppy_tcp = sloppy;
    switches.host_answers = false;
    f.director.set_switches(switches);
    f.take_cookie();
    const uint32_t good = f.k + 1;
    f.run({
        {"a bare ACK", f.request({.sequence = 5, .acknowledgement = 6, .flags = ACK}), Reason::syn_cookie_invalid},
        {"a good cookie, another SYN's", f.request({.sequence = f.c + 3, .acknowledgement = good, .flags = ACK}),
         Reason::syn_cookie_invalid},
        {"a cookie next to a good one", f.request({.sequence = f.c + 1, .acknowledgement = good + 1, .flags = ACK}),
         Reason::syn_cookie_invalid},
        {"a probe with data", f.request({.sequence = f.c, .acknowledgement = good, .flags = ACK}, "x"),
         Reason::syn_cookie_invalid},
        {"SYN-ACK", f.request({.sequence = f.c + 1, .acknowledgement = good, .flags = SYN | ACK}),
         Reason::syn_cookie_invalid},
        {"FIN alone", f.request({.sequence = f.c + 1, .flags = FIN}), Reason::syn_cookie_invalid},
        {"RST", f.request({.sequence = f.c + 1, .flags = RST}), Reason::not_opening},
        {"a wrong checksum", f.request({.sequence = f.c + 1, .acknowledgement = good, .flags = ACK, .checksum = 1}),
         Reason::bad_tcp_checksum},
        {"a SYN with a wrong checksum", f.request({.sequence = f.c + 1, .checksum = 1}), Reason::bad_tcp_checksum},
    });
    f.port++;
    f.run({{"another client's", f.request({.sequence = f.c + 1, .acknowledgement = good, .flags = ACK}),
            Reason::syn_cookie_invalid}});
    f.port--;
    CHECK(f.flow_count() == 0);
    SUBCASE("a good cookie opens a flow until it is too old") {
      f.wait(64 * second);
      f.greet();
      CHECK(f.said("good cookie"));
      CHECK(f.flow_count() == 1);
    }
    SUBCASE("a cookie that is too old") {
      f.wait(128 * second);
      f.run({{"two minutes later", f.request({.sequence = f.c + 1, .acknowledgement = good, .flags = ACK}),
              Reason::syn_cookie_invalid}});
    }
  }
}

TEST_CASE("without the proxy the director answers nothing for the real server") {
  ProxyFixture f({}, director::SynProxy::off);
  director::Switches switches;
  switches.host_answers = false;
  f.director.set_switches(switches);
  f.run({
      {"ACK", f.request({.flags = ACK}), Reason::not_opening},
      {"SYN", f.request({.sequence = 3}), Reason::scheduled, {f.request_out({.sequence = 3})}},
  });
  CHECK(f.service().proxy.half_open == 1);
}

TEST_CASE("automatic: SYNs are answered while more flows than the limit are half open") {
  ProxyFixture f({}, director::SynProxy::automatic);
  director::Switches switches;
  switches.host_answers = false;
  f.director.set_switches(switches);
  f.director.set_half_open_limit(2);
  const auto syn = [&](uint16_t port, Reason reason) {
    f.port = port;
    CHECK(director::reason_name(f.receive(f.request({.sequence = f.c})).decision.reason) ==
          director::reason_name(reason));
  };
  const auto bare_ack = [&](uint16_t port, Reason reason) {
    f.port = port;
    CHECK(director::reason_name(f.receive(f.request({.sequence = 7, .flags = ACK})).decision.reason) ==
          director::reason_name(reason));
  };
  bare_ack(99, Reason::not_opening);
  for (uint16_t port = 1; port <= 3; port++) syn(port, Reason::scheduled);
  CHECK(f.service().proxy.half_open == 3);
  syn(4, Reason::syn_cookie_sent);
  CHECK(f.said("3 flows of the service are half open, more than 2"));
  bare_ack(99, Reason::syn_cookie_invalid);

  SUBCASE("the flow of a proven client is not half open") {
    f.port = 5;
    f.take_cookie();
    f.greet();
    CHECK(f.state() == "SYN_RECV");
    CHECK(f.service().proxy.half_open == 3);
  }
  SUBCASE("established flows are not half open, and a cookie that was sent stays good") {
    f.port = 5;
    f.take_cookie();
    const uint32_t cookie = f.k;
    f.port = 1;
    f.receive(f.request({.sequence = f.c + 1, .acknowledgement = 9, .flags = ACK}));
    CHECK(f.service().proxy.half_open == 2);
    syn(6, Reason::scheduled);
    f.port = 5;
    f.k = cookie;
    f.greet();
    f.wait(60 * second);
    bare_ack(99, Reason::syn_cookie_invalid);
    f.wait(68 * second);
    bare_ack(99, Reason::not_opening);
  }
  SUBCASE("flows that timed out are not half open") {
    f.wait(61 * second);
    CHECK(f.service().proxy.half_open == 0);
    syn(4, Reason::scheduled);
  }
  SUBCASE("flows of a removed server count while they exist, and only once after it was added again") {
    f.remove_server(f.key(), f.real(), real_port);
    CHECK(f.service().proxy.half_open == 3);
    f.add_server(f.key(), f.real(), real_port);
    CHECK(f.service().proxy.half_open == 3);
    f.wait(61 * second);
    CHECK(f.service().proxy.half_open == 0);
  }
  SUBCASE("a service that is added again has the flows of its servers that are added again") {
    director::ServiceSettings settings = f.service().settings;
    REQUIRE(f.director.remove_service(f.key()) == director::EditResult::done);
    f.add(f.key(), settings);
    CHECK(f.service().proxy.half_open == 0);
    f.add_server(f.key(), f.real(), real_port);
    CHECK(f.service().proxy.half_open == 3);
    f.wait(61 * second);
    CHECK(f.service().proxy.half_open == 0);
  }
}
