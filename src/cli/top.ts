// SPDX-License-Identifier: Apache-2.0
// `sluice top`: shows connections and rates of the running director, every second.
import { setTimeout as wait } from 'node:timers/promises';
import { directorTop } from '../director/api.ts';
import { type Command, type ExitStatus, parseOptions, print } from './command.ts';
import { clientOf, commonOptions, commonUsage } from './question.ts';
import { ratesBetween } from './top/rates.ts';
import { showOnTerminal } from './top/session.ts';
import { tableLines } from './top/table.ts';

const usage = `Usage: sluice top [OPTION…]

Shows services of the running director with their connections and rates, every second. On a terminal, Enter shows the
servers of a service and the connections of a server, and h the other keys: to sort, to filter, to pause. If standard
output is no terminal, tables of services with their servers, the load of the workers and packets by reason, dropped
packets first, follow each other as plain text.

  --once          print one table as plain text, of the next second
${commonUsage}
`;

const options = { ...commonOptions, once: { type: 'boolean' } } as const;

const millisecondsBetween = 1000;

async function run(args: readonly string[]): Promise<ExitStatus> {
  const parsed = parseOptions(args, options);
  const client = clientOf(parsed);
  const isPlain = parsed.flags.has('once') || parsed.flags.has('json');
  if (!isPlain && process.stdin.isTTY && process.stdout.isTTY) {
    await showOnTerminal(client);
    return 0;
  }
  const ending = new AbortController();
  const end = (): void => ending.abort();
  process.on('SIGINT', end).on('SIGTERM', end);
  try {
    let before = await client.call(directorTop, {});
    while (await pause(ending.signal)) {
      const now = await client.call(directorTop, {});
      const rates = ratesBetween(before, now);
      if (parsed.flags.has('json')) print(`${JSON.stringify(rates)}\n`);
      else print(`${tableLines(rates).join('\n')}\n\n`);
      if (parsed.flags.has('once')) break;
      before = now;
    }
  } finally {
    process.off('SIGINT', end).off('SIGTERM', end);
  }
  return 0;
}

/** Waits for the next table. Returns false if the command was asked to end meanwhile. */
async function pause(signal: AbortSignal): Promise<boolean> {
  try {
    await wait(millisecondsBetween, undefined, { signal });
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}

export const topCommand: Command = {
  usage,
  run,
};
