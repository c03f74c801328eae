// SPDX-License-Identifier: Apache-2.0
#include "port/capture.h"

namespace sluice::port {

namespace {

// Numbers of DLT_RAW before LINKTYPE_RAW (101): 12 on most systems, 14 on OpenBSD.
constexpr uint32_t bsd_raw_ip = 12;
constexpr uint32_t openbsd_raw_ip = 14;

struct KnownLinkType {
  uint32_t number;
  const char* name;
};

// Common link types, so that the error can name the one in the file.
constexpr KnownLinkType known_unsupported[] = {
    {0, "BSD loopback"},        {9, "PPP"},
    {105, "IEEE 802.11"},       {108, "OpenBSD loopback"},
    {113, "Linux cooked, SLL"}, {127, "IEEE 802.11 with radiotap"},
    {249, "USBPcap"},           {276, "Linux cooked, SLL2"},
};

constexpr uint32_t linux_cooked = 113;
constexpr uint32_t linux_cooked_v2 = 276;

}  // namespace

uint16_t supported_link_type(uint32_t in_file) {
  switch (in_file) {
    case link_type::ethernet:
    case link_type::raw_ip:
    case link_type::ipv4:
    case link_type::ipv6:
      return static_cast<uint16_t>(in_file);
    case bsd_raw_ip:
    case openbsd_raw_ip:
      return link_type::raw_ip;
    default:
      return 0;
  }
}

std::string unsupported_link_type(uint32_t in_file) {
  std::string problem = "link type " + std::to_string(in_file);
  for (const KnownLinkType& known : known_unsupported) {
    if (known.number == in_file) problem += std::string(" (") + known.name + ")";
  }
  return problem + " is not supported, only Ethernet (1) and raw IP (101, 12, 14, 228, 229) are";
}

std::string link_type_remedy(uint32_t in_file) {
  const bool from_any_device = in_file == linux_cooked || in_file == linux_cooked_v2;
  return from_any_device ? "capture on a named interface (tcpdump -i eth0) instead of `any`"
                         : "capture on an Ethernet or raw IP interface";
}

}  // namespace sluice::port
