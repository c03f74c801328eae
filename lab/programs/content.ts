// SPDX-License-Identifier: Apache-2.0
// Content for transfers of any length, made in memory: the key stream of AES-128 in counter mode. No part of it repeats, so
// a lost, duplicated or misplaced piece changes the hash.
import { createCipheriv, createHash } from 'node:crypto';

const pieceBytes = 1 << 20;
const zeros = Buffer.alloc(pieceBytes);

export function* content(bytes: number): Generator<Buffer> {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 'sluice lab'), Buffer.alloc(16));
  for (let left = bytes; left > 0; left -= pieceBytes) {
    yield cipher.update(left < pieceBytes ? zeros.subarray(0, left) : zeros);
  }
}

/** The SHA-256 of the first `bytes` of content, in hexadecimal digits. */
export function digestOfContent(bytes: number): string {
  const hash = createHash('sha256');
  for (const piece of content(bytes)) hash.update(piece);
  return hash.digest('hex');
}
