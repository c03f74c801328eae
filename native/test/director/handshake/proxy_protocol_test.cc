// SPDX-License-Identifier: Apache-2.0
// The PROXY protocol's header in connections that pass through the director, packet by packet.
#include "test/director/handshake/proxy_fixture.h"

using namespace sluice;
using namespace sluice::test;

namespace {

constexpr Way header_ways[] = {
    {wire::Family::ipv4, Forwarding::fullnat, false, true}, {wire::Family::ipv6, Forwarding::fullnat, false, true},
    {wire::Family::ipv4, Forwarding::nat, false, true},     {wire::Family::ipv6, Forwarding::nat, false, true},
    {wire::Family::ipv4, Forwarding::fullnat, true, true},  {wire::Family::ipv6, Forwarding::fullnat, true, true}};
constexpr Way usual = header_ways[0];
constexpr Time first_wait = second / 4;

// Both initial sequence numbers are close to the wrap, so that the following numbers wrap around.
struct HeaderFixture : ProxyFixture {
  explicit HeaderFixture(Way through = usual, director::SynProxy proxy = director::SynProxy::off)
      : ProxyFixture(through, proxy) {
    c = 0xfffffff0;
    s = 0xffffffff;
  }

  // As the protocol's document defines it (proxy-protocol.txt, 2.2).
  Buffer header() const {
    const Buffer signature = hex("0d0a0d0a 000d0a51 5549540a");
    return way.is_v4() ? signature + hex("21 11 000c 0a000102 0a000164 04d2 0050")
                       : signature + hex("21 21 0024 20010db8000100000000000000000002"
                                         "20010db8000100000000000000000100 04d2 0050");
  }
  uint32_t length() const { return static_cast<uint32_t>(header().size()); }
  // The director's segment with the header.
  Buffer header_out(TcpLayer layer) const {
    layer.sequence = c + 1;
    layer.flags = PSH | ACK;
    if (way.tells_client) layer.options = toa() + layer.options;
    const Buffer bytes = header();
    return request_out(layer, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, Sum::right, true);
  }
  Buffer told() const { return way.tells_client ? toa() : Buffer{}; }

  void syn(const Buffer& options = {}) {
    const Outcome outcome = receive(request({.sequence = c, .options = options}));
    REQUIRE(outcome.out.size() == 1);
    local_port = hear(outcome.out[0]).source_port;
  }
  void syn_ack(const Buffer& options = {}) {
    const TcpLayer answer{.sequence = s, .acknowledgement = c + 1, .flags = SYN | ACK, .options = options};
    REQUIRE(receive(reply(answer)).out.size() == 1);
  }
  // The handshake. The header has been sent but not acknowledged.
  void announce() {
    syn();
    syn_ack();
    REQUIRE(receive(request(client_says(0))).out.size() == 2);
  }
  // The handshake. The header has been acknowledged.
  void connect_all() {
    announce();
    expect({"the header is acknowledged",
            reply(server_says(length())),
            Reason::reply,
            {reply_out({.sequence = s + 1, .acknowledgement = c + 1, .flags = ACK})}});
  }
  // A segment of one end, after `sent` bytes of its own.
  TcpLayer client_says(uint32_t sent, uint8_t flags = ACK) const {
    return {.sequence = c + 1 + sent, .acknowledgement = s + 1, .flags = flags};
  }
  // `taken` includes the header.
  TcpLayer server_says(uint32_t taken, uint8_t flags = ACK) const {
    return {.sequence = s + 1, .acknowledgement = c + 1 + taken, .flags = flags};
  }
  std::vector<Buffer> frames_of_timer() {
    std::vector<Buffer> frames;
    for (Sent& sent : std::exchange(timer_sent, {})) {
      CHECK(is_right(sent));
      frames.push_back(std::move(sent.frame));
    }
    return frames;
  }
};

Buffer sack(std::initializer_list<uint32_t> edges) {
  Buffer option = hex("0101 05") + Buffer{static_cast<uint8_t>(2 + 4 * edges.size())};
  for (const uint32_t edge : edges) option = option + be32(edge);
  return option;
}

}  // namespace

