// SPDX-License-Identifier: Apache-2.0
// The rules follow steal.bpf.c, a set of addresses or tuples for each of its questions. What they cannot ask is left to
// the host, which does no harm with it: later fragments for addresses that the host owns wait there for a first that
// never comes, ICMP errors find no connection there, questions for addresses that it does not own go unanswered. ICMP
// errors of real servers for clients are the exception: a host that forwards sends them on as they are.
#include "host/steal_rules.h"

#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>

#include "lvs/surroundings.h"
#include "wire/protocol.h"

namespace sluice::host {

namespace {

constexpr std::string_view table_name = "sluice_steal";

// The sets of one family; elements in nft's words.
struct Sets {
  std::set<std::string> services, whole_ports, whole, unowned, servers, server_ports, pools, pool_ports, host, sources;
  std::set<std::string> inside;
};

std::string of_protocol(const wire::Address& address, uint8_t protocol) {
  return to_string(address) + " . " + std::to_string(protocol);
}

void add_tuples(std::set<std::string>& with_port, std::set<std::string>& without, const wire::Address& address,
                uint16_t port, uint8_t protocol) {
  for (const uint8_t one : {wire::protocol::tcp, wire::protocol::udp, wire::protocol::sctp}) {
    if (protocol != 0 && protocol != one) continue;
    const std::string start = of_protocol(address, one);
    if (port == 0) {
      without.insert(start);
    } else {
      with_port.insert(start + " . " + std::to_string(port));
    }
  }
}

std::string text_of(const Network& network) {
  return to_string(lvs::masked(network.address, network.prefix_length)) + "/" + std::to_string(network.prefix_length);
}

Sets sets_of(const Belongings& belongings, wire::Family family) {
  Sets sets;
  const auto is_wanted = [family](const wire::Address& address) { return address.family == family; };
  for (const wire::Address& address : belongings.host_addresses) {
    if (is_wanted(address)) sets.host.insert(to_string(address));
  }
  const auto note = [&](const wire::Address& address) {
    if (!sets.host.contains(to_string(address))) sets.unowned.insert(to_string(address));
  };
  for (const auto& service : belongings.services) {
    if (!is_wanted(service.address)) continue;
    if (service.port == 0 && service.protocol == 0) sets.whole.insert(to_string(service.address));
    add_tuples(sets.services, sets.whole_ports, service.address, service.port, service.protocol);
    note(service.address);
  }
  for (const auto& server : belongings.nat_servers) {
    if (is_wanted(server.address)) {
      add_tuples(sets.servers, sets.server_ports, server.address, server.port, server.protocol);
    }
  }
  for (const auto& pool : belongings.pools) {
    if (!is_wanted(pool.address)) continue;
    const std::string range = std::to_string(pool.first_port) + "-" + std::to_string(pool.last_port);
    sets.pool_ports.insert(to_string(pool.address) + " . " + range);
    if (!sets.host.contains(to_string(pool.address))) sets.pools.insert(to_string(pool.address));
    note(pool.address);
  }
  for (const Network& network : belongings.egress_sources) {
    if (is_wanted(network.address)) sets.sources.insert(text_of(network));
  }
  for (const Network& network : belongings.inside) {
    if (is_wanted(network.address)) sets.inside.insert(text_of(network));
  }
  return sets;
}

// Names in which IPv4 and IPv6 differ.
struct Words {
  char version;
  std::string_view address, type, protocol, echo, stays_on_link, is_fragment;
};

constexpr Words ipv4_words = {'4',
                              "ip",
                              "ipv4_addr",
                              "ip protocol",
                              "icmp",
                              "{ 0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/3 }",
                              "ip frag-off & 0x3fff != 0"};
constexpr Words ipv6_words = {
    '6', "ip6", "ipv6_addr", "meta l4proto", "icmpv6", "{ fe80::/10, ff00::/8 }", "exthdr frag exists"};

class RuleText {
 public:
  explicit RuleText(const Words& words) : words_(words) {}

