// SPDX-License-Identifier: Apache-2.0
// The sockets of exchanges: non-blocking, connected to the target, so that the kernel keeps the datagrams of others
// away and reports ICMP errors.
#pragma once

#include "host/descriptor.h"
#include "probe/exchange.h"

namespace sluice::probe {

struct Opened {
  host::Descriptor socket;
  bool is_connected = false;  // false: TCP is still connecting
  bool is_raw = false;        // a raw socket for ICMP, which gets the answers to other programs too
  int error = 0;              // errno, without a socket
};

Opened open_socket(const Request& request);

// What has failed on the socket. Never 0: the caller knows that something has.
int error_of(int socket);

// Closing it sends a reset in place of a FIN (prober.h).
void reset_on_close(int socket);

}  // namespace sluice::probe
