// SPDX-License-Identifier: Apache-2.0
// Detects frames of several TCP segments, which a host has merged (GRO) or not yet segmented (TSO). A live port reports this
// for each frame; a capture does not.
//
// A frame longer than its port's MTU was never on the wire: the capture was taken on a host, where offloads had not yet
// segmented or had already merged it. The capture does not have the length of the segments. They are assumed to be full: the
// MTU without the frame's headers. If the checksum is only the sum of the pseudo-header, the device was to complete it.
import type { FrameProperties } from '../../director/frame-batch.ts';
import { be16, type FrameHeaders, frameHeaders } from '../../director/frame-headers.ts';
import type { RouteTable } from '../../director/route-table.ts';

const tcp = 6;
const tcpChecksumAt = 16;
const shortestTcpHeader = 20;
const nothing: FrameProperties = {};

export class OffloadDetector {
  /** Number of frames that were taken for several segments. */
  mergedFrames = 0;
  readonly #mtus: readonly number[];

  constructor(routeTable: RouteTable) {
    this.#mtus = routeTable.ports.map(port => port.mtu);
  }

  /** `port` is the port's number. */
  propertiesOf(frame: Uint8Array, port: number): FrameProperties {
    const mtu = this.#mtus[port] ?? 0;
    // The common case.
    if (frame.length <= mtu) return nothing;
    const offloads = mergedSegments(frame, mtu);
    if (offloads === undefined) return nothing;
    this.mergedFrames += 1;
    return offloads;
  }
}

function mergedSegments(frame: Uint8Array, mtu: number): FrameProperties | undefined {
  const headers = frameHeaders(frame);
  if (headers === undefined || headers.packetLength <= mtu || headers.protocol !== tcp) return undefined;
  const { l3, l4, isFragment, packetLength, family } = headers;
  if (l4 === undefined || isFragment || l4 + shortestTcpHeader > frame.length) return undefined;
  const headerLength = l4 - l3 + ((frame[l4 + 12] ?? 0) >> 4) * 4;
  const size = mtu - headerLength;
  // Without payload there are no segments.
  if (size <= 0 || headerLength >= packetLength) return undefined;
  const partialChecksum = be16(frame, l4 + tcpChecksumAt) === pseudoHeaderSum(headers, l4);
  return { partialChecksum, segmentation: { kind: family === 4 ? 'tcp4' : 'tcp6', size } };
}

/** The sum of the pseudo-header (RFC 9293 3.1), not complemented, to which a device adds the rest. */
function pseudoHeaderSum({ source, destination, protocol, packetLength, l3 }: FrameHeaders, l4: number): number {
  let sum = protocol + packetLength - (l4 - l3);
  for (const address of [source, destination]) {
    for (let at = 0; at < address.length; at += 2) sum += be16(address, at);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}
