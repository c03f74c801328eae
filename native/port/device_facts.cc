// SPDX-License-Identifier: Apache-2.0
#include "port/device_facts.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace sluice::port {

namespace {

template <class Question>
bool ask(int socket, ifreq& request, Question& question) {
  request.ifr_data = reinterpret_cast<char*>(&question);
  return ::ioctl(socket, SIOCETHTOOL, &request) == 0;
}

}  // namespace

DeviceFacts device_facts(const std::string& interface) {
  DeviceFacts facts;
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return facts;
  ifreq request{};
  interface.copy(request.ifr_name, sizeof request.ifr_name - 1);
  if (::ioctl(socket, SIOCGIFMTU, &request) == 0) facts.mtu = static_cast<uint32_t>(request.ifr_mtu);
  ethtool_channels channels{};
  channels.cmd = ETHTOOL_GCHANNELS;
  if (ask(socket, request, channels)) facts.receive_queues = std::max(channels.combined_count + channels.rx_count, 1u);
  ethtool_value flags{};
  flags.cmd = ETHTOOL_GFLAGS;
  if (ask(socket, request, flags)) facts.strips_tags = (flags.data & ETH_FLAG_RXVLAN) != 0;
  ::close(socket);
  return facts;
}

}  // namespace sluice::port
