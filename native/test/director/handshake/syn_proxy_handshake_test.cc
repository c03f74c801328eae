// SPDX-License-Identifier: Apache-2.0
// The SYN proxy when a handshake fails, and other packets of a flow that it opened.
#include "test/director/handshake/proxy_fixture.h"

using namespace sluice;
using namespace sluice::test;

TEST_CASE("if a real server refuses, the client is reset and may connect again") {
  for (const Way& way : ways) {
    ProxyFixture f(way);
    f.take_cookie();
    f.greet();
    const Buffer refusal = f.reply({.sequence = 0, .acknowledgement = f.c + 1, .flags = RST | ACK, .window = 0});
    f.run({
        {"a RST that acknowledges something else", f.reply({.acknowledgement = 4, .flags = RST | ACK}),
         Reason::syn_proxy_handshake},
        {"a RST that acknowledges nothing", f.reply({.flags = RST}), Reason::syn_proxy_handshake},
        {"RST", refusal, Reason::syn_proxy_handshake, {f.reset_to_client()}},
    });
    CHECK(f.said("refuses"));
    CHECK(f.state() == "CLOSE");
    f.run({
        {"RST again", refusal, Reason::syn_proxy_handshake},
        {"the client has not heard",
         f.request({.sequence = f.c + 1, .acknowledgement = f.k + 1, .flags = ACK}, "GET"),
         Reason::syn_proxy_handshake,
         {f.reset_to_client()}},
    });
    f.c += 5000;
    f.connect();
    CHECK(f.state() == "ESTABLISHED");
    CHECK(f.flow_count() == 1);
    CHECK(f.director.spliced_flows().size() == 1);
  }
}

TEST_CASE("a silent real server gets its SYN again after 1, 2 and 4 seconds, and after 15 the client is reset") {
  for (const Way& way : ways) {
    ProxyFixture f(way);
    f.take_cookie();
    f.greet();
    const Time began = f.now;
    const Buffer data =
        f.request({.sequence = f.c + 1, .acknowledgement = f.k + 1, .flags = ACK, .window = 300}, "GET");
    const Buffer mss = way.is_v4() ? hex("0204 0218") : hex("0204 04c4");
    const auto syn = [&](uint16_t window) {
      return f.own_to_server({.sequence = f.c, .flags = SYN, .window = window, .options = mss});
    };
    const auto sent_by = [&](Time after) {
      f.timer_sent.clear();
      f.wait(began + after - f.now);
      std::vector<Buffer> frames;
      for (const Sent& sent : f.timer_sent) {
        CHECK(is_right(sent));
        frames.push_back(sent.frame);
      }
      return frames;
    };
    using Frames = std::vector<Buffer>;
    constexpr Time moment = second / 1000;
    CHECK(f.director.next_timer() == began + second);
    CHECK(sent_by(second - moment) == Frames{});
    CHECK(sent_by(second) == Frames{syn(502)});
    CHECK(f.director.next_timer() == began + 3 * second);
    f.run({{"data is not kept, its window is passed on", data, Reason::syn_proxy_handshake}});
    CHECK(sent_by(3 * second - moment) == Frames{});
    CHECK(sent_by(3 * second) == Frames{syn(300)});
    CHECK(sent_by(7 * second) == Frames{syn(300)});
    CHECK(f.destination().counters.packets_in == 1);
    CHECK(f.state() == "SYN_RECV");
    SUBCASE("the real server stays silent") {
      CHECK(sent_by(15 * second - moment) == Frames{});
      CHECK(sent_by(15 * second) == Frames{f.reset_to_client()});
      CHECK(f.state() == "CLOSE");
      CHECK(f.director.next_timer() == std::nullopt);
      f.run({{"the client has not heard",
              data,
              Reason::syn_proxy_handshake,
              {f.own_to_client({.sequence = f.k + 1, .flags = RST, .window = 0})}},
             {"a late SYN-ACK",
              f.reply({.sequence = 3, .acknowledgement = f.c + 1, .flags = SYN | ACK}),
              Reason::syn_proxy_handshake,
              {f.request_out({.sequence = f.c + 1, .flags = RST, .window = 0}, {}, Sum::right, true)}}});
      f.wait(11 * second);
      CHECK(f.flow_count() == 0);
      CHECK(f.director.spliced_flows().size() == 0);
    }
    SUBCASE("the real server answers in the end") {
      f.join();
      CHECK(f.state() == "ESTABLISHED");
      CHECK(f.director.next_timer() == std::nullopt);
      CHECK(sent_by(60 * second) == Frames{});
    }
    SUBCASE("the client gives up") {
      f.run({{"reset", f.request({.sequence = f.c + 1, .flags = RST}), Reason::syn_proxy_handshake}});
      CHECK(f.director.next_timer() == std::nullopt);
      CHECK(sent_by(60 * second) == Frames{});
      CHECK(f.flow_count() == 0);
    }
    SUBCASE("the real server is removed") {
      f.remove_server(f.key(), f.real(), real_port);
      CHECK(sent_by(15 * second) == Frames{f.reset_to_client()});
    }
  }
}

