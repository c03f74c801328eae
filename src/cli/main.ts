#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// `sluice COMMAND …`: finds the command in the table and gives it the rest of the line.
// Exit status: 0 done, 1 failed, 2 misuse.
import { SluiceError, UsageError } from '../core/errors.ts';
import { version } from '../core/version.ts';
import type { Command, ExitStatus } from './command.ts';

interface Row {
  readonly name: string;
  /** In a line of `sluice --help`. */
  readonly summary: string;
  /** A question to a running process does not wait until all that another command needs is loaded. */
  load(): Promise<Command>;
}

const commands: readonly Row[] = [
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

const usage = `Usage: sluice COMMAND [OPTION…]

${commands.map(({ name, summary }) => `  ${name.padEnd(12)} ${summary}`).join('\n')}

  --help        this text; after a command, its own
  --version     the version of this package

Exit status: 0 done, 1 failed, 2 misuse.
`;

async function run([name, ...args]: readonly string[]): Promise<ExitStatus> {
  if (name === '--help' || name === '-h') return answer(usage);
  if (name === '--version') return answer(`${version}\n`);
  if (name === undefined) throw new UsageError('no command is given', { remedy: 'try sluice --help' });
  const row = commands.find(each => each.name === name);
  if (row === undefined) {
    throw new UsageError(name.startsWith('-') ? 'there is no such option' : 'there is no such command', {
      value: name,
      remedy: 'try sluice --help',
    });
  }
  const command = await row.load();
  if (args.includes('--help') || args.includes('-h')) return answer(command.usage);
  return await command.run(args);
}

function answer(text: string): ExitStatus {
  process.stdout.write(text);
  return 0;
}

function report(error: unknown): ExitStatus {
  // A mistake of ours is shown whole.
  if (!(error instanceof SluiceError)) {
    console.error(error);
    return 1;
  }
  console.error(`sluice: ${error.message}`);
  return error.exitStatus;
}

// Whoever reads the answer may stop reading (`| head`): the work goes on, its files are wanted.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

process.exitCode = await run(process.argv.slice(2)).catch(report);
