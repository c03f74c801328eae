// SPDX-License-Identifier: Apache-2.0
// Netlink (RFC 3549) as its socket speaks it: messages of attributes, requests with an acknowledgement, dumps of many
// messages, and groups of notices. What the kernel sends is read through bounds-checked views all the same.
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string_view>
#include <vector>

#include "host/descriptor.h"
#include "host/failure.h"
#include "wire/bytes.h"

namespace sluice::host {

// The fixed part of a message, or of an attribute: zeros where the message is shorter than this kernel's headers say.
template <class T>
T read_fixed(wire::Bytes bytes) {
  T value{};
  std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof value));
  return value;
}

struct NetlinkMessage {
  nlmsghdr header{};
  wire::Bytes body;
};

// The attributes of one level, by type; the last of equal ones wins, unknown types are passed by.
class Attributes {
 public:
  explicit Attributes(wire::Bytes bytes);
  // Empty where there is none.
  wire::Bytes find(unsigned type) const { return type < found_.size() ? found_[type] : wire::Bytes{}; }
  bool has(unsigned type) const { return find(type).data() != nullptr; }
  uint32_t number(unsigned type, uint32_t otherwise = 0) const {
    const wire::Bytes value = find(type);
    return value.size() < sizeof(uint32_t) ? otherwise : read_fixed<uint32_t>(value);
  }
  std::string_view text(unsigned type) const;
  Attributes nested(unsigned type) const { return Attributes(find(type)); }

 private:
  static constexpr size_t most_types = 64;  // the highest that is asked for is IFLA_PROP_LIST
  std::array<wire::Bytes, most_types> found_{};
};

// The attributes behind a fixed header of type T.
template <class T>
Attributes attributes_after(wire::Bytes body) {
  const size_t length = NLMSG_ALIGN(sizeof(T));
  return Attributes(body.size() < length ? wire::Bytes{} : body.subspan(length));
}

// Calls `visit` for each whole message; stops at the first that lies about its length.
void for_each_message(wire::Bytes bytes, const std::function<void(const NetlinkMessage&)>& visit);

// A request, written from the front.
class NetlinkRequest {
 public:
  template <class T>
  NetlinkRequest(uint16_t type, uint16_t flags, const T& fixed) {
    nlmsghdr header{};
    header.nlmsg_type = type;
    header.nlmsg_flags = static_cast<uint16_t>(flags | NLM_F_REQUEST);
    append(&header, sizeof header);
    append(&fixed, sizeof fixed);
  }
  NetlinkRequest& put(uint16_t type, const void* value, size_t length);
  NetlinkRequest& put(uint16_t type, std::string_view text);  // with a terminating zero
  NetlinkRequest& put(uint16_t type, uint32_t value) { return put(type, &value, sizeof value); }
  // What is put until end() is inside of this attribute.
  NetlinkRequest& begin(uint16_t type);
  NetlinkRequest& end();
  // Filled in, ready to be sent.
  wire::Bytes finish(uint32_t sequence);
  bool is_dump() const;

 private:
  void append(const void* value, size_t length);
  std::vector<uint8_t> bytes_;
  std::vector<size_t> open_;  // where attributes begin that have no end yet
};

// The answer to one request, which may be many datagrams.
class NetlinkAnswer {
 public:
  using Visit = std::function<void(const NetlinkMessage&)>;
  explicit NetlinkAnswer(uint32_t sequence) : sequence_(sequence) {}

  // Calls `visit` for each message of the answer in a datagram. True when the answer is whole.
  bool take(wire::Bytes datagram, const Visit& visit);
  // An errno, or 0. EINTR: the table changed during the dump, and the dump may lack entries.
  int error() const { return error_; }

 private:
  const uint32_t sequence_;
  bool is_interrupted_ = false, is_whole_ = false;
  int error_ = 0;
};

class NetlinkSocket {
 public:
  using Visit = NetlinkAnswer::Visit;

  // `groups` is a mask of RTMGRP_*.
  bool open(uint32_t groups, Failure& failure);
  // Sends and waits: for the acknowledgement, or for all of a dump. False with the kernel's errno.
  bool ask(NetlinkRequest& request, const Visit& visit, Failure& failure);
  bool ask(NetlinkRequest& request, Failure& failure) {
    return ask(
        request, [](const NetlinkMessage&) {}, failure);
  }
  // Sends without waiting; what the kernel thinks of it arrives with the notices.
  bool send(NetlinkRequest& request);

  // All notices that have arrived. False: some were lost, and everything has to be dumped again.
  bool receive(const Visit& visit);
  int fd() const { return socket_.get(); }

 private:
  Descriptor socket_;
  uint32_t sequence_ = 0;
  std::vector<uint8_t> buffer_;
};

}  // namespace sluice::host
