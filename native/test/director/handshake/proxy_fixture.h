// SPDX-License-Identifier: Apache-2.0
// A TCP service behind the SYN proxy, its client and its real server, in either family and mode. Packets have the
// numbers of the end that sends or receives them.
#pragma once

#include "director/handshake/syn_cookie.h"
#include "test/director/fixture.h"

namespace sluice::test {

// A path through the director.
struct Way {
  wire::Family family = wire::Family::ipv4;
  Forwarding mode = Forwarding::nat;
  bool tells_client = false;
  bool has_header = false;
  bool is_v4() const { return family == wire::Family::ipv4; }
  bool is_nat() const { return mode == Forwarding::nat; }
};
inline constexpr Way ways[] = {
    {wire::Family::ipv4, Forwarding::nat},           {wire::Family::ipv6, Forwarding::nat},
    {wire::Family::ipv4, Forwarding::fullnat},       {wire::Family::ipv6, Forwarding::fullnat},
    {wire::Family::ipv4, Forwarding::fullnat, true}, {wire::Family::ipv6, Forwarding::fullnat, true}};

inline constexpr uint16_t client_port = 1234, real_port = 8080, first_local_port = 40000;
inline constexpr std::string_view local4 = "10.0.2.200", local6 = "2001:db8:2::200";

// The fields of a received TCP segment.
struct Heard {
  PortId port = 0;
  uint16_t source_port = 0, destination_port = 0;
  uint32_t sequence = 0, acknowledgement = 0;
  uint8_t flags = 0;
  uint16_t window = 0;
  director::SynOptions options;
  std::vector<uint32_t> sack;
  Buffer option_bytes, payload;
};

inline Heard hear(const Sent& sent) {
  wire::Packet packet;
  REQUIRE(wire::dissect(sent.frame, packet) == wire::Malformed::ok);
  REQUIRE(packet.protocol == wire::protocol::tcp);
  CHECK(is_right(sent));
  const wire::TcpView tcp(wire::Bytes(sent.frame).subspan(packet.l4, packet.l4_length()));
  Heard heard{sent.port,
              tcp.source_port(),
              tcp.destination_port(),
              tcp.sequence(),
              tcp.acknowledgement(),
              tcp.flags(),
              tcp.window(),
              director::read_syn_options(tcp.options())};
  heard.option_bytes.assign(tcp.options().begin(), tcp.options().end());
  heard.payload.assign(tcp.payload().begin(), tcp.payload().end());
  wire::OptionWalk walk(heard.option_bytes);
  for (wire::Option option; walk.next(option);) {
    if (option.kind != wire::tcp_option::sack) continue;
    for (size_t at = 0; at < option.data.size(); at += 4) heard.sack.push_back(wire::load_be32(&option.data[at]));
  }
  return heard;
}

inline Buffer be32(uint32_t value) {
  Buffer bytes(4);
  wire::store_be32(bytes.data(), value);
  return bytes;
}
inline Buffer timestamp_option(uint32_t value, uint32_t echo) {
  return hex("0101 080a") + be32(value) + be32(echo);
}

struct ProxyFixture : Fixture {
  explicit ProxyFixture(Way through = {}, director::SynProxy proxy = director::SynProxy::on,
                        const director::DirectorOptions& options = small_options())
      : Fixture(options), way(through) {
    set_pool(1, {local4, local6}, first_local_port, first_local_port + 99);
    director::ServiceSettings settings;
    settings.syn_proxy = proxy;
    settings.pool = 1;
    settings.toa = way.tells_client;
    settings.proxy_protocol = way.has_header;
    add(key(), settings);
    add_server(key(), real(), real_port, {way.mode});
  }

  director::ServiceKey key() const { return tcp(way.is_v4() ? vip4 : vip6); }
  std::string_view real() const { return way.is_v4() ? server4 : server6; }
  const director::Service& service() { return *director.services().find(key()); }
  const director::Destination& destination() { return server_of(key(), real()); }

