// SPDX-License-Identifier: Apache-2.0
// Every reason of a decision has a packet here that produces it, with as little setup as possible. If a reason is added
// without a packet, the last test fails.
#include <functional>

#include "test/director/fixture.h"

using namespace sluice;
using namespace sluice::test;

namespace {

struct Producer {
  Reason reason;
  std::function<Outcome(Fixture&)> produce;
};

Buffer syn(uint16_t port = 1) {
  return from_client().ipv4().tcp({.source_port = port}).build();
}
Buffer query(const Ipv4Layer& layer = {}) {
  return from_client().ipv4(layer).udp({.source_port = 1, .destination_port = 53}).payload(Buffer(56)).build();
}
Buffer piece(uint16_t offset, size_t size = 16, bool more = true) {
  return from_client().ipv4({.offset = offset, .more = more, .protocol = 17}).payload(Buffer(size)).build();
}
PacketBuilder from_remote() {
  return from_router().ipv4({.source = "198.51.100.7", .destination = "10.0.1.200"});
}
PacketBuilder to_remote() {
  return from_server().ipv4({.source = server4, .destination = "198.51.100.7"});
}

void web(Fixture& f, const director::ServiceSettings& settings = {}, const ServerOptions& server = {},
         std::string_view host = server4) {
  f.add(tcp(), settings);
  f.add_server(tcp(), host, 8080, server);
}
void dns(Fixture& f) {
  f.add(udp());
  f.add_server(udp(), server4, 53);
}
void gateway(Fixture& f, uint16_t last_port = 50000) {
  f.set_pool(2, {"10.0.1.200"}, 50000, last_port);
  f.director.set_egress({{address("10.0.2.0"), 24, 2}});
}
void set(Fixture& f, const std::function<void(director::Switches&)>& change) {
  director::Switches switches;
  change(switches);
  f.director.set_switches(switches);
}
director::ServiceSettings settings(const std::function<void(director::ServiceSettings&)>& change) {
  director::ServiceSettings result;
  change(result);
  return result;
}
Network changed(const std::function<void(Network&)>& change) {
  Network network;
  change(network);
  return network;
}
// A service whose virtual address the host has, and whose real server is this host.
void local_web(Fixture& f, Forwarding forwarding, std::string_view host) {
  f.use(changed([](Network& n) { n.ports[c0].addresses.push_back({address(vip4), 32}); }));
  web(f, {}, {.forwarding = forwarding}, host);
}
void proxied_web(Fixture& f) {
  web(f, settings([](auto& s) { s.syn_proxy = director::SynProxy::on; }));
}
Buffer cut(Buffer frame, size_t size) {
  frame.resize(size);
  return frame;
}
const ChunkLayer init{.type = wire::sctp_chunk::init, .value = Buffer(20)};

struct RepliesComeBack final : director::HostReplies {
  bool expect(const director::HostReply&) override { return true; }
  void forget(const director::HostReply&) override {}
};

const std::vector<Producer>& producers() {
  static const std::vector<Producer> all = {
      // forward
      {Reason::established, [](Fixture& f) { return web(f), f.receive(syn()), f.receive(syn()); }},
      {Reason::reply,
       [](Fixture& f) {
         web(f), f.receive(syn());
         return f.receive(from_server()
                              .ipv4({.source = server4, .destination = client4})
                              .tcp({.source_port = 8080, .destination_port = 1, .flags = SYN | ACK})
                              .build());
       }},
      {Reason::scheduled, [](Fixture& f) { return web(f), f.receive(syn()); }},
      {Reason::persistent,
       [](Fixture& f) {
         web(f, settings([](auto& s) { s.persistence = 10; })), f.receive(syn(1));
         return f.receive(syn(2));
       }},
      {Reason::related_error,
       [](Fixture& f) {
         web(f), f.receive(syn());
         return f.receive(from_server()
                              .ipv4({.source = server4, .destination = client4})
                              .icmp({.type = 3})
                              .ipv4({.source = client4, .destination = server4})
                              .tcp({.source_port = 1, .destination_port = 8080})
                              .build());
       }},
      {Reason::fragment, [](Fixture& f) { return dns(f), f.receive(query({.more = true})), f.receive(piece(64)); }},
      {Reason::egress,
       [](Fixture& f) {
         return gateway(f), f.receive(to_remote().udp().build()), f.receive(to_remote().udp().build());
       }},
      {Reason::egress_opened, [](Fixture& f) { return gateway(f), f.receive(to_remote().udp().build()); }},
      // pass
      {Reason::not_addressed_here,
       [](Fixture& f) { return f.receive(ethernet({.destination = server_mac}).ipv4().tcp().build()); }},
      {Reason::not_ip,
       [](Fixture& f) { return f.receive(ethernet({.destination = c0_mac, .type = 0x88cc}).payload("x").build()); }},
      {Reason::no_service, [](Fixture& f) { return f.receive(syn()); }},
      {Reason::other_protocol, [](Fixture& f) { return f.receive(from_client().ipv4({.protocol = 89}).build()); }},
      {Reason::not_opening,
       [](Fixture& f) { return web(f), f.receive(from_client().ipv4().tcp({.flags = RST}).build()); }},
      {Reason::ftp_data,
       [](Fixture& f) {
         set(f, [](auto& s) { s.host_answers = false; });
         return web(f), f.receive(syn(20));
       }},
      {Reason::unrelated_icmp, [](Fixture& f) { return f.receive(from_client().ipv4().icmp().build()); }},
      {Reason::local_real_server,
       [](Fixture& f) {
         // The client is this host, which IPv6 does not refuse.
         f.add(tcp(vip6)), f.add_server(tcp(vip6), server6, 8080);
         f.receive(
             from_client().ipv6({.source = "2001:db8:1::1", .destination = vip6}).tcp({.source_port = 1}).build());
         return f.receive(from_server()
                              .ipv6({.source = server6, .destination = "2001:db8:1::1"})
                              .tcp({.source_port = 8080, .destination_port = 1, .flags = SYN | ACK})
                              .build());
       }},
      {Reason::unhandled_fragment, [](Fixture& f) { return f.receive(query({.more = true})), f.receive(piece(64)); }},
      // drop
      {Reason::truncated, [](Fixture& f) { return f.receive(cut(syn(), 14 + 10)); }},
      {Reason::bad_header, [](Fixture& f) { return f.receive(from_client().ipv4({.version = 5}).tcp().build()); }},
      {Reason::bad_ip_checksum,
       [](Fixture& f) { return f.receive(from_client().ipv4({.checksum = 1}).tcp().build()); }},
      {Reason::bad_transport_header,
       [](Fixture& f) { return f.receive(from_client().ipv4().tcp({.header_words = 4}).build()); }},
      {Reason::bad_icmp_checksum,
       [](Fixture& f) { return web(f), f.receive(from_client().ipv4().icmp({.checksum = 1}).build()); }},
      {Reason::martian_source,
       [](Fixture& f) { return web(f), f.receive(from_client().ipv4({.source = "127.0.0.1"}).tcp().build()); }},
      {Reason::no_real_server, [](Fixture& f) { return f.add(tcp()), f.receive(syn()); }},
      {Reason::server_removed,
       [](Fixture& f) { return web(f), f.receive(syn()), f.remove_server(tcp(), server4, 8080), f.receive(syn()); }},
      {Reason::ttl_exceeded,
       [](Fixture& f) { return web(f), f.receive(from_client().ipv4({.ttl = 1}).tcp().build()); }},
      {Reason::too_big,
       [](Fixture& f) {
         f.use(changed([](Network& n) { n.ports[s0].mtu = 100; }));
         return web(f), f.receive(from_client().ipv4({.dont_fragment = true}).tcp().payload(Buffer(100)).build());
       }},
      {Reason::no_route,
       [](Fixture& f) {
         f.use(changed([](Network& n) { n.routes.clear(); }));
         return web(f, {}, {}, "192.0.2.1"), f.receive(syn());
       }},
      {Reason::address_taken,
       [](Fixture& f) {
         return web(f),
                f.receive(from_client().arp({.operation = 2, .sender_mac = client_mac, .sender = vip4}).build());
       }},
      {Reason::no_neighbour, [](Fixture& f) { return web(f, {}, {}, "10.0.2.77"), f.receive(syn()); }},
      {Reason::drop_packet_defence,
       [](Fixture& f) {
         set(f, [](auto& s) { s.drop_packet = 3, s.am_droprate = 1; });
         return web(f), f.wait(second), f.receive(syn());
       }},
      {Reason::flow_limit, [](Fixture& f) { return web(f), f.director.set_flow_limit(0), f.receive(syn()); }},
      {Reason::source_limit,
       [](Fixture& f) {
         web(f, settings([](auto& s) { s.source_limit = {.rate = 1, .burst = 1}; }));
         return f.receive(syn(1)), f.receive(syn(2));
       }},
      {Reason::pool_exhausted,
       [](Fixture& f) {
         gateway(f);
         return f.receive(to_remote().udp({.source_port = 1}).build()),
                f.receive(to_remote().udp({.source_port = 2}).build());
       }},
      {Reason::pool_missing,
       [](Fixture& f) { return web(f, {}, {.forwarding = Forwarding::fullnat}), f.receive(syn()); }},
      {Reason::hairpin_refused,
       [](Fixture& f) {
         set(f, [](auto& s) { s.host_answers = false; });
         return gateway(f),
                f.receive(from_server().ipv4({.source = server4, .destination = "10.0.1.200"}).udp().build());
       }},
      {Reason::egress_unsolicited,
       [](Fixture& f) {
         set(f, [](auto& s) { s.host_answers = false; });
         return gateway(f), f.receive(from_remote().udp().build());
       }},
      {Reason::fragment_overlap,
       [](Fixture& f) { return dns(f), f.receive(query({.more = true})), f.receive(piece(56)); }},
      {Reason::fragment_tiny,
       [](Fixture& f) {
         return f.receive(from_client().ipv4({.more = true, .protocol = 6}).payload(Buffer(8)).build());
       }},
      {Reason::fragment_limit,
       [](Fixture& f) {
         // More frames than may wait for one first fragment; then the datagram is spoiled.
         f.add(udp());
         Outcome outcome = f.receive(piece(8, 8));
         for (uint16_t i = 2; i < 200 && outcome.decision.reason == Reason::fragment_held; i++)
           outcome = f.receive(piece(static_cast<uint16_t>(i * 8), 8));
         return outcome;
       }},
      {Reason::fragment_of_icmp_error,
       [](Fixture& f) {
         return f.receive(from_client()
                              .ipv6({.source = client6, .destination = vip6})
                              .fragment({.more = true})
                              .icmpv6({.type = 1})
                              .build());
       }},
      {Reason::martian_ttl,
       [](Fixture& f) {
         f.add(tcp(vip6));
         return f.receive(from_client()
                              .ipv6({.source = client6, .destination = vip6, .hop_limit = 64})
                              .neighbour({.target = vip6})
                              .build());
       }},
      {Reason::unsegmentable,
       [](Fixture& f) {
         web(f, {}, {.forwarding = Forwarding::tunnel});
         return f.receive(syn(), {.segmentation = Segmentation::udp, .segment_size = 100});
       }},
      {Reason::unfragmentable,
       [](Fixture& f) {
         f.use(changed([](Network& n) { n.ports[s0].mtu = 24; }));  // no room for a header and eight bytes
         return web(f), f.receive(syn());
       }},
      {Reason::offloaded_fragment,
       [](Fixture& f) {
         return f.add(udp()), f.receive(query({.more = true}), {.checksum = TransportChecksum::partial});
       }},
      {Reason::egress_untracked,
       [](Fixture& f) {
         f.set_pool(2, {"10.0.1.200"}, 1024, 65535);
         f.director.set_egress({{address("10.0.2.0"), 24, 2}});
         return f.receive(from_server()
                              .ipv4({.source = server4, .destination = "198.51.100.7"})
                              .tcp({.source_port = 1, .flags = ACK})
                              .build());
       }},
      {Reason::fragment_of_dropped,
       [](Fixture& f) { return f.add(udp()), f.receive(query({.more = true})), f.receive(piece(64)); }},
      {Reason::sctp_fragment,
       [](Fixture& f) {
         f.add(sctp()), f.add_server(sctp(), server4, 6001);
         return f.receive(from_client().ipv4({.more = true}).sctp().chunk(init).payload(Buffer(4)).build());
       }},
      {Reason::tunnel_mtu,
       [](Fixture& f) {
         f.use(changed([](Network& n) { n.ports[s0].mtu = 80; }));
         return web(f, {}, {.forwarding = Forwarding::tunnel}), f.receive(syn());
       }},
      {Reason::syn_cookie_invalid,
       [](Fixture& f) {
         proxied_web(f), f.receive(syn());
         return f.receive(
             from_client().ipv4().tcp({.source_port = 1, .sequence = 2, .acknowledgement = 7, .flags = ACK}).build());
       }},
      {Reason::bad_tcp_checksum,
       [](Fixture& f) { return proxied_web(f), f.receive(from_client().ipv4().tcp({.checksum = 1}).build()); }},
      {Reason::out_of_buffers,
       [](Fixture& f) {
         // More answers in one batch than the director's own memory holds (4 MiB).
         proxied_web(f);
         Outcome outcome;
         outcome.decision = f.receive_batch(std::vector<Buffer>(30000, syn())).back();
         return outcome;
       }},
      {Reason::source_route,
       [](Fixture& f) {
         return f.receive(from_client().ipv4({.options = hex("83 07 04 0a000105 00")}).tcp().build());
       }},
      {Reason::bad_ip_options,
       [](Fixture& f) {
         return f.receive(from_client().ipv4({.options = hex("07 07 03 0a000105 00")}).tcp().build());
       }},
      // consume
      {Reason::arp_answered,
       [](Fixture& f) { return f.add(tcp()), f.receive(from_client().arp({.target = vip4}).build()); }},
      {Reason::neighbour_answered,
       [](Fixture& f) {
         f.add(tcp(vip6));
         return f.receive(from_client()
                              .ipv6({.source = client6, .destination = vip6, .hop_limit = 255})
                              .neighbour({.target = vip6})
                              .build());
       }},
      {Reason::echo_answered, [](Fixture& f) { return f.add(tcp()), f.receive(from_client().ipv4().icmp().build()); }},
      {Reason::fragment_held, [](Fixture& f) { return f.add(udp()), f.receive(piece(64)); }},
      {Reason::syn_cookie_sent, [](Fixture& f) { return proxied_web(f), f.receive(syn()); }},
      {Reason::syn_proxy_handshake,
       [](Fixture& f) {
         proxied_web(f);
         const Buffer answer = f.receive(syn()).out.at(0).frame;
         const uint32_t cookie = wire::TcpView(wire::Bytes(answer).subspan(14 + 20)).sequence();
         return f.receive(from_client()
                              .ipv4()
                              .tcp({.source_port = 1, .sequence = 2, .acknowledgement = cookie + 1, .flags = ACK})
                              .build());
       }},
      {Reason::tunnel_error,
       [](Fixture& f) {
         web(f, {}, {.forwarding = Forwarding::tunnel}), f.receive(syn());
         return f.receive(from_server()
                              .ipv4({.source = "10.0.2.19", .destination = "10.0.2.1"})
                              .icmp({.type = 3, .code = 1})
                              .ipv4({.source = "10.0.2.1", .destination = server4})
                              .ipv4()
                              .tcp({.source_port = 1})
                              .build());
       }},
      {Reason::real_server_told,
       [](Fixture& f) {
         set(f, [](auto& s) { s.nat_icmp_send = true; });
         return web(f), f.receive(from_server()
                                      .ipv4({.source = server4, .destination = client4})
                                      .tcp({.source_port = 8080, .flags = ACK})
                                      .build());
       }},
      {Reason::connection_reset,
       [](Fixture& f) { return web(f), f.receive(from_client().ipv4().tcp({.flags = ACK}).build()); }},
      {Reason::port_unreachable, [](Fixture& f) { return web(f), f.receive(query()); }},
      {Reason::protocol_unreachable,
       [](Fixture& f) { return web(f), f.receive(from_client().ipv4({.protocol = 89}).build()); }},
      // deliver, and refused deliveries
      {Reason::delivered, [](Fixture& f) { return local_web(f, Forwarding::dr, "10.0.2.1"), f.receive(syn()); }},
      {Reason::not_deliverable,
       [](Fixture& f) { return web(f, {}, {.forwarding = Forwarding::dr}, "10.0.2.1"), f.receive(syn()); }},
      {Reason::loopback_refused,
       [](Fixture& f) { return local_web(f, Forwarding::nat, "127.0.0.1"), f.receive(syn()); }},
      {Reason::local_nat_refused,
       [](Fixture& f) {
         const auto toa = settings([](auto& s) { s.proxy_protocol = true; });
         return web(f, toa, {}, "10.0.2.1"), f.receive(syn());
       }},
      {Reason::host_reply_unwanted,
       [](Fixture& f) {
         return f.receive(from_server()
                              .ipv4({.source = "10.0.2.1", .destination = client4})
                              .tcp({.source_port = 8080, .destination_port = 1, .flags = ACK})
                              .build());
       }},
  };
  return all;
}

}  // namespace

TEST_CASE("each reason is produced by its packet") {
  for (const Producer& producer : producers()) {
    INFO(std::string(director::reason_name(producer.reason)));
    RepliesComeBack replies;
    director::DirectorOptions options = small_options();
    options.host_replies = &replies;
    Fixture f(options);
    const Outcome outcome = producer.produce(f);
    CHECK(director::reason_name(outcome.decision.reason) == director::reason_name(producer.reason));
    CHECK(f.director.count(producer.reason) >= 1);
    if (outcome.decision.verdict() == director::Verdict::forward) CHECK(outcome.out.size() >= 1);
    if (outcome.decision.verdict() == director::Verdict::deliver) CHECK(outcome.out.size() == 1);
    if (outcome.decision.verdict() == director::Verdict::pass) CHECK(outcome.out.empty());
  }
}

TEST_CASE("every reason has a packet that produces it") {
  for (size_t i = 0; i < director::reason_count; i++) {
    const auto reason = static_cast<Reason>(i);
    const bool has_one =
        std::any_of(producers().begin(), producers().end(), [&](const Producer& p) { return p.reason == reason; });
    CHECK_MESSAGE(has_one, "nothing here produces " << std::string(director::reason_name(reason)));
  }
}
