// SPDX-License-Identifier: Apache-2.0
#include "host/netlink.h"

#include <doctest/doctest.h>

#include <cerrno>

using namespace sluice;
using host::NetlinkAnswer;

namespace {

constexpr uint32_t sequence = 7;

void append(std::vector<uint8_t>& datagram, uint16_t type, uint16_t flags, int32_t error = 0, uint32_t of = sequence) {
  nlmsghdr header{};
  header.nlmsg_len = NLMSG_LENGTH(sizeof error);
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<uint16_t>(NLM_F_MULTI | flags);
  header.nlmsg_seq = of;
  const auto add = [&](const auto& value) {
    const auto* const bytes = reinterpret_cast<const uint8_t*>(&value);
    datagram.insert(datagram.end(), bytes, bytes + sizeof value);
  };
  add(header);
  add(error);
}

struct Reader {
  NetlinkAnswer answer{sequence};
  int visited = 0;
  bool take(const std::vector<uint8_t>& datagram) {
    return answer.take(datagram, [this](const host::NetlinkMessage&) { visited++; });
  }
};

}  // namespace

TEST_CASE("a dump during which the table changed fails, whichever of its messages says so") {
  for (const int marked : {0, 1, 2}) {
    CAPTURE(marked);
    const auto flags = [&](int number) -> uint16_t { return marked == number ? NLM_F_DUMP_INTR : 0; };
    std::vector<uint8_t> first, second;
    append(first, RTM_NEWROUTE, flags(0));
    append(first, RTM_NEWROUTE, flags(1));
    append(second, NLMSG_DONE, flags(2));
    Reader reader;
    CHECK_FALSE(reader.take(first));
    CHECK(reader.take(second));
    CHECK(reader.visited == 2);
    CHECK(reader.answer.error() == EINTR);
  }
}

TEST_CASE("an answer ends with its last message, with what that says") {
  std::vector<uint8_t> datagram;
  append(datagram, RTM_NEWROUTE, NLM_F_DUMP_INTR, 0, sequence - 1);  // a late answer to a request before
  append(datagram, RTM_NEWROUTE, 0);
  append(datagram, NLMSG_ERROR, 0, -EPERM);
  append(datagram, RTM_NEWROUTE, 0);
  Reader reader;
  CHECK(reader.take(datagram));
  CHECK(reader.visited == 1);
  CHECK(reader.answer.error() == EPERM);
  Reader whole;
  std::vector<uint8_t> done;
  append(done, NLMSG_DONE, 0);
  CHECK(whole.take(done));
  CHECK(whole.answer.error() == 0);
}