  // request(): as the client sends the segment; request_out(): as the real server receives it.
  Buffer request(TcpLayer layer, std::string_view data = {}, Sum sum = Sum::right) const {
    layer.source_port = port;
    layer.destination_port = 80;
    layer.sum = sum;
    auto builder = from_client();
    way.is_v4() ? builder.ipv4({.source = client4, .destination = vip4})
                : builder.ipv6({.source = client6, .destination = vip6});
    return builder.tcp(layer).payload(data).build();
  }
  Buffer request_out(TcpLayer layer, std::string_view data = {}, Sum sum = Sum::right, bool is_own = false) const {
    layer.source_port = way.is_nat() ? port : local_port;
    layer.destination_port = real_port;
    layer.sum = sum;
    const uint8_t ttl = is_own ? 64 : 63;
    auto builder = to_server();
    way.is_v4()
        ? builder.ipv4(
              {.source = way.is_nat() ? client4 : local4, .destination = server4, .ttl = ttl, .dont_fragment = is_own})
        : builder.ipv6({.source = way.is_nat() ? client6 : local6, .destination = server6, .hop_limit = ttl});
    return builder.tcp(layer).payload(data).build();
  }
  // reply(): as the real server sends the segment; reply_out(): as the client receives it.
  Buffer reply(TcpLayer layer, std::string_view data = {}, Sum sum = Sum::right) const {
    layer.source_port = real_port;
    layer.destination_port = way.is_nat() ? port : local_port;
    layer.sum = sum;
    auto builder = from_server();
    way.is_v4() ? builder.ipv4({.source = server4, .destination = way.is_nat() ? client4 : local4})
                : builder.ipv6({.source = server6, .destination = way.is_nat() ? client6 : local6});
    return builder.tcp(layer).payload(data).build();
  }
  Buffer reply_out(TcpLayer layer, std::string_view data = {}, Sum sum = Sum::right, bool is_own = false) const {
    layer.source_port = 80;
    layer.destination_port = port;
    layer.sum = sum;
    const uint8_t ttl = is_own ? 64 : 63;
    auto builder = to_client();
    way.is_v4() ? builder.ipv4({.source = vip4, .destination = client4, .ttl = ttl, .dont_fragment = is_own})
                : builder.ipv6({.source = vip6, .destination = client6, .hop_limit = ttl});
    return builder.tcp(layer).payload(data).build();
  }
  // A segment that the director itself writes.
  Buffer own_to_server(TcpLayer layer) const {
    if (way.tells_client) layer.options = toa() + layer.options;
    return request_out(layer, {}, Sum::right, true);
  }
  Buffer own_to_client(const TcpLayer& layer) const { return reply_out(layer, {}, Sum::right, true); }
  Buffer reset_to_client() const { return own_to_client({.sequence = k + 1, .flags = RST, .window = 0}); }

  Buffer toa() const {
    return way.is_v4() ? hex("fe 08 04d2 0a000102") : hex("fe 14 04d2 20010db8000100000000000000000002");
  }

  // The SYN is answered; then k is known.
  void take_cookie(const Buffer& options = {}) {
    const Outcome outcome = receive(request({.sequence = c, .window = 64240, .options = options}));
    REQUIRE(director::reason_name(outcome.decision.reason) == "syn-cookie-sent");
    REQUIRE(outcome.out.size() == 1);
    k = hear(outcome.out[0]).sequence;
  }
  // The ACK with the cookie; then the real server has been sent its SYN.
  void greet(const Buffer& options = {}) {
    const Outcome outcome = receive(
        request({.sequence = c + 1, .acknowledgement = k + 1, .flags = ACK, .window = 502, .options = options}));
    REQUIRE(director::reason_name(outcome.decision.reason) == "syn-proxy-handshake");
    REQUIRE(outcome.out.size() == 1);
    local_port = hear(outcome.out[0]).source_port;
  }
  // The real server's SYN-ACK; then both ends are connected.
  void join(const Buffer& options = {}) {
    const Outcome outcome = receive(
        reply({.sequence = s, .acknowledgement = c + 1, .flags = SYN | ACK, .window = 65160, .options = options}));
    REQUIRE(director::reason_name(outcome.decision.reason) == "syn-proxy-handshake");
    REQUIRE(outcome.out.size() == 2);
  }
  void connect() {
    take_cookie();
    greet();
    join();
  }

  std::string_view state() {
    std::string_view found = "none";
    const auto look = [&](auto& flow) { found = director::name(static_cast<director::TcpState>(flow.state)); };
    auto& flows4 = director.flows<wire::Ipv4Address>().table();
    auto& flows6 = director.flows<wire::Ipv6Address>().table();
    flows4.walk(0, flows4.span(), look);
    flows6.walk(0, flows6.span(), look);
    return found;
  }
  bool said(std::string_view words) const {
    for (const std::string& line : trace.steps()) {
      if (line.find(words) != line.npos) return true;
    }
    return false;
  }

  Way way;
  uint16_t port = client_port, local_port = first_local_port;
  // The initial sequence numbers of the client, the cookie and the real server.
  uint32_t c = 1000, k = 0, s = 0x70000000;
};

}  // namespace sluice::test