TEST_CASE("timers of many spliced flows become due in order, at most a budget of them per call") {
  ProxyFixture f;
  constexpr uint16_t flows = 20;
  for (uint16_t i = 0; i < flows; i++) {
    f.port = static_cast<uint16_t>(client_port + i);
    f.take_cookie();
    f.greet();
    f.now += second / 100;
  }
  // One in three is answered and does not wait any more.
  for (uint16_t i = 0; i < flows; i += 3) {
    f.port = static_cast<uint16_t>(client_port + i);
    f.join();
  }
  f.now += second;
  director::TransmitQueue out;
  std::vector<uint16_t> ports;
  int calls = 0;
  for (bool done = false; !done; calls++) {
    out.clear();
    done = f.director.advance(f.now, 4, out);
    CHECK(out.entries().size() <= 4);
    for (const auto& entry : out.entries()) {
      CHECK(entry.cause == director::TransmitQueue::no_cause);
      ports.push_back(wire::load_be16(entry.frame.data + 14 + 20));
    }
  }
  CHECK(calls >= 4);
  REQUIRE(ports.size() == 13);
  for (size_t i = 0; i < ports.size(); i++) CHECK(ports[i] == client_port + i / 2 * 3 + i % 2 + 1);
  for (int i = 0; i < 30; i++) f.wait(second);
  CHECK(f.director.spliced_flows().size() == 7);
}

TEST_CASE("if the client's ACK is lost, a probe, data or FIN replaces it") {
  for (const Way& way : ways) {
    const struct {
      const char* what;
      uint32_t ahead;
      uint8_t flags;
      const char* data;
    } table[] = {{"a probe of Linux's", 0, ACK, ""}, {"a probe of others", 1, ACK, "G"}, {"FIN", 1, FIN | ACK, ""}};
    for (const auto& [what, ahead, flags, data] : table) {
      CAPTURE(what);
      ProxyFixture f(way);
      f.take_cookie();
      const Outcome outcome = f.receive(
          f.request({.sequence = f.c + ahead, .acknowledgement = f.k + 1, .flags = flags, .window = 502}, data));
      REQUIRE(outcome.out.size() == 1);
      const Heard syn = hear(outcome.out[0]);
      CHECK(syn.flags == SYN);
      CHECK(syn.sequence == f.c);
      CHECK(syn.payload.empty());
      f.local_port = syn.source_port;
      f.join();
      CHECK(f.state() == "ESTABLISHED");
    }
  }
}