TEST_CASE("the packets of a connection with a PROXY header are these, byte for byte") {
  for (const Way& way : header_ways) {
    CAPTURE(way.is_v4());
    CAPTURE(way.is_nat());
    CAPTURE(way.tells_client);
    HeaderFixture f(way);
    const uint32_t c = f.c, s = f.s, length = f.length();
    CHECK(length == (way.is_v4() ? 28 : 52));
    const Buffer offered = hex("0204 05b4 0402 080a") + be32(500) + be32(0) + hex("01 0303 07");
    const Buffer answered = hex("0204 05b4 0402 080a") + be32(9000) + be32(500) + hex("01 0303 02");
    const Buffer ack_options = timestamp_option(510, 9000);
    f.run({
        {"SYN",
         f.request({.sequence = c, .options = offered}),
         Reason::scheduled,
         {f.request_out({.sequence = c, .options = f.told() + offered})}},
        {"SYN-ACK, of whose window the header will need some",
         f.reply({.sequence = s, .acknowledgement = c + 1, .flags = SYN | ACK, .window = 65160, .options = answered}),
         Reason::reply,
         {f.reply_out({.sequence = s,
                       .acknowledgement = c + 1,
                       .flags = SYN | ACK,
                       .window = static_cast<uint16_t>(65160 - length),
                       .options = answered})}},
        {"ACK: as it is, and the header behind it",
         f.request({.sequence = c + 1, .acknowledgement = s + 1, .flags = ACK, .window = 502, .options = ack_options}),
         Reason::established,
         {f.request_out({.sequence = c + 1,
                         .acknowledgement = s + 1,
                         .flags = ACK,
                         .window = 502,
                         .options = f.told() + ack_options}),
          f.header_out({.acknowledgement = s + 1, .window = 502, .options = ack_options})}},
    });
    CHECK(f.state() == "ESTABLISHED");
    CHECK(f.said("PROXY v2 header sent: "));
    f.run({
        {"the real server speaks before it has seen the header; its window is in units of four",
         f.reply({.sequence = s + 1, .acknowledgement = c + 1, .flags = PSH | ACK, .window = 1000}, "220 ready"),
         Reason::reply,
         {f.reply_out({.sequence = s + 1,
                       .acknowledgement = c + 1,
                       .flags = PSH | ACK,
                       .window = static_cast<uint16_t>(1000 - length / 4)},
                      "220 ready")}},
        {"the client's first data",
         f.request({.sequence = c + 1, .acknowledgement = s + 10, .flags = PSH | ACK, .options = ack_options}, "HELO"),
         Reason::established,
         {f.request_out({.sequence = c + 1 + length,
                         .acknowledgement = s + 10,
                         .flags = PSH | ACK,
                         // The server has sent more than a SYN-ACK, so it has read the option.
                         .options = ack_options},
                        "HELO")}},
        {"the header is acknowledged, and nothing else",
         f.reply({.sequence = s + 10, .acknowledgement = c + 1 + length, .flags = ACK, .window = 1000}),
         Reason::reply,
         {f.reply_out({.sequence = s + 10, .acknowledgement = c + 1, .flags = ACK, .window = 1000})}},
        {"the data too",
         f.reply({.sequence = s + 10, .acknowledgement = c + 5 + length, .flags = PSH | ACK}, "250"),
         Reason::reply,
         {f.reply_out({.sequence = s + 10, .acknowledgement = c + 5, .flags = PSH | ACK}, "250")}},
        {"FIN",
         f.request({.sequence = c + 5, .acknowledgement = s + 13, .flags = FIN | ACK}),
         Reason::established,
         {f.request_out({.sequence = c + 5 + length, .acknowledgement = s + 13, .flags = FIN | ACK})}},
        {"FIN of the real server",
         f.reply({.sequence = s + 13, .acknowledgement = c + 6 + length, .flags = FIN | ACK}),
         Reason::reply,
         {f.reply_out({.sequence = s + 13, .acknowledgement = c + 6, .flags = FIN | ACK})}},
        {"RST of the client, without an acknowledgement",
         f.request({.sequence = c + 6, .flags = RST}),
         Reason::established,
         {f.request_out({.sequence = c + 6 + length, .flags = RST})}},
        {"RST of the real server",
         f.reply({.sequence = s + 14, .acknowledgement = c + 6 + length, .flags = RST | ACK}),
         Reason::reply,
         {f.reply_out({.sequence = s + 14, .acknowledgement = c + 6, .flags = RST | ACK})}},
    });
    CHECK(f.director.spliced_flows().size() == 1);
    f.wait(3600 * second);
    CHECK(f.flow_count() == 0);
    CHECK(f.director.spliced_flows().size() == 0);
    CHECK(f.frames_of_timer().empty());
  }
}

