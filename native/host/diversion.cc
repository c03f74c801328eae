// SPDX-License-Identifier: Apache-2.0
#include "host/diversion.h"

#include <algorithm>
#include <cstring>

#include "bpf/steal_xdp.generated.h"

namespace sluice::host {

namespace {

// A director has at most as many ports.
constexpr uint32_t most_lanes = 64;

constexpr MapShape lanes_shape = {"sluice_lanes",          BPF_MAP_TYPE_HASH, sizeof(bpf::u32),
                                  sizeof(bpf::steal_lane), most_lanes,        0};
constexpr MapShape sockets_shape = {
    "sluice_sockets", BPF_MAP_TYPE_XSKMAP, sizeof(bpf::u32), sizeof(bpf::u32), most_lanes* bpf::STEAL_MOST_QUEUES, 0};

}  // namespace

bool Diversion::load(std::span<BpfMap, bpf::map_count> maps, Diversion& loaded, Failure& failure) {
  loaded.maps_ = maps;
  return maps[bpf::lanes].create(lanes_shape, failure) && maps[bpf::sockets].create(sockets_shape, failure) &&
         load_program(bpf::xdp, BPF_PROG_TYPE_XDP, maps, loaded.program_, failure);
}

bool Diversion::add(const Lane& lane, Failure& failure) {
  const bpf::u32 first = lane.port * uint32_t{bpf::STEAL_MOST_QUEUES};
  for (bpf::u32 queue = 0; queue < bpf::STEAL_MOST_QUEUES; queue++) {
    const bpf::u32 key = first + queue;
    const bool is_there = queue < lane.sockets.size();
    if (is_there ? !maps_[bpf::sockets].set(&key, &lane.sockets[queue], failure)
                 : !maps_[bpf::sockets].remove(&key, failure))
      return false;
  }
  bpf::steal_lane value{};
  value.first_socket = first;
  value.longest_frame = lane.longest_frame;
  std::copy(lane.mac.bytes.begin(), lane.mac.bytes.end(), value.mac);
  Descriptor link;
  if (!set(lane.interface, value, failure) || !link_in_driver(program_.get(), lane.interface, link, failure)) {
    remove(lane.interface);
    return false;
  }
  links_.insert_or_assign(lane.interface, std::move(link));
  return true;
}

void Diversion::remove(uint32_t interface) {
  links_.erase(interface);
  Failure ignored;  // without the link no program reads the entry
  if (lanes_.erase(interface) != 0) static_cast<void>(maps_[bpf::lanes].remove(&interface, ignored));
}

bool Diversion::readdress(uint32_t interface, const wire::MacAddress& mac, Failure& failure) {
  const auto found = lanes_.find(interface);
  if (found == lanes_.end() || std::equal(mac.bytes.begin(), mac.bytes.end(), found->second.mac)) return true;
  bpf::steal_lane value = found->second;
  std::copy(mac.bytes.begin(), mac.bytes.end(), value.mac);
  return set(interface, value, failure);
}

bool Diversion::set(uint32_t interface, const bpf::steal_lane& lane, Failure& failure) {
  if (!maps_[bpf::lanes].set(&interface, &lane, failure)) return false;
  lanes_.insert_or_assign(interface, lane);
  return true;
}

}  // namespace sluice::host
