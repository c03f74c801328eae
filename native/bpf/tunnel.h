// SPDX-License-Identifier: Apache-2.0
// What the sender of tunnelled frames and the BPF program at egress agree on: a frame's mark (SO_MARK). Read by clang
// -target bpf as C and by the module as C++.
#pragma once

// The upper half says that the frame is one of ours, the lower eight bits how long its tunnel's headers are: all that
// lies between the link header and the packet inside.
#define TUNNEL_MARK 0x51ce0000u
#define TUNNEL_MARK_MASK 0xffff0000u
#define TUNNEL_LENGTH_MASK 0xffu

// IPv6, UDP and GUE with room to spare.
#define TUNNEL_MOST_HEADERS 64