TEST_CASE("if the end of the handshake has data or FIN, the header goes first") {
  for (const auto& [flags, data] : {std::pair<uint8_t, std::string_view>(PSH | ACK, "GET /"), {FIN | ACK, ""}}) {
    HeaderFixture f;
    f.syn();
    f.syn_ack();
    f.run({{"the first packet of the client's",
            f.request(f.client_says(0, flags), data),
            Reason::established,
            {f.header_out({.acknowledgement = f.s + 1}), f.request_out(f.client_says(f.length(), flags), data)}}});
  }
  HeaderFixture f;
  f.syn();
  f.syn_ack();
  f.run({{"the second one, the first having been lost",
          f.request(f.client_says(1000), "data"),
          Reason::established,
          {f.header_out({.acknowledgement = f.s + 1}), f.request_out(f.client_says(1000 + f.length()), "data")}}});
}

TEST_CASE("a timer repeats the header with growing intervals until it is acknowledged") {
  HeaderFixture f;
  f.announce();
  const Buffer header = f.header_out({.acknowledgement = f.s + 1});
  CHECK(f.director.next_timer() == f.now + first_wait);
  f.wait(first_wait - 1);
  CHECK(f.frames_of_timer().empty());
  f.wait(1);
  CHECK(f.frames_of_timer() == std::vector<Buffer>{header});
  f.wait(2 * first_wait - 1);
  CHECK(f.frames_of_timer().empty());
  f.wait(1);
  CHECK(f.frames_of_timer() == std::vector<Buffer>{header});

  SUBCASE("with the client's latest values") {
    TcpLayer said = f.client_says(0);
    said.acknowledgement = f.s + 100;
    said.window = 77;
    said.options = timestamp_option(5, 6);
    CHECK(f.receive(f.request(said)).out.size() == 1);
    f.wait(4 * first_wait);
    const TcpLayer again{.acknowledgement = f.s + 100, .window = 77, .options = timestamp_option(5, 6)};
    CHECK(f.frames_of_timer() == std::vector<Buffer>{f.header_out(again)});
  }
  SUBCASE("not after it is acknowledged") {
    f.receive(f.reply(f.server_says(f.length())));
    CHECK(f.director.next_timer() == std::nullopt);
  }
  SUBCASE("not after the client's reset") {
    f.receive(f.request(f.client_says(0, RST | ACK)));
    CHECK(f.director.next_timer() == std::nullopt);
  }
  SUBCASE("not after the real server's reset") {
    f.receive(f.reply(f.server_says(0, RST | ACK)));
    CHECK(f.director.next_timer() == std::nullopt);
  }
  SUBCASE("not for ever") {
    const Time began = f.now;
    while (const auto next = f.director.next_timer()) f.wait(*next - f.now);
    CHECK(f.frames_of_timer().size() == director::SplicedFlows::most_headers - 3);
    CHECK(f.now - began < 60 * second);
  }
  SUBCASE("not once its real server is removed") {
    f.remove_server(f.key(), f.real(), real_port);
    f.wait(4 * first_wait);
    CHECK(f.frames_of_timer().size() == 1);
    CHECK(f.director.next_timer() == std::nullopt);
  }
}

