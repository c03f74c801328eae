// SPDX-License-Identifier: Apache-2.0
// The table of commands.
import type { Command } from './command.ts';

export interface CommandRow {
  readonly name: string;
  /** In a line of `sluice --help`. */
  readonly summary: string;
  /** A question to a running process does not wait until all that another command needs is loaded. */
  load(): Promise<Command>;
}

export const commands: readonly CommandRow[] = [
  {
    name: 'run',
    summary: 'forwards packets between network devices',
    load: async () => (await import('./run.ts')).runCommand,
  },
  {
    name: 'status',
    summary: 'what the running process forwards, and how it goes',
    load: async () => (await import('./status.ts')).statusCommand,
  },
  {
    name: 'top',
    summary: 'connections and rates of the running process, every second',
    load: async () => (await import('./top.ts')).topCommand,
  },
  {
    name: 'connections',
    summary: 'the connections of the running process',
    load: async () => (await import('./connections.ts')).connectionsCommand,
  },
  {
    name: 'explain',
    summary: 'what the running process would do with a packet, and why',
    load: async () => (await import('./explain.ts')).explainCommand,
  },
  {
    name: 'capture',
    summary: 'packets of the running process with what was decided, as a pcapng',
    load: async () => (await import('./capture.ts')).captureCommand,
  },
  {
    name: 'decap',
    summary: 'takes packets out of tunnels on a real server',
    load: async () => (await import('./decap.ts')).decapCommand,
  },
  {
    name: 'clean',
    summary: 'removes what a killed process has left on the host',
    load: async () => (await import('./clean.ts')).cleanCommand,
  },
  {
    name: 'replay',
    summary: 'what the director does with the frames of captures',
    load: async () => (await import('./replay.ts')).replayCommand,
  },
];
