#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// `sluice COMMAND …`: finds the command in the table and runs it with the other arguments.
// Exit status: 0 done, 1 failed, 2 misuse.
import { nearest } from '../core/config/suggest.ts';
import { SluiceError, UsageError } from '../core/errors.ts';
import { version } from '../core/version.ts';
import type { ExitStatus } from './command.ts';
import { commands } from './commands.ts';

const usage = `Usage: sluice COMMAND [OPTION…]

${commands.map(({ name, summary }) => `  ${name.padEnd(12)} ${summary}`).join('\n')}

  --help        print this text; after a command, print the usage of the command
  --version     print the version of this package

Exit status: 0 done, 1 failed, 2 misuse.
`;

async function run([name, ...args]: readonly string[]): Promise<ExitStatus> {
  if (name === '--help' || name === '-h') return answer(usage);
  if (name === '--version') return answer(`${version}\n`);
  if (name === undefined) throw new UsageError('no command is given', { remedy: 'try sluice --help' });
  const row = commands.find(each => each.name === name);
  if (row === undefined) {
    const meant = nearest(name, [...commands.map(each => each.name), '--help', '--version']);
    throw new UsageError(name.startsWith('-') ? 'there is no such option' : 'there is no such command', {
      value: name,
      remedy: meant === undefined ? 'try sluice --help' : `did you mean ${meant}?`,
    });
  }
  const command = await row.load();
  const asksForHelp = args.includes('--help') || args.includes('-h');
  if (asksForHelp && command.answersHelp !== true) return answer(command.usage);
  return await command.run(args);
}

function answer(text: string): ExitStatus {
  process.stdout.write(text);
  return 0;
}

function report(error: unknown): ExitStatus {
  // Any other error is a bug, which is shown with its stack.
  if (!(error instanceof SluiceError)) {
    console.error(error);
    return 1;
  }
  console.error(`sluice: ${error.message}`);
  return error.exitStatus;
}

// The reader of standard output may close it (`| head`). The command goes on, as it may write files, too. So it does where
// the terminal is gone (EIO), until the signal of this comes.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  const isTerminalGone = error.code === 'EIO' && process.stdout.isTTY;
  if (error.code !== 'EPIPE' && !isTerminalGone) throw error;
});

process.exitCode = await run(process.argv.slice(2)).catch(report);
