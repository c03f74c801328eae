// SPDX-License-Identifier: Apache-2.0
import type { Host } from '../topology/host.ts';
import type { Program } from '../topology/program.ts';

/** Prints, a line a packet, what matches on that interface from now on; after it the packet's bytes, where wanted. */
export function watch(host: Host, device: string, filter: string, options: { bytes?: true } = {}): Promise<Program> {
  const words = ['-n', '-t', '-l', '--immediate-mode', '-v', '-Z', 'root', ...(options.bytes ? ['-x'] : [])];
  const command = ['tcpdump', ...words, '-i', device, filter] as const;
  return host.startService({ name: 'watch', command, ready: { prints: 'listening on' } });
}
