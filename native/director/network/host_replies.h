// SPDX-License-Identifier: Apache-2.0
// What the host's own stack answers to a packet that the director has translated for it (a real server that is this
// host, stages/local_node.h): it has to come back to the director, which translates it for the client.
//
// Who moves frames sees to it. Where frames come from a capture there is nobody, and replies come by themselves.
#pragma once

#include <cstdint>

#include "wire/address.h"

namespace sluice::director {

// Whom the stack will answer, as the stack sees it.
struct HostReply {
  wire::Address server, client;
  uint16_t server_port = 0, client_port = 0;
  uint8_t protocol = 0;
  bool operator==(const HostReply&) const = default;
};

class HostReplies {
 public:
  virtual ~HostReplies() = default;
  // Before every packet that the stack gets. False: the reply would not come back.
  virtual bool expect(const HostReply& reply) = 0;
  // A reply came back, and no flow wants it: what the stack sends again is to leave by the host's own routes.
  virtual void forget(const HostReply& reply) = 0;
};

}  // namespace sluice::director