TEST_CASE("the header is sent again at once if an end shows that it is missing") {
  HeaderFixture f;
  f.announce();
  const uint32_t length = f.length();
  const Buffer header = f.header_out({.acknowledgement = f.s + 1});
  f.run({
      {"data: the header may be on its way",
       f.request(f.client_says(0, PSH | ACK), "GET /"),
       Reason::established,
       {f.request_out(f.client_says(length, PSH | ACK), "GET /")}},
      {"the data again",
       f.request(f.client_says(0, PSH | ACK), "GET /"),
       Reason::established,
       {header, f.request_out(f.client_says(length, PSH | ACK), "GET /")}},
      {"FIN for the first time",
       f.request(f.client_says(5, FIN | ACK)),
       Reason::established,
       {f.request_out(f.client_says(length + 5, FIN | ACK))}},
      {"FIN again",
       f.request(f.client_says(5, FIN | ACK)),
       Reason::established,
       {header, f.request_out(f.client_says(length + 5, FIN | ACK))}},
      {"an acknowledgement of what was before the header: there is a hole",
       f.reply(f.server_says(0)),
       Reason::reply,
       {header, f.reply_out({.sequence = f.s + 1,
                             .acknowledgement = f.c + 1,
                             .flags = ACK,
                             .window = static_cast<uint16_t>(64240 - length)})}},
      {"with data it may have crossed the header",
       f.reply(f.server_says(0, PSH | ACK), "220"),
       Reason::reply,
       {f.reply_out({.sequence = f.s + 1,
                     .acknowledgement = f.c + 1,
                     .flags = PSH | ACK,
                     .window = static_cast<uint16_t>(64240 - length)},
                    "220")}},
      {"the handshake's end was lost as well",
       f.reply({.sequence = f.s, .acknowledgement = f.c + 1, .flags = SYN | ACK}),
       Reason::reply,
       {header, f.reply_out({.sequence = f.s,
                             .acknowledgement = f.c + 1,
                             .flags = SYN | ACK,
                             .window = static_cast<uint16_t>(64240 - length)})}},
      {"the header and the data have come",
       f.reply(f.server_says(length + 5)),
       Reason::reply,
       {f.reply_out({.sequence = f.s + 1, .acknowledgement = f.c + 6, .flags = ACK})}},
      {"from now on what is sent again is the client's own",
       f.request(f.client_says(0, PSH | ACK), "GET /"),
       Reason::established,
       {f.request_out(f.client_says(length, PSH | ACK), "GET /")}},
  });
}

TEST_CASE("SACK blocks are moved as acknowledgements are") {
  HeaderFixture f;
  f.announce();
  const uint32_t c = f.c, length = f.length(), ours = c + 1 + length;
  const auto acknowledging = [&](uint32_t taken, const Buffer& options) {
    TcpLayer layer = f.server_says(taken);
    layer.options = options;
    return f.reply(layer);
  };
  const auto heard = [&](const Buffer& frame) {
    const Outcome outcome = f.receive(frame);
    REQUIRE_FALSE(outcome.out.empty());
    return hear(outcome.out.back());
  };
  CHECK(heard(acknowledging(0, sack({ours, ours + 10}))).sack == std::vector{c + 1, c + 11});
  CHECK(heard(acknowledging(0, sack({c + 11, ours + 10}))).sack == std::vector{c + 1, c + 11});
  CHECK(heard(acknowledging(length, sack({ours + 10, ours + 20, ours + 30, ours + 40}))).sack ==
        std::vector{c + 11, c + 21, c + 31, c + 41});

  // The client must not learn that the header came twice.
  const Heard alone = heard(acknowledging(length, sack({c + 1, ours})));
  CHECK(alone.sack.empty());
  CHECK(alone.option_bytes == Buffer(12, 1));
  const Heard with_others = heard(acknowledging(length, sack({c + 1, ours, ours + 10, ours + 20})));
  CHECK(with_others.sack == std::vector{c + 11, c + 21});
  CHECK(with_others.option_bytes == hex("0101 050a") + be32(c + 11) + be32(c + 21) + Buffer(8, 1));

  // The client's own blocks are about data of the real server.
  TcpLayer layer = f.client_says(0);
  layer.options = sack({f.s + 10, f.s + 20});
  CHECK(heard(f.request(layer)).sack == std::vector{f.s + 10, f.s + 20});
}

