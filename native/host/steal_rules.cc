// SPDX-License-Identifier: Apache-2.0
// The rules follow steal.bpf.c, a set of addresses or tuples for each of its questions. What they cannot ask is left to
// the host, which does no harm with it: later fragments for addresses that the host owns wait there for a first that
// never comes, ICMP errors find no connection there, questions for addresses that it does not own go unanswered. ICMP
// errors of real servers for clients are the exception: a host that forwards sends them on as they are.
#include "host/steal_rules.h"

#include <net/if.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <set>

#include "director/network/route_table.h"
#include "wire/protocol.h"

namespace sluice::host {

namespace {

constexpr std::string_view table_name = "sluice_steal";

// The range is before every chain that hosts usually have at ingress. Once in so many changes the range begins anew.
constexpr int first_priority = -500, last_priority = -401;

// A rule of firewall marks of one family, as a packet of a client is matched and as a reply of a server that keeps
// ports.
struct MarkWords {
  std::string request, reply;
  bool is_taken = false;
};

// The sets of one family; elements in nft's words.
struct Sets {
  std::set<std::string> services, whole_ports, whole, unowned, servers, server_ports, pools, pool_ports, host, sources;
  std::set<std::string> inside, marked;
  std::vector<MarkWords> marks;
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
  return to_string(director::masked(network.address, network.prefix_length)) + "/" +
         std::to_string(network.prefix_length);
}

// Nothing for a rule of the other family.
std::optional<MarkWords> words_of(const OwnedTraffic::Mark& mark, wire::Family family) {
  const std::string address = family == wire::Family::ipv4 ? "ip" : "ip6";
  const auto is_other = [family](const std::optional<Network>& network) {
    return network && network->address.family != family;
  };
  if (is_other(mark.source) || is_other(mark.destination)) return std::nullopt;
  MarkWords words;
  words.is_taken = family == wire::Family::ipv4 ? mark.has_ipv4_service : mark.has_ipv6_service;
  char name[IF_NAMESIZE];
  if (mark.interface != 0) {
    if (if_indextoname(mark.interface, name) == nullptr) return std::nullopt;
    words.request = "iifname \"" + std::string(name) + "\" ";
  }
  const std::string protocols = mark.protocol == 0 ? "{ tcp, udp, sctp }" : std::to_string(mark.protocol);
  words.reply = "meta l4proto " + protocols + " ";
  words.request += words.reply;
  if (mark.source) {
    words.request += address + " saddr " + text_of(*mark.source) + " ";
    words.reply += address + " daddr " + text_of(*mark.source) + " ";
  }
  if (mark.destination) words.request += address + " daddr " + text_of(*mark.destination) + " ";
  if (mark.ports) {
    const std::string range = std::to_string(mark.ports->first) + "-" + std::to_string(mark.ports->last) + " ";
    words.request += "th dport " + range;
    words.reply += "th sport " + range;
  }
  return words;
}

Sets sets_of(const OwnedTraffic& owned_traffic, wire::Family family) {
  Sets sets;
  const auto is_wanted = [family](const wire::Address& address) { return address.family == family; };
  for (const wire::Address& address : owned_traffic.host_addresses) {
    if (is_wanted(address)) sets.host.insert(to_string(address));
  }
  const auto note = [&](const wire::Address& address) {
    if (!sets.host.contains(to_string(address))) sets.unowned.insert(to_string(address));
  };
  for (const auto& part : owned_traffic.parts) {
    if (is_wanted(part->address) && !part->is_marked && !part->is_removed) {
      if (part->port == 0 && part->protocol == 0) sets.whole.insert(to_string(part->address));
      add_tuples(sets.services, sets.whole_ports, part->address, part->port, part->protocol);
      note(part->address);
    }
    for (const OwnedTraffic::NatServer& server : part->nat_servers) {
      if (is_wanted(server.address) && part->is_marked && server.port == 0) {
        sets.marked.insert(to_string(server.address));
      } else if (is_wanted(server.address)) {
        add_tuples(sets.servers, sets.server_ports, server.address, server.port, part->protocol);
      }
    }
  }
  for (const auto& pool : owned_traffic.pools) {
    if (!is_wanted(pool.address)) continue;
    const std::string range = std::to_string(pool.first_port) + "-" + std::to_string(pool.last_port);
    sets.pool_ports.insert(to_string(pool.address) + " . " + range);
    if (!sets.host.contains(to_string(pool.address))) sets.pools.insert(to_string(pool.address));
    note(pool.address);
  }
  for (const OwnedTraffic::Mark& mark : owned_traffic.marks) {
    if (auto words = words_of(mark, family)) sets.marks.push_back(std::move(*words));
  }
  for (const Network& network : owned_traffic.egress_sources) {
    if (is_wanted(network.address)) sets.sources.insert(text_of(network));
  }
  for (const Network& network : owned_traffic.inside) {
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
    set("marked", type, sets.marked);
    mark_chain("marks", sets.marks, &MarkWords::request);
    mark_chain("replies", sets.marks, &MarkWords::reply);

    text_ += std::string("  chain steal") + words_.version + " {\n";
    rule(to, "whole");
    rule(to, "pools");
    rule(std::string(words_.is_fragment) + " " + to, "unowned");
    rule("meta l4proto != " + std::string(words_.echo) + " " + to, "unowned");
    rule("meta l4proto " + std::string(words_.echo) + " " + to, "unowned", except_neighbour_discovery());
    rule(to + " . " + protocol + " . th dport", "services");
    rule(to + " . " + protocol, "whole_ports");
    rule("meta l4proto { tcp, udp, sctp } " + to + " . th dport", "pool_ports");
    jump("", "marks");
    text_ += "    " + to + " @host" + words_.version + " return\n";
    text_ += "    " + to + " " + std::string(words_.stays_on_link) + " return\n";
    rule(from + " . " + protocol + " . th sport", "servers");
    rule(from + " . " + protocol, "server_ports");
    jump(from + " @marked" + words_.version + " ", "replies");
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
  // The first rule that fits decides; without a service of its mark the packet may still be the director's otherwise.
  void mark_chain(std::string_view name, const std::vector<MarkWords>& marks, std::string MarkWords::*match) {
    text_ += "  chain " + std::string(name) + words_.version + " {\n";
    for (const MarkWords& mark : marks) text_ += "    " + mark.*match + (mark.is_taken ? "drop\n" : "return\n");
    text_ += "  }\n";
  }
  void jump(const std::string& match, std::string_view chain) {
    text_ += "    " + match + "jump " + std::string(chain) + words_.version + "\n";
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

bool tell_nft(const std::string& options, const std::string& rules, Failure& failure) {
  // What nft complains about goes where it can be read back.
  std::unique_ptr<FILE, int (*)(FILE*)> words(std::tmpfile(), std::fclose);
  if (words == nullptr) return fail(failure, "cannot make a temporary file", errno);
  // The shell has inherited the file. The files of this process it cannot reach: a confined process is closed to
  // others.
  const std::string command =
      "exec nft " + options + " -f - 2>/proc/self/fd/" + std::to_string(fileno(words.get())) + " >&2";
  FILE* nft = popen(command.c_str(), "we");
  if (nft == nullptr) return fail(failure, "cannot start nft", errno);
  const bool is_written = std::fwrite(rules.data(), 1, rules.size(), nft) == rules.size();
  const int status = pclose(nft);
  if (is_written && WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
  std::string said(2000, '\0');  // nft repeats the line that it does not like
  said.resize(std::fread(said.data(), 1, said.size(), words.get()));
  return fail(failure, "nft did not take the rules that steal packets (is the package nftables installed?)\n" + said);
}

}  // namespace

std::string rules_of(const OwnedTraffic& owned_traffic, const std::vector<std::string>& interfaces, int priority) {
  std::string text = removal();
  if (interfaces.empty()) return text;
  text += "table netdev " + std::string(table_name) + " {\n";
  text += RuleText(ipv4_words).chain(sets_of(owned_traffic, wire::Family::ipv4));
  text += RuleText(ipv6_words).chain(sets_of(owned_traffic, wire::Family::ipv6));
  text += "  chain ingress {\n    type filter hook ingress devices = {";
  for (const std::string& name : interfaces) text += " \"" + name + "\",";
  text.back() = ' ';
  text += "} priority " + std::to_string(priority) + "; policy accept;\n";
  text += "    meta pkttype != host return\n";
  text += "    meta protocol vmap { ip : jump steal4, ip6 : jump steal6 }\n  }\n}\n";
  return text;
}

int next_priority() {
  const std::string question = "nft list chain netdev " + std::string(table_name) + " ingress 2>/dev/null";
  const std::unique_ptr<FILE, int (*)(FILE*)> nft(popen(question.c_str(), "re"), pclose);
  std::string said(2000, '\0');
  if (nft != nullptr) said.resize(std::fread(said.data(), 1, said.size(), nft.get()));
  constexpr std::string_view word = " priority ";
  const size_t at = said.find(word);
  const int present = at == std::string::npos ? last_priority : std::atoi(said.c_str() + at + word.size());
  return present < first_priority || present >= last_priority ? first_priority : present + 1;
}

bool apply_rules(const std::string& rules, Failure& failure) {
  return tell_nft("", rules, failure);
}

bool can_apply_rules(Failure& failure) {
  return tell_nft("--check", removal(), failure);
}

bool remove_rules(Failure& failure) {
  // Where nft cannot list them, because it is not installed or the kernel lacks nftables, there are none.
  const std::string question = "nft list table netdev " + std::string(table_name) + " >/dev/null 2>&1";
  return std::system(question.c_str()) != 0 || apply_rules(removal(), failure);
}

}  // namespace sluice::host
