// SPDX-License-Identifier: Apache-2.0
// SCTP chunks as scenarios name them (RFC 9260), with contents that are valid and always the same.

import { view } from './packet.ts';

interface ChunkShape {
  readonly type: number;
  readonly length: number; // of the value, header excluded
}

const shapes: Record<string, ChunkShape> = {
  DATA: { type: 0, length: 16 },
  INIT: { type: 1, length: 16 },
  INIT_ACK: { type: 2, length: 24 },
  SACK: { type: 3, length: 12 },
  HEARTBEAT: { type: 4, length: 8 },
  HEARTBEAT_ACK: { type: 5, length: 8 },
  ABORT: { type: 6, length: 0 },
  SHUTDOWN: { type: 7, length: 4 },
  SHUTDOWN_ACK: { type: 8, length: 0 },
  ERROR: { type: 9, length: 4 },
  COOKIE_ECHO: { type: 10, length: 4 },
  COOKIE_ACK: { type: 11, length: 0 },
  SHUTDOWN_COMPLETE: { type: 14, length: 0 },
};

export const sctpChunkNames: ReadonlyMap<number, string> = new Map(
  Object.entries(shapes).map(([name, shape]) => [shape.type, name]),
);

const initiateTag = 0x01020304;
const windowCredit = 0x10000;
const initialTsn = 1;

function fillInit(value: DataView): void {
  value.setUint32(0, initiateTag);
  value.setUint32(4, windowCredit);
  value.setUint16(8, 1); // outbound streams
  value.setUint16(10, 1); // inbound streams
  value.setUint32(12, initialTsn);
}

function fillValue(name: string, value: DataView): void {
  switch (name) {
    case 'INIT':
      fillInit(value);
      break;
    case 'INIT_ACK':
      fillInit(value);
      value.setUint32(16, 0x00070008); // parameter: state cookie of four bytes
      value.setUint32(20, 0x636f6f6b);
      break;
    case 'DATA':
      value.setUint32(0, initialTsn);
      value.setUint32(12, 0x64617461);
      break;
    case 'SACK':
    case 'SHUTDOWN':
      value.setUint32(0, initialTsn); // cumulative TSN
      break;
    case 'HEARTBEAT':
    case 'HEARTBEAT_ACK':
      value.setUint32(0, 0x00010008); // parameter: heartbeat info of four bytes
      break;
    case 'ERROR':
      value.setUint32(0, 0x00030004); // cause without contents
      break;
    case 'COOKIE_ECHO':
      value.setUint32(0, 0x636f6f6b);
      break;
  }
}

export function sctpChunk(name: string): Uint8Array | undefined {
  const shape = shapes[name];
  if (!shape) return undefined;
  const bytes = new Uint8Array(4 + shape.length);
  bytes[0] = shape.type;
  if (name === 'DATA') bytes[1] = 3; // first and last fragment of a message
  view(bytes).setUint16(2, bytes.length);
  fillValue(name, new DataView(bytes.buffer, 4));
  return bytes;
}