TEST_CASE("a SYN-ACK that the real server repeats is acknowledged again, and only that one") {
  for (const Way& way : ways) {
    ProxyFixture f(way);
    f.connect();
    const TcpLayer syn_ack{.sequence = f.s, .acknowledgement = f.c + 1, .flags = SYN | ACK, .window = 65160};
    f.run({{"again",
            f.reply(syn_ack),
            Reason::syn_proxy_handshake,
            {f.own_to_server({.sequence = f.c + 1, .acknowledgement = f.s + 1, .flags = ACK, .window = 502}),
             f.own_to_client({.sequence = f.k + 1, .acknowledgement = f.c + 1, .flags = ACK, .window = 65160})}}});
    f.run({{"of another connection",
            f.reply({.sequence = f.s + 7, .acknowledgement = f.c + 1, .flags = SYN | ACK}),
            Reason::syn_proxy_handshake,
            {f.request_out({.sequence = f.c + 1, .flags = RST, .window = 0}, {}, Sum::right, true)}}});
    CHECK(f.state() == "CLOSE");
  }
}

TEST_CASE("a real server that remembers an older connection is reset and gets the SYN again") {
  for (const Way& way : ways) {
    ProxyFixture f(way);
    f.take_cookie();
    f.greet();
    const Buffer mss = way.is_v4() ? hex("0204 0218") : hex("0204 04c4");
    f.run({{"a challenge",
            f.reply({.sequence = 77, .acknowledgement = 88, .flags = ACK}),
            Reason::syn_proxy_handshake,
            {f.request_out({.sequence = 88, .flags = RST, .window = 0}, {}, Sum::right, true),
             f.own_to_server({.sequence = f.c, .flags = SYN, .window = 502, .options = mss})}},
           {"an ACK without SYN", f.reply({.acknowledgement = f.c + 1, .flags = ACK}), Reason::syn_proxy_handshake},
           {"a wrong checksum", f.reply({.acknowledgement = f.c + 1, .flags = SYN | ACK, .checksum = 5}),
            Reason::bad_tcp_checksum}});
    f.join();
    CHECK(f.state() == "ESTABLISHED");
  }
}

