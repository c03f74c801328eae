// SPDX-License-Identifier: Apache-2.0
// The messages of grpc.health.v1, in protobuf, and gRPC's framing of them:
//
//   message HealthCheckRequest { string service = 1; }
//   message HealthCheckResponse { ServingStatus status = 1; }
//   frame: compressed (1 byte), length (4 bytes), message

const frameHeader = 5;
const longestMessage = 4096;
export const servingStatuses = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;

/** Kinds of values on the wire; groups (3 and 4) are not used any more. */
const wire = { varint: 0, eightBytes: 1, counted: 2, fourBytes: 5 } as const;
const statusField = 1;
/** A varint of 64 bits. */
const longestVarint = 10;

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

export function encodeRequest(service: string): Buffer {
  const name = Buffer.from(service, 'utf8');
  // A field that has its default value is left out.
  const message = name.length === 0 ? name : Buffer.from([(1 << 3) | wire.counted, ...varint(name.length), ...name]);
  const frame = Buffer.alloc(frameHeader);
  frame.writeUInt32BE(message.length, 1);
  return Buffer.concat([frame, message]);
}

/** The status as a number; a problem in words. */
export function decodeResponse(frame: Buffer): number | string {
  if (frame.length < frameHeader) return 'the answer has no message';
  if (frame[0] !== 0) return 'the answer is compressed, which was not asked for';
  const length = frame.readUInt32BE(1);
  if (length > longestMessage || frame.length !== frameHeader + length) return 'the answer is not one message';
  return statusOf(frame.subarray(frameHeader)) ?? 'the answer is not a HealthCheckResponse';
}

/** 0, the default, unless the field is there; undefined when the message is malformed. */
function statusOf(message: Buffer): number | undefined {
  let at = 0;
  let status = 0;
  const readVarint = (): number => {
    let value = 0;
    for (let digit = 0; digit < longestVarint && at < message.length; digit++) {
      const byte = message[at++] ?? 0;
      value += (byte & 0x7f) * 2 ** (7 * digit);
      if (byte < 0x80) return value;
    }
    return Number.NaN;
  };
  while (at < message.length) {
    const key = readVarint();
    const kind = key % 8;
    if (kind === wire.varint) {
      const value = readVarint();
      if (Number.isNaN(value)) return undefined;
      if (Math.floor(key / 8) === statusField) status = value;
    } else if (kind === wire.counted) at += readVarint();
    else if (kind === wire.eightBytes) at += 8;
    else if (kind === wire.fourBytes) at += 4;
    else return undefined;
    if (Number.isNaN(at)) return undefined;
  }
  return at === message.length ? status : undefined;
}
