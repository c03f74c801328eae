// SPDX-License-Identifier: Apache-2.0
import type { Host } from '../topology/host.ts';
import type { Program } from '../topology/program.ts';

/** Prints, a line a packet, what matches on that interface from now on. */
export function watch(host: Host, device: string, filter: string): Promise<Program> {
  const command = ['tcpdump', '-n', '-t', '-l', '--immediate-mode', '-v', '-Z', 'root', '-i', device, filter] as const;
  return host.startService({ name: 'watch', command, ready: { prints: 'listening on' } });
}