TEST_CASE("a real server may decline options") {
  ProxyFixture f;
  const Buffer offered = hex("0204 05b4 0402 080a 00000005 00000000 01 0303 03");
  f.take_cookie(offered);
  SUBCASE("window scale: windows are unscaled for the real server, and have the promised scale for the client") {
    f.greet(timestamp_option(6, 1000'000));
    const Outcome joined = f.receive(f.reply({.sequence = f.s,
                                              .acknowledgement = f.c + 1,
                                              .flags = SYN | ACK,
                                              .window = 30000,
                                              .options = timestamp_option(70, 6)}));
    REQUIRE(joined.out.size() == 2);
    CHECK(hear(joined.out[0]).window == 502 << 3);
    CHECK(hear(joined.out[1]).window == 30000 >> 7);
    const auto through = [&](const Buffer& packet) { return hear(f.receive(packet).out.at(0)).window; };
    CHECK(through(f.request({.acknowledgement = f.k + 1, .flags = ACK, .window = 600})) == 600 << 3);
    CHECK(through(f.request({.acknowledgement = f.k + 1, .flags = ACK, .window = 60000})) == 65535);
    CHECK(through(f.reply({.acknowledgement = f.c + 1, .flags = ACK, .window = 60000})) == 60000 >> 7);
  }
  SUBCASE("timestamps: both ends are reset, and the next client is not promised timestamps") {
    f.greet(timestamp_option(6, 1000'000));
    f.run({{"SYN-ACK",
            f.reply({.sequence = f.s, .acknowledgement = f.c + 1, .flags = SYN | ACK, .options = hex("0204 05b4")}),
            Reason::syn_proxy_handshake,
            {f.request_out({.sequence = f.c + 1, .flags = RST, .window = 0}, {}, Sum::right, true),
             f.reset_to_client()}}});
    CHECK(f.said("declines timestamps"));
    CHECK(f.state() == "CLOSE");
    f.port++;
    CHECK_FALSE(hear(f.receive(f.request({.options = offered})).out.at(0)).options.timestamps);
    f.wait(600 * second);
    CHECK(hear(f.receive(f.request({.options = offered})).out.at(0)).options.timestamps);
  }
}

TEST_CASE("a proven client that gets no real server is reset") {
  ProxyFixture f;
  f.take_cookie();
  const Buffer ack = f.request({.sequence = f.c + 1, .acknowledgement = f.k + 1, .flags = ACK});
  const auto is_reset = [&](Reason reason) {
    const Outcome outcome = f.receive(ack);
    CHECK(director::reason_name(outcome.decision.reason) == director::reason_name(reason));
    REQUIRE(!outcome.out.empty());
    CHECK(outcome.out.back().frame == f.reset_to_client());
    CHECK(f.flow_count() == 0);
    CHECK(f.director.spliced_flows().size() == 0);
  };
  SUBCASE("all servers are drained") {
    f.edit_server(f.key(), f.real(), real_port, {.weight = 0});
    is_reset(Reason::no_real_server);
  }
  SUBCASE("replies would not come back through the director") {
    f.edit_server(f.key(), f.real(), real_port, {Forwarding::dr});
    is_reset(Reason::no_real_server);
  }
  SUBCASE("the flow table is full") {
    f.director.set_flow_limit(0);
    is_reset(Reason::flow_limit);
  }
  SUBCASE("there is no pool") {
    f.set_pool(1, {}, 1024, 1024);
    f.edit_server(f.key(), f.real(), real_port, {Forwarding::fullnat});
    is_reset(Reason::pool_missing);
  }
  SUBCASE("a service without servers answers as without a proxy") {
    f.remove_server(f.key(), f.real(), real_port);
    CHECK(f.receive(f.request({})).decision.reason == Reason::no_real_server);
  }
  SUBCASE("an unknown neighbour is asked for, and the timer repeats the SYN") {
    Network network;
    std::erase_if(network.neighbours, [](const director::Neighbour& one) { return one.address == address(server4); });
    f.use(network);
    CHECK(f.receive(ack).decision.reason == Reason::no_neighbour);
    f.use(Network());
    f.wait(second);
    REQUIRE(f.timer_sent.size() == 1);
    CHECK(hear(f.timer_sent[0]).flags == SYN);
  }
  SUBCASE("there is no route to the server") {
    Network network;
    network.ports[s0].addresses.clear();
    network.routes.clear();
    network.routes.push_back({address("10.0.1.0"), 24, address("0.0.0.0"), c0});
    f.use(network);
    const Outcome outcome = f.receive(ack);
    CHECK(outcome.decision.reason == Reason::no_route);
    REQUIRE(outcome.out.size() == 1);
    CHECK(outcome.out[0].frame == f.reset_to_client());
    CHECK(f.state() == "CLOSE");
  }
}

TEST_CASE("the client may reset or begin again while the real server has not answered") {
  ProxyFixture f;
  f.take_cookie();
  f.greet();
  const Buffer late = f.reply({.sequence = 3, .acknowledgement = f.c + 1, .flags = SYN | ACK});
  f.run(
      {{"a RST that is not the client's", f.request({.sequence = f.c + 2, .flags = RST}), Reason::syn_proxy_handshake},
       {"an ACK that is not the client's", f.request({.sequence = f.c + 1, .acknowledgement = 1, .flags = ACK}),
        Reason::syn_cookie_invalid},
       {"the SYN, late", f.request({.sequence = f.c}), Reason::syn_proxy_handshake}});
  CHECK(f.state() == "SYN_RECV");
  SUBCASE("it resets") {
    f.run({{"RST", f.request({.sequence = f.c + 1, .flags = RST}), Reason::syn_proxy_handshake},
           {"the answer",
            late,
            Reason::syn_proxy_handshake,
            {f.request_out({.sequence = f.c + 1, .flags = RST, .window = 0}, {}, Sum::right, true)}}});
    CHECK(f.state() == "CLOSE");
  }
  SUBCASE("it begins again") {
    f.c += 100;
    f.connect();
    CHECK(f.flow_count() == 1);
    CHECK(f.director.spliced_flows().size() == 1);
  }
}

TEST_CASE("a port that is used again after a spliced connection gets a new cookie") {
  ProxyFixture f;
  f.connect();
  f.run({{"a SYN in its midst is the real server's to challenge",
          f.request({.sequence = 5}),
          Reason::established,
          {f.request_out({.sequence = 5})}},
         {"RST",
          f.reply({.sequence = f.s + 1, .flags = RST}),
          Reason::reply,
          {f.reply_out({.sequence = f.k + 1, .flags = RST})}}});
  CHECK(f.state() == "CLOSE");
  f.c = 90000;
  f.s = 5;
  f.connect();
  CHECK(f.state() == "ESTABLISHED");
  CHECK(f.flow_count() == 1);
  CHECK(f.director.spliced_flows().size() == 1);
}

TEST_CASE("partial checksums and frames that a device will cut are spliced, too") {
  for (const Way& way : ways) {
    ProxyFixture f(way);
    f.connect();
    // The real server has sent more than a SYN-ACK: it knows the client's address.
    f.receive(f.reply({.sequence = f.s + 1, .acknowledgement = f.c + 1, .flags = ACK}));
    const std::string data(4000, 'd');
    const Segmentation kind = way.is_v4() ? Segmentation::tcp4 : Segmentation::tcp6;
    const Arrival large{.checksum = TransportChecksum::partial, .segmentation = kind, .segment_size = 1400};
    const Arrival partial{.checksum = TransportChecksum::partial};
    const TcpLayer in{.sequence = f.c + 1, .acknowledgement = f.k + 1, .flags = ACK};
    const TcpLayer in_out{.sequence = f.c + 1, .acknowledgement = f.s + 1, .flags = ACK};
    const TcpLayer back{.sequence = f.s + 1, .acknowledgement = f.c + 1, .flags = ACK};
    const TcpLayer back_out{.sequence = f.k + 1, .acknowledgement = f.c + 1, .flags = ACK};
    f.run({{"large in",
            f.request(in, data, Sum::partial),
            Reason::established,
            {f.request_out(in_out, data, Sum::partial)},
            large},
           {"large back",
            f.reply(back, data, Sum::partial),
            Reason::reply,
            {f.reply_out(back_out, data, Sum::partial)},
            large},
           {"partial in",
            f.request(in, "x", Sum::partial),
            Reason::established,
            {f.request_out(in_out, "x", Sum::partial)},
            partial},
           {"partial back",
            f.reply(back, "x", Sum::partial),
            Reason::reply,
            {f.reply_out(back_out, "x", Sum::partial)},
            partial}});
  }
  SUBCASE("handshakes with partial checksums are answered") {
    ProxyFixture f;
    const Arrival partial{.checksum = TransportChecksum::partial};
    const Outcome answered = f.receive(f.request({.sequence = f.c}, {}, Sum::partial), partial);
    REQUIRE(answered.out.size() == 1);
    CHECK(answered.out[0].checksum == TransportChecksum::complete);
    f.k = hear(answered.out[0]).sequence;
    const Outcome greeted = f.receive(
        f.request({.sequence = f.c + 1, .acknowledgement = f.k + 1, .flags = ACK}, {}, Sum::partial), partial);
    REQUIRE(greeted.out.size() == 1);
    CHECK(hear(greeted.out[0]).flags == SYN);
    const Outcome joined = f.receive(
        f.reply({.sequence = f.s, .acknowledgement = f.c + 1, .flags = SYN | ACK}, {}, Sum::partial), partial);
    REQUIRE(joined.out.size() == 2);
    CHECK(hear(joined.out[0]).acknowledgement == f.s + 1);
    CHECK(hear(joined.out[1]).sequence == f.k + 1);
  }
}

TEST_CASE("fragments of spliced segments follow their first; before the splice they are not kept") {
  ProxyFixture f;
  f.connect();
  const std::string data(1200, 'f');
  // Cut by hand: the first 1,000 bytes of the segment, and the rest.
  const auto pieces = [](const Buffer& whole) {
    constexpr size_t link = 14, header = 20, cut = 1000;
    std::array<Buffer, 2> cuts;
    const Buffer segment(whole.begin() + link + header, whole.end());
    for (size_t i = 0; i < 2; i++) {
      Buffer piece(whole.begin(), whole.begin() + link + header);
      piece.insert(piece.end(), segment.begin() + (i == 0 ? 0 : cut), i == 0 ? segment.begin() + cut : segment.end());
      wire::MutableIpv4View ip(wire::MutableBytes(piece.data() + link, piece.size() - link));
      ip.set_total_length(static_cast<uint16_t>(piece.size() - link));
      wire::store_be16(piece.data() + link + 6, i == 0 ? 0x2000 : cut / 8);
      ip.fill_checksum();
      cuts[i] = piece;
    }
    return cuts;
  };
  const auto in = pieces(f.reply({.sequence = f.s + 1, .acknowledgement = f.c + 1, .flags = ACK}, data));
  const auto out = pieces(f.reply_out({.sequence = f.k + 1, .acknowledgement = f.c + 1, .flags = ACK}, data));
  f.run({{"first", in[0], Reason::reply, {out[0]}}, {"later", in[1], Reason::fragment, {out[1]}}});

  ProxyFixture greeting;
  greeting.take_cookie();
  const auto early =
      pieces(greeting.request({.sequence = greeting.c + 1, .acknowledgement = greeting.k + 1, .flags = ACK}, data));
  CHECK(greeting.receive(early[0]).decision.reason == Reason::syn_proxy_handshake);
  greeting.run({{"later", early[1], Reason::syn_proxy_handshake}});
}

TEST_CASE("ICMP errors quote the numbers of the packet's sender") {
  for (const Way& way : {ways[0], ways[1], ways[2], ways[3]}) {
    ProxyFixture f(way);
    f.connect();
    const auto quote = [](const Buffer& frame) { return Buffer(frame.begin() + 14, frame.end()); };
    const auto error = [&](PacketBuilder builder, std::string_view source, std::string_view destination,
                           const Buffer& about) {
      if (way.is_v4()) {
        builder.ipv4({.source = source, .destination = destination}).icmp({.type = 3, .code = 4, .rest = 1400});
      } else {
        builder.ipv6({.source = source, .destination = destination}).icmpv6({.type = 2, .code = 0, .rest = 1400});
      }
      return builder.payload(quote(about)).build();
    };
    const auto quoted = [&](const Outcome& outcome) {
      REQUIRE(outcome.out.size() == 1);
      CHECK(is_right(outcome.out[0]));
      const size_t header = way.is_v4() ? 20 : 40;
      const uint8_t* tcp = outcome.out[0].frame.data() + 14 + header + 8 + header;
      return std::pair(wire::load_be32(tcp + 4), wire::load_be32(tcp + 8));
    };
    const std::string_view client = way.is_v4() ? client4 : client6, vip = way.is_v4() ? vip4 : vip6;
    const std::string_view local = way.is_v4() ? local4 : local6;
    const Outcome to_server = f.receive(error(
        from_client(), client, vip, f.reply_out({.sequence = f.k + 1, .acknowledgement = f.c + 1, .flags = ACK}, "x")));
    CHECK(to_server.decision.reason == Reason::related_error);
    CHECK(quoted(to_server) == std::pair(f.s + 1, f.c + 1));
    const Outcome to_client =
        f.receive(error(from_server(), f.real(), way.is_nat() ? client : local,
                        f.request_out({.sequence = f.c + 1, .acknowledgement = f.s + 1, .flags = ACK}, "x")));
    CHECK(to_client.decision.reason == Reason::related_error);
    CHECK(quoted(to_client) == std::pair(f.c + 1, f.k + 1));
  }
}

TEST_CASE("a quotation is translated back as far as it goes: numbers, windows, timestamps and SACK blocks") {
  director::Splice splice;
  splice.sequence = 0x01020304;
  splice.timestamp = 0x100;
  splice.promised_scale = 7;
  splice.real_scale = 5;
  const Buffer options = timestamp_option(5000, 6000) + hex("0101 050a") + be32(70000) + be32(71000);
  TcpLayer layer{.sequence = 100, .acknowledgement = 200, .flags = ACK, .window = 4096, .options = options};
  const Buffer sent = PacketBuilder().tcp(layer).payload("data").build();
  for (size_t length = 8; length <= sent.size(); length++) {
    CAPTURE(length);
    for (const bool is_to_client : {true, false}) {
      CAPTURE(is_to_client);
      Buffer received = sent;
      wire::MutableTcpView tcp{wire::MutableBytes(received)};
      is_to_client ? to_client(tcp, splice) : to_server(tcp, splice);
      CHECK(received != sent);
      Buffer quoted(received.begin(), received.begin() + static_cast<ptrdiff_t>(length));
      is_to_client ? unquote_to_client(quoted, splice) : unquote_to_server(quoted, splice);
      Buffer expected(sent.begin(), sent.begin() + static_cast<ptrdiff_t>(length));
      // An option, a number or a window that is cut off stays as the receiver saw it.
      for (size_t at = 0; at < length; at++) {
        const bool is_whole = length == sent.size() || (at < 20 && at + 4 <= length / 4 * 4);
        if (is_whole) CHECK(quoted[at] == expected[at]);
      }
    }
  }
}

TEST_CASE("errors that the director sends about spliced packets quote them as they arrived") {
  ProxyFixture f;
  f.connect();
  Network network;
  network.ports[c0].mtu = 1000;
  f.use(network);
  auto large = from_server().ipv4({.source = server4, .destination = client4, .dont_fragment = true});
  const Buffer reply = large
                           .tcp({.source_port = real_port,
                                 .destination_port = client_port,
                                 .sequence = f.s + 1,
                                 .acknowledgement = f.c + 1,
                                 .flags = ACK})
                           .payload(Buffer(1200, 'x'))
                           .build();
  const Outcome outcome = f.receive(reply);
  CHECK(outcome.decision.reason == Reason::too_big);
  REQUIRE(outcome.out.size() == 1);
  const Buffer& answer = outcome.out[0].frame;
  CHECK(std::equal(reply.begin() + 14, reply.begin() + 14 + 40, answer.begin() + 14 + 20 + 8));
}

TEST_CASE("persistence, limits and firewall marks apply to proven clients") {
  ProxyFixture f;
  director::ServiceSettings settings = f.service().settings;
  SUBCASE("persistence: one template for both connections") {
    settings.persistence = 300;
    settings.persistence_mask = address("255.255.255.255");
    REQUIRE(f.director.services().edit_service(f.key(), settings) == director::EditResult::done);
    f.connect();
    f.port++;
    f.connect();
    CHECK(f.destination().persistent == 1);
    CHECK(f.destination().active == 2);
  }
  SUBCASE("a source limit counts proven clients, not SYNs") {
    settings.source_limit = {1, 1, 32};
    REQUIRE(f.director.services().edit_service(f.key(), settings) == director::EditResult::done);
    for (int i = 0; i < 5; i++) f.take_cookie();
    f.greet();
    f.port++;
    f.take_cookie();
    f.run({{"one too many",
            f.request({.sequence = f.c + 1, .acknowledgement = f.k + 1, .flags = ACK}),
            Reason::source_limit,
            {f.reset_to_client()}}});
  }
  SUBCASE("a firewall mark: TCP is spliced, UDP is not") {
    f.add(mark(7), settings);
    f.add_server(mark(7), "10.0.2.12", 0);
    const auto in = [] { return from_client().ipv4({.source = client4, .destination = "10.0.1.77"}); };
    const Arrival marked{.mark = 7};
    CHECK(f.receive(in().tcp({}).build(), marked).decision.reason == Reason::syn_cookie_sent);
    CHECK(f.receive(in().udp({}).build(), marked).decision.reason == Reason::scheduled);
  }
}
