// SPDX-License-Identifier: Apache-2.0
// Converts addresses between text and the bytes on the wire.
import { isIPv4, isIPv6 } from 'node:net';

export function ipv4Bytes(text: string): Uint8Array {
  if (!isIPv4(text)) throw new TypeError(`no IPv4 address: "${text}"`);
  return Uint8Array.from(text.split('.'), Number);
}

export function ipv6Bytes(text: string): Uint8Array {
  if (!isIPv6(text) || text.includes('%')) throw new TypeError(`no IPv6 address: "${text}"`);
  const [head = '', tail] = withoutDottedQuad(text).split('::');
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const missing = tail === undefined ? 0 : 8 - left.length - right.length;
  const all = [...left, ...new Array<number>(missing).fill(0), ...right];
  return Uint8Array.from(all.flatMap(group => [group >> 8, group & 0xff]));
}

export function macBytes(text: string): Uint8Array {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) throw new TypeError(`no MAC address: "${text}"`);
  return Uint8Array.from(text.split(':'), pair => Number.parseInt(pair, 16));
}

function groups(text: string): number[] {
  return text === '' ? [] : text.split(':').map(group => Number.parseInt(group, 16));
}

// "::ffff:192.0.2.1" as "::ffff:c000:201".
function withoutDottedQuad(text: string): string {
  return text.replace(/[^:]*\..*$/, quad => {
    const [a = 0, b = 0, c = 0, d = 0] = ipv4Bytes(quad);
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
}
