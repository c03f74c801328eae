// SPDX-License-Identifier: Apache-2.0
// The SCTP chunks (RFC 9260) by their names in the packet language. Their contents are valid and always the same.

import { buildPacket, sctpChunk as chunkOf, hex, sctpChunkTypes } from './packet-builder.ts';

// Tag 0x01020304, a window of 64 KiB, one stream each way, the first TSN.
const init = '01020304 00010000 0001 0001 00000001';

// Parameters and causes begin with their type and length.
const values: Record<keyof typeof sctpChunkTypes, string> = {
  data: '00000001 00000000 00000000 64617461', // the first TSN, stream and sequence 0, protocol 0, "data"
  init,
  initAck: `${init} 0007 0008 636f6f6b`, // with a state cookie: "cook"
  sack: '00000001 00000000 00000000', // cumulative TSN, no window, no gaps
  heartbeat: '0001 0008 00000000', // information of four bytes
  heartbeatAck: '0001 0008 00000000',
  abort: '',
  shutdown: '00000001', // cumulative TSN
  shutdownAck: '',
  error: '0003 0004', // a cause without contents
  cookieEcho: '636f6f6b',
  cookieAck: '',
  shutdownComplete: '',
};

const wholeMessage = 3; // flags of DATA: the first and the last fragment

type ChunkType = keyof typeof sctpChunkTypes;

// The packet builder says `cookieEcho`, the packet language COOKIE_ECHO.
const typesByName = new Map(
  (Object.keys(values) as ChunkType[]).map(type => [type.replace(/[A-Z]/g, '_$&').toUpperCase(), type]),
);

export const sctpChunkNames: ReadonlyMap<number, string> = new Map(
  [...typesByName].map(([name, type]) => [sctpChunkTypes[type], name]),
);

export function sctpChunk(name: string): Uint8Array | undefined {
  const type = typesByName.get(name);
  if (type === undefined) return undefined;
  return buildPacket(chunkOf({ type, flags: type === 'data' ? wholeMessage : 0, value: hex(values[type]) }));
}
