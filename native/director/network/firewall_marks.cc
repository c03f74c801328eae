// SPDX-License-Identifier: Apache-2.0
#include "director/network/firewall_marks.h"

#include <cstring>

#include "director/network/route_table.h"
#include "director/network/text.h"

namespace sluice::director {

namespace {

std::array<uint64_t, 2> words_of(const wire::Address& address) {
  std::array<uint64_t, 2> words;
  std::memcpy(words.data(), address.bytes.data(), sizeof words);
  return words;
}

}  // namespace

FirewallMarks::Match FirewallMarks::Match::of(const std::optional<MarkRule::Network>& network) {
  if (!network) return {};
  wire::Address ones = network->address;
  ones.bytes.fill(0xff);
  return {true, network->address.family, words_of(masked(network->address, network->prefix_length)),
          words_of(masked(ones, network->prefix_length))};
}

bool FirewallMarks::Match::fits(const wire::Address& address) const {
  if (!is_asked) return true;
  const std::array<uint64_t, 2> words = words_of(address);
  return address.family == family && (words[0] & mask[0]) == value[0] && (words[1] & mask[1]) == value[1];
}

void FirewallMarks::set(std::vector<MarkRule> rules) {
  rules_ = std::move(rules);
  compiled_.clear();
  for (const MarkRule& rule : rules_) compiled_.push_back({Match::of(rule.source), Match::of(rule.destination)});
}

bool FirewallMarks::fits_ends(size_t number, const MarkedPacket& packet) const {
  const MarkRule& rule = rules_[number];
  return (rule.port == no_port_id || rule.port == packet.port) &&
         (rule.protocol == 0 || rule.protocol == packet.protocol) && compiled_[number].source.fits(packet.source) &&
         compiled_[number].destination.fits(packet.destination);
}

std::optional<size_t> FirewallMarks::find(const MarkedPacket& packet) const {
  for (size_t number = 0; number < rules_.size(); number++) {
    if (!fits_ends(number, packet)) continue;
    const auto& ports = rules_[number].ports;
    const auto& port = packet.destination_port;
    if (!ports || (port && *port >= ports->first && *port <= ports->last)) return number;
  }
  return std::nullopt;
}

bool FirewallMarks::may_mark_datagram(const MarkedPacket& fragment) const {
  for (size_t number = 0; number < rules_.size(); number++) {
    if (fits_ends(number, fragment)) return true;
  }
  return false;
}

std::string to_text(const MarkRule& rule) {
  std::string text(rule.protocol == 0 ? "any protocol" : protocol_text(rule.protocol));
  const auto add_network = [&](const char* word, const std::optional<MarkRule::Network>& network) {
    if (!network) return;
    text += std::string(" ") + word + " " + wire::to_string(network->address) + "/" +
            std::to_string(network->prefix_length);
  };
  add_network("from", rule.source);
  add_network("to", rule.destination);
  if (!rule.ports) return text;
  const auto [first, last] = *rule.ports;
  return text + (first == last ? " port " + std::to_string(first)
                               : " ports " + std::to_string(first) + "-" + std::to_string(last));
}

}  // namespace sluice::director