TEST_CASE("when the header's numbers return after a wrap, they are the client's data") {
  HeaderFixture f;
  f.connect_all();
  f.run({{"4 GiB later",
          f.reply(f.server_says(10)),
          Reason::reply,
          {f.reply_out({.sequence = f.s + 1, .acknowledgement = f.c + 11 - f.length(), .flags = ACK})}}});
}

TEST_CASE("frames that a device will cut stay whole, and partial checksums stay partial") {
  for (const Way& way : {header_ways[0], header_ways[1]}) {
    HeaderFixture f(way);
    f.syn();
    f.syn_ack();
    const std::string data(20000, 'x');
    const Arrival offloaded{.checksum = TransportChecksum::partial,
                            .segmentation = way.is_v4() ? Segmentation::tcp4 : Segmentation::tcp6,
                            .segment_size = 1400};
    const Outcome first = f.receive(f.request(f.client_says(0), data, Sum::partial), offloaded);
    REQUIRE(first.out.size() == 2);
    CHECK(first.out[0].frame == f.header_out({.acknowledgement = f.s + 1}));
    CHECK(first.out[0].segmentation == Segmentation::none);
    CHECK(first.out[0].checksum == TransportChecksum::complete);
    CHECK(first.out[1].frame == f.request_out(f.client_says(f.length()), data, Sum::partial));
    CHECK(first.out[1].segmentation == offloaded.segmentation);
    CHECK(first.out[1].checksum == TransportChecksum::partial);

    TcpLayer back = f.server_says(f.length() + 20000);
    const Outcome answer = f.receive(f.reply(back, data, Sum::partial), offloaded);
    REQUIRE(answer.out.size() == 1);
    back.acknowledgement -= f.length();
    CHECK(answer.out[0].frame == f.reply_out(back, data, Sum::partial));
    CHECK(answer.out[0].segmentation == offloaded.segmentation);
  }
}

TEST_CASE("a SYN is forwarded without data and without Fast Open") {
  const struct {
    Buffer options, left;
  } table[] = {
      {hex("0204 05b4 2202 0101"), hex("0204 05b4 0101 0101")},
      {hex("0204 05b4 220a 0011 2233 4455 6677 0101"), hex("0204 05b4 0101 0101 0101 0101 0101 0101")},
      {hex("0204 05b4 fe04 f989"), hex("0204 05b4 0101 0101")},
      {hex("0204 05b4 fe04 0001"), hex("0204 05b4 fe04 0001")},
      {hex("0204 05b4"), hex("0204 05b4")},
  };
  for (const auto& [options, left] : table) {
    for (const std::string_view data : {"", "GET / HTTP/1.1", "an odd one"}) {
      for (const Sum sum : {Sum::right, Sum::partial}) {
        HeaderFixture f;
        const Arrival arrival{.checksum =
                                  sum == Sum::partial ? TransportChecksum::partial : TransportChecksum::complete};
        const Outcome outcome = f.receive(f.request({.sequence = f.c, .options = options}, data, sum), arrival);
        REQUIRE(outcome.out.size() == 1);
        CHECK(is_right(outcome.out[0]));
        f.local_port = first_local_port;
        CHECK(outcome.out[0].frame == f.request_out({.sequence = f.c, .options = left}, {}, sum));
      }
    }
  }
}

