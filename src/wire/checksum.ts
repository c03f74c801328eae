// SPDX-License-Identifier: Apache-2.0
// The internet checksum (RFC 1071) and the CRC32c of SCTP (RFC 9260). This code is simple rather than fast, because
// tests and scenarios build few packets. The director has its own code in native/wire.

// The one's complement sum of the big-endian words, folded to 16 bits. A single last byte is the high half of a word.
export function onesComplementSum(bytes: Uint8Array, start = 0): number {
  let sum = start;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

export function internetChecksum(bytes: Uint8Array, start = 0): number {
  return ~onesComplementSum(bytes, start) & 0xffff;
}

const castagnoli = 0x82f63b78; // the polynomial 0x1edc6f41, bits reflected

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ castagnoli : crc >>> 1;
  return crc >>> 0;
});

export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (crcTable[(crc ^ byte) & 0xff] ?? 0);
  return ~crc >>> 0;
}
