// SPDX-License-Identifier: Apache-2.0
// The table of commands.
import type { Command } from './command.ts';

export interface CommandRow {
  readonly name: string;
  /** The line in `sluice --help`. */
  readonly summary: string;
  /** Loads the command's modules only, so that short commands start quickly. */
  load(): Promise<Command>;
}

export const commands: readonly CommandRow[] = [
  {
    name: 'run',
    summary: 'forwards packets between network devices',
    load: async () => (await import('./run.ts')).runCommand,
  },
  {
    name: 'reload',
    summary: 'reads the configuration of a running Sluice again and applies it',
    load: async () => (await import('./reload.ts')).reloadCommand,
  },
  {
    name: 'upgrade',
    summary: 'hands over to the program on disk, without losing connections',
    load: async () => (await import('./upgrade.ts')).upgradeCommand,
  },
  {
    name: 'check',
    summary: 'says what is wrong with a sluice.yaml',
    load: async () => (await import('./check.ts')).checkCommand,
  },
  {
    name: 'diff',
    summary: 'what is different between what runs and a file or a snapshot',
    load: async () => (await import('./diff.ts')).diffCommand,
  },
  {
    name: 'apply',
    summary: 'brings a sluice.yaml into force',
    load: async () => (await import('./apply.ts')).applyCommand,
  },
  {
    name: 'confirm',
    summary: 'keeps a change that would be undone otherwise',
    load: async () => (await import('./confirm.ts')).confirmCommand,
  },
  {
    name: 'history',
    summary: 'the snapshots that were in force: when, by whom and why',
    load: async () => (await import('./history.ts')).historyCommand,
  },
  {
    name: 'show',
    summary: 'a snapshot as a sluice.yaml',
    load: async () => (await import('./show.ts')).showCommand,
  },
  {
    name: 'rollback',
    summary: 'brings a snapshot of the history into force again',
    load: async () => (await import('./rollback.ts')).rollbackCommand,
  },
  {
    name: 'export',
    summary: 'writes what is in force as a sluice.yaml',
    load: async () => (await import('./show.ts')).exportCommand,
  },
  {
    name: 'import',
    summary: 'a sluice.yaml from the configuration of keepalived, or from rules of ipvsadm',
    load: async () => (await import('./import.ts')).importCommand,
  },
  {
    name: 'ipvsadm',
    summary: "ipvsadm's commands on the running director",
    load: async () => (await import('./ipvsadm.ts')).ipvsadmCommand,
  },
  {
    name: 'drain',
    summary: 'takes a real server out for maintenance and waits until its connections have ended; or takes it back',
    load: async () => (await import('./drain.ts')).drainCommand,
  },
  {
    name: 'schema',
    summary: 'the JSON Schema of a sluice.yaml',
    load: async () => (await import('./schema.ts')).schemaCommand,
  },
  {
    name: 'status',
    summary: 'whether all is well, or what is wrong and what to do; what runs',
    load: async () => (await import('./status.ts')).statusCommand,
  },
  {
    name: 'doctor',
    summary: 'looks at this host and says what to change and why',
    load: async () => (await import('./doctor.ts')).doctorCommand,
  },
  {
    name: 'top',
    summary: 'connections and rates of the running director, every second',
    load: async () => (await import('./top.ts')).topCommand,
  },
  {
    name: 'events',
    summary: 'what happened: servers, services, processes and snapshots; --follow goes on',
    load: async () => (await import('./events.ts')).eventsCommand,
  },
  {
    name: 'metrics',
    summary: 'counters and gauges of the running Sluice, as a scraper gets them',
    load: async () => (await import('./metrics.ts')).metricsCommand,
  },
  {
    name: 'connections',
    summary: 'the connections of the running director',
    load: async () => (await import('./connections.ts')).connectionsCommand,
  },
  {
    name: 'health',
    summary: 'the real servers that are checked, their states and why',
    load: async () => (await import('./health.ts')).healthCommand,
  },
  {
    name: 'explain',
    summary: 'what the running director would do with a packet; why a server or a service gets traffic or none',
    load: async () => (await import('./explain.ts')).explainCommand,
  },
  {
    name: 'capture',
    summary: 'writes packets of the running director with its decisions to a pcapng',
    load: async () => (await import('./capture.ts')).captureCommand,
  },
  {
    name: 'decap',
    summary: 'takes packets out of tunnels on a real server',
    load: async () => (await import('./decap.ts')).decapCommand,
  },
  {
    name: 'clean',
    summary: 'removes the rules that a killed `sluice run` has left on the host',
    load: async () => (await import('./clean.ts')).cleanCommand,
  },
  {
    name: 'replay',
    summary: 'what the director does with the frames of captures',
    load: async () => (await import('./replay.ts')).replayCommand,
  },
  {
    name: 'completion',
    summary: 'a script by which bash or zsh completes commands',
    load: async () => (await import('./completion.ts')).completionCommand,
  },
  {
    name: 'man',
    summary: 'manual pages',
    load: async () => (await import('./man.ts')).manCommand,
  },
];