  std::string chain(const Sets& sets) {
    const std::string to = std::string(words_.address) + " daddr", from = std::string(words_.address) + " saddr";
    const std::string protocol(words_.protocol), type(words_.type);
    const std::string with_port = type + " . inet_proto . inet_service", without = type + " . inet_proto";
    set("whole", type, sets.whole);
    set("services", with_port, sets.services);
    set("whole_ports", without, sets.whole_ports);
    set("unowned", type, sets.unowned);
    set("pools", type, sets.pools);
    set("pool_ports", type + " . inet_service", sets.pool_ports, true);
    set("host", type, sets.host);
    set("servers", with_port, sets.servers);
    set("server_ports", without, sets.server_ports);
    set("sources", type, sets.sources, true);
    set("inside", type, sets.inside, true);

    text_ += std::string("  chain steal") + words_.version + " {\n";
    rule(to, "whole");
    rule(to, "pools");
    rule(std::string(words_.is_fragment) + " " + to, "unowned");
    rule("meta l4proto " + std::string(words_.echo) + " " + to, "unowned", except_neighbour_discovery());
    rule(to + " . " + protocol + " . th dport", "services");
    rule(to + " . " + protocol, "whole_ports");
    rule("meta l4proto { tcp, udp, sctp } " + to + " . th dport", "pool_ports");
    text_ += "    " + to + " @host" + words_.version + " return\n";
    text_ += "    " + to + " " + std::string(words_.stays_on_link) + " return\n";
    rule(from + " . " + protocol + " . th sport", "servers");
    rule(from + " . " + protocol, "server_ports");
    text_ += "    " + to + " @unowned" + words_.version + " return\n";
    text_ += "    " + to + " @inside" + words_.version + " return\n";
    rule(from, "sources");
    text_ += "  }\n";
    return std::move(text_);
  }

 private:
  void set(std::string_view name, const std::string& type, const std::set<std::string>& elements,
           bool has_ranges = false) {
    text_ += "  set " + std::string(name) + words_.version + " { type " + type + ";";
    // Networks may lie in each other.
    if (has_ranges) text_ += " flags interval; auto-merge;";
    if (!elements.empty()) {
      text_ += " elements = {";
      for (const std::string& element : elements) text_ += " " + element + ",";
      text_.back() = ' ';
      text_ += "}";
    }
    text_ += " }\n";
  }
  void rule(const std::string& what, std::string_view set, const std::string& also = "") {
    text_ += "    " + what + " @" + std::string(set) + words_.version + also + " drop\n";
  }
  std::string except_neighbour_discovery() const {
    return words_.version == '6' ? " icmpv6 type != { nd-neighbor-solicit, nd-neighbor-advert }" : "";
  }

  Words words_;
  std::string text_;
};

std::string removal() {
  // A table that is not there cannot be deleted; one that is there may be added again.
  const std::string name = "table netdev " + std::string(table_name);
  return "add " + name + "\ndelete " + name + "\n";
}

}  // namespace

std::string rules_of(const Belongings& belongings, const std::vector<std::string>& interfaces) {
  std::string text = removal();
  if (interfaces.empty()) return text;
  text += "table netdev " + std::string(table_name) + " {\n";
  text += RuleText(ipv4_words).chain(sets_of(belongings, wire::Family::ipv4));
  text += RuleText(ipv6_words).chain(sets_of(belongings, wire::Family::ipv6));
  text += "  chain ingress {\n    type filter hook ingress devices = {";
  for (const std::string& name : interfaces) text += " \"" + name + "\",";
  text.back() = ' ';
  text += "} priority -500; policy accept;\n";
  text += "    meta pkttype != host return\n";
  text += "    meta protocol vmap { ip : jump steal4, ip6 : jump steal6 }\n  }\n}\n";
  return text;
}

bool apply_rules(const std::string& rules, Failure& failure) {
  // What nft complains about goes where it can be read back.
  std::unique_ptr<FILE, int (*)(FILE*)> words(std::tmpfile(), std::fclose);
  if (words == nullptr) return fail(failure, "cannot make a temporary file", errno);
  const std::string command =
      "exec nft -f - 2>/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(fileno(words.get())) + " >&2";
  FILE* nft = popen(command.c_str(), "we");
  if (nft == nullptr) return fail(failure, "cannot start nft", errno);
  const bool is_written = std::fwrite(rules.data(), 1, rules.size(), nft) == rules.size();
  const int status = pclose(nft);
  if (is_written && WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
  std::string said(2000, '\0');  // nft repeats the line that it does not like
  said.resize(std::fread(said.data(), 1, said.size(), words.get()));
  return fail(failure, "nft did not take the rules that steal packets (is the package nftables installed?)\n" + said);
}

bool remove_rules(Failure& failure) {
  // Where nft cannot list them, because it is not installed or the kernel lacks nftables, there are none.
  const std::string question = "nft list table netdev " + std::string(table_name) + " >/dev/null 2>&1";
  return std::system(question.c_str()) != 0 || apply_rules(removal(), failure);
}

}  // namespace sluice::host
