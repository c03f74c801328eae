// SPDX-License-Identifier: Apache-2.0
import type { Host } from '../topology/host.ts';
import type { Program } from '../topology/program.ts';

/** Prints a line for each packet that matches on the interface from now on, with the packet's bytes if `bytes` is set. */
export function watch(host: Host, device: string, filter: string, options: { bytes?: true } = {}): Promise<Program> {
  const words = ['-n', '-t', '-l', '--immediate-mode', '-v', '-Z', 'root', ...(options.bytes ? ['-x'] : [])];
  const command = ['tcpdump', ...words, '-i', device, filter] as const;
  return host.startService({ name: 'watch', command, ready: { prints: 'listening on' } });
}
