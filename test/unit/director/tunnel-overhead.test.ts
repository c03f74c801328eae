// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import type { Tunnel } from '../../../src/director/model.ts';
import { tunnelOverhead } from '../../../src/director/tunnel-overhead.ts';

// The lengths of the headers: IPv4 20 and IPv6 40 bytes; GRE 4, with a checksum 8 (RFC 2784); UDP 8; GUE 4, and 8 more for
// its private flags and the remote checksum option.
it.each<[string, Tunnel, number]>([
  ['10.0.9.11', { type: 'ipip', port: 0, checksum: 'none' }, 20],
  ['2001:db8::1', { type: 'ipip', port: 0, checksum: 'none' }, 40],
  ['10.0.9.11', { type: 'gre', port: 0, checksum: 'none' }, 24],
  ['10.0.9.11', { type: 'gre', port: 0, checksum: 'full' }, 28],
  ['10.0.9.11', { type: 'gue', port: 6080, checksum: 'full' }, 32],
  ['2001:db8::1', { type: 'gue', port: 6080, checksum: 'remote' }, 60],
])('a packet to %s by %j gets headers of %i bytes', (address, tunnel, bytes) => {
  expect(tunnelOverhead(tunnel, address)).toBe(bytes);
});
