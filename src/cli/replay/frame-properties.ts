// SPDX-License-Identifier: Apache-2.0
// What a capture does not say of a frame and a live port would: whether it is a frame of TCP segments that a host has
// merged (GRO) or not yet cut (TSO).
//
// A frame longer than its port's MTU cannot have been on the wire: the capture was taken on a host, above or before the
// offloads. How long the segments are it does not say; they are taken to be full: as much payload as the MTU has room
// for behind the frame's own headers. A checksum that is the pseudo-header's sum alone is one that a device would finish.
import type { FrameProperties } from '../../director/frame-batch.ts';
import { be16, type FrameHeaders, frameHeaders } from '../../director/frame-headers.ts';
import type { RouteTable } from '../../director/route-table.ts';

const tcp = 6;
const tcpChecksumAt = 16;
const shortestTcpHeader = 20;
const nothing: FrameProperties = {};

export class FrameJudge {
  /** Frames taken to be of several segments, so far. */
  mergedFrames = 0;
  readonly #mtus: readonly number[];

  constructor(routeTable: RouteTable) {
    this.#mtus = routeTable.ports.map(port => port.mtu);
  }

  /** `port` is the port's number. */
  propertiesOf(frame: Uint8Array, port: number): FrameProperties {
    const mtu = this.#mtus[port] ?? 0;
    // Nearly all frames of nearly all captures.
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
  // A packet of headers alone is too long for other reasons.
  if (size <= 0 || headerLength >= packetLength) return undefined;
  const partialChecksum = be16(frame, l4 + tcpChecksumAt) === pseudoHeaderSum(headers, l4);
  return { partialChecksum, segmentation: { kind: family === 4 ? 'tcp4' : 'tcp6', size } };
}

/** The sum that a device goes on from (RFC 9293 3.1), not complemented. */
function pseudoHeaderSum({ source, destination, protocol, packetLength, l3 }: FrameHeaders, l4: number): number {
  let sum = protocol + packetLength - (l4 - l3);
  for (const address of [source, destination]) {
    for (let at = 0; at < address.length; at += 2) sum += be16(address, at);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}
