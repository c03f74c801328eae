// SPDX-License-Identifier: Apache-2.0
// What a target sent, as a part of a verdict's detail: short, on one line, without control characters.

const mostCharacters = 100;

export function shown(sent: Uint8Array | string): string {
  // A character of UTF-8 takes four bytes at most.
  const text = typeof sent === 'string' ? sent : Buffer.from(sent.subarray(0, 4 * mostCharacters + 4)).toString('utf8');
  const characters = [...text.trim().replaceAll(/\p{C}/gu, '.')];
  return characters.length > mostCharacters ? `${characters.slice(0, mostCharacters).join('')}…` : characters.join('');
}