TEST_CASE("damage from before the director is still visible after it") {
  HeaderFixture f;
  Buffer damaged = f.request({.sequence = f.c, .options = hex("0204 05b4 2202 0101")}, "data");
  damaged.back() ^= 1;
  const Outcome outcome = f.receive(damaged);
  REQUIRE(outcome.out.size() == 1);
  CHECK_FALSE(is_right(outcome.out[0]));
}

TEST_CASE("only the end of the handshake brings the header") {
  HeaderFixture f;
  f.syn();
  f.run({{"an acknowledgement before the real server has answered",
          f.request(f.client_says(0)),
          Reason::established,
          {f.request_out(f.client_says(0))}}});
  f.syn_ack();
  TcpLayer guessed = f.client_says(0);
  guessed.acknowledgement = f.s + 2;
  f.run({
      {"an acknowledgement of what was not sent", f.request(guessed), Reason::established, {f.request_out(guessed)}},
      {"the SYN again", f.request({.sequence = f.c}), Reason::established, {f.request_out({.sequence = f.c})}},
      {"RST", f.request(f.client_says(0, RST)), Reason::established, {f.request_out(f.client_says(0, RST))}},
  });
  CHECK(f.director.next_timer() == std::nullopt);
}

TEST_CASE("a connection whose begin was not seen gets no header") {
  HeaderFixture f;
  director::Switches switches;
  switches.sloppy_tcp = true;
  f.director.set_switches(switches);
  f.run({{"its middle",
          f.request(f.client_says(0, PSH | ACK), "data"),
          Reason::scheduled,
          {f.request_out(f.client_says(0, PSH | ACK), "data")}},
         {"the answer",
          f.reply(f.server_says(4)),
          Reason::reply,
          {f.reply_out({.sequence = f.s + 1, .acknowledgement = f.c + 5, .flags = ACK})}}});
  CHECK(f.director.spliced_flows().size() == 0);
}

TEST_CASE("a new connection on the ports of one that has ended gets a header of its own") {
  HeaderFixture f;
  director::Switches switches;
  switches.conn_reuse_mode = 0;  // the flow stays the same
  f.director.set_switches(switches);
  f.connect_all();
  f.receive(f.request(f.client_says(0, FIN | ACK)));
  f.receive(f.reply(f.server_says(f.length() + 1, FIN | ACK)));
  f.c = 5000;
  f.s = 6000;
  f.announce();
  CHECK(f.flow_count() == 1);
  CHECK(f.director.spliced_flows().size() == 1);
}

TEST_CASE("neither a SYN nor a late SYN-ACK of another connection disturbs an established one") {
  HeaderFixture f;
  f.connect_all();
  const auto goes_on = [&] {
    f.run({{"data",
            f.request(f.client_says(0), "data"),
            Reason::established,
            {f.request_out(f.client_says(f.length()), "data")}}});
  };
  f.receive(f.reply({.sequence = 77, .acknowledgement = 88, .flags = SYN | ACK}));
  goes_on();
  f.receive(f.request({.sequence = 99}));
  goes_on();
  f.receive(f.reply({.sequence = 77, .acknowledgement = 88, .flags = SYN | ACK}));
  goes_on();
}

TEST_CASE("a flow with a header is half open until its client has proved that it exists") {
  HeaderFixture f(usual, director::SynProxy::automatic);
  f.syn();
  f.syn_ack();
  CHECK(f.service().proxy.half_open == 1);
  f.receive(f.request(f.client_says(0)));
  CHECK(f.service().proxy.half_open == 0);
}

TEST_CASE("headers sent on demand do not count for the timer's limit") {
  HeaderFixture f;
  f.announce();
  for (int i = 0; i < 100; i++) CHECK(f.receive(f.reply(f.server_says(0))).out.size() == 2);
  CHECK(f.director.next_timer() == f.now + first_wait);
}

