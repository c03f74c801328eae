// SPDX-License-Identifier: Apache-2.0
// What a prober is asked for and what it reports.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/time.h"
#include "probe/socket_address.h"
#include "probe/traffic_way.h"

namespace sluice::probe {

// Names an exchange. It is never used again, and it is exact as a number of JavaScript (53 bits). 0 names none.
using Id = uint64_t;

enum class Protocol : uint8_t { tcp, udp, ping };

struct Request {
  Protocol protocol = Protocol::tcp;
  SocketAddress to;  // the port of a ping is 0
  Time timeout = 0;  // nanoseconds
  // Sent as soon as the connection stands, or as the datagram. An empty datagram can be sent too, so `sends` says
  // whether there is one. A ping has bytes of its own.
  bool sends = false;
  std::span<const uint8_t> bytes;
  bool connect_only = false;  // TCP: the exchange ends as soon as the connection stands
  SocketAddress from;         // the source address; unspecified: the kernel chooses
  std::string device;         // SO_BINDTODEVICE; empty: any
  uint32_t mark = 0;          // SO_MARK; 0: none
  // TCP with connect_only: to a real server, as the packets of the service `to` travel to it. `from`, `device` and
  // `mark` count for nothing then.
  TrafficWay way;
};

// The order is that of the names in src/native/prober.ts.
enum class EventKind : uint8_t { connected, data, closed, failed, timeout };

struct Event {
  Id id = 0;
  EventKind kind = EventKind::failed;
  uint32_t value = 0;  // `data`: the number of bytes; `failed`: a number of errno(3);
                       // `timeout`: 1 when the connection stood
};

// The bytes of the events of the kind `data` follow each other in `bytes`.
struct Batch {
  std::vector<Event> events;
  std::vector<uint8_t> bytes;
};

// collect() never reports more at once.
inline constexpr size_t most_events = 1024;
inline constexpr size_t most_of_one_socket = 64 << 10;
inline constexpr size_t most_bytes = (1 << 20) + most_of_one_socket;

}  // namespace sluice::probe
