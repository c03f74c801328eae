// SPDX-License-Identifier: Apache-2.0
// Checksums that the sender left to a device, in frames that do not say so.
//
// A frame that never was on a wire (from a veth's other end, from a virtual machine's host) may have in its TCP or UDP
// checksum the folded sum of its pseudo-header alone. Packet sockets tell which; AF_XDP does not. It can be seen,
// without a doubt that matters: a field that equals that sum is completed as a device would complete it, which makes it
// the complement of the sum over pseudo-header, header and data. That is what a complete checksum is; one that equals
// the pseudo-header's sum by chance comes out as it was.
#pragma once

#include "wire/bytes.h"

namespace sluice::port {

// Also SCTP's, which is zero until a device has computed it.
void complete_partial_checksum(wire::MutableBytes frame);

}  // namespace sluice::port