TEST_CASE("after its service was removed, a connection goes on as those of other services do") {
  HeaderFixture f;
  f.connect_all();
  REQUIRE(f.director.remove_service(f.key()) == director::EditResult::done);
  f.run({{"what the client sends ends here", f.request(f.client_says(0), "data"), Reason::server_removed},
         {"what the real server sends comes through",
          f.reply(f.server_says(f.length()), "data"),
          Reason::reply,
          {f.reply_out({.sequence = f.s + 1, .acknowledgement = f.c + 1, .flags = ACK}, "data")}}});
}

TEST_CASE("with the SYN proxy, the header follows the director's own handshake") {
  for (Way way : header_ways) {
    HeaderFixture f(way, director::SynProxy::on);
    const uint32_t length = f.length();
    f.take_cookie();
    f.greet();
    const TcpLayer ack{.sequence = f.c + 1, .acknowledgement = f.s + 1, .flags = ACK, .window = 502};
    f.run({{"SYN-ACK",
            f.reply({.sequence = f.s, .acknowledgement = f.c + 1, .flags = SYN | ACK, .window = 65160}),
            Reason::syn_proxy_handshake,
            {f.own_to_server(ack), f.header_out({.acknowledgement = f.s + 1, .window = 502}),
             f.own_to_client({.sequence = f.k + 1,
                              .acknowledgement = f.c + 1,
                              .flags = ACK,
                              .window = static_cast<uint16_t>(65160 - length)})}}});
    f.wait(first_wait);
    CHECK(f.frames_of_timer() == std::vector<Buffer>{f.header_out({.acknowledgement = f.s + 1, .window = 502})});
    f.run({{"both splices apply to the client's packets",
            f.request({.sequence = f.c + 1, .acknowledgement = f.k + 1, .flags = PSH | ACK}, "GET /"),
            Reason::established,
            {f.request_out(
                {.sequence = f.c + 1 + length, .acknowledgement = f.s + 1, .flags = PSH | ACK, .options = f.told()},
                "GET /")}},
           {"and to the real server's",
            f.reply({.sequence = f.s + 1, .acknowledgement = f.c + 6 + length, .flags = ACK}),
            Reason::reply,
            {f.reply_out({.sequence = f.k + 1, .acknowledgement = f.c + 6, .flags = ACK})}}});
    CHECK(f.director.next_timer() == std::nullopt);
  }
}

TEST_CASE("ICMP errors quote the numbers of the packet's sender") {
  HeaderFixture f;
  f.connect_all();
  const uint32_t length = f.length();
  const auto quoted_numbers = [&](const Buffer& about, bool to_server, size_t bytes) {
    const Buffer packet(about.begin() + 14, about.begin() + 14 + 20 + static_cast<long>(bytes));
    PacketBuilder builder = to_server ? from_client() : from_server();
    builder.ipv4({.source = to_server ? client4 : "10.0.2.254", .destination = to_server ? vip4 : local4});
    const Outcome outcome = f.receive(builder.icmp({.type = 3, .code = 1}).payload(packet).build());
    CHECK(director::reason_name(outcome.decision.reason) == "related-error");
    REQUIRE(outcome.out.size() == 1);
    CHECK(is_right(outcome.out[0]));
    const uint8_t* const tcp = outcome.out[0].frame.data() + 14 + 20 + 8 + 20;
    return std::pair(wire::load_be32(tcp + 4), bytes < 12 ? 0 : wire::load_be32(tcp + 8));
  };
  for (const size_t bytes : {8, 20}) {
    CAPTURE(bytes);
    const uint32_t acknowledgement = bytes < 12 ? 0 : f.s + 1;
    CHECK(quoted_numbers(f.request_out(f.client_says(length + 7)), false, bytes) ==
          std::pair(f.c + 8, acknowledgement));
    CHECK(quoted_numbers(f.request_out({.sequence = f.c}), false, 8).first == f.c);
    const TcpLayer reply{.sequence = f.s + 1, .acknowledgement = f.c + 8, .flags = ACK};
    CHECK(quoted_numbers(f.reply_out(reply), true, bytes) == std::pair(f.s + 1, bytes < 12 ? 0 : f.c + 8 + length));
  }
}
