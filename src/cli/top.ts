// SPDX-License-Identifier: Apache-2.0
// `sluice top`: connections and rates of the running process, every second.
import { setTimeout as wait } from 'node:timers/promises';
import { directorTop } from '../director/api.ts';
import { clientOf, commonOptions, commonUsage } from './asking.ts';
import { type Command, type ExitStatus, parseOptions, print } from './command.ts';
import { ratesBetween } from './top/rates.ts';
import { tableLines } from './top/table.ts';

const usage = `Usage: sluice top [OPTION…]

Shows services and servers of the running process with their connections and what passes a second, how busy its workers
are, and packets by reason, those that were dropped first. Renewed every second until Ctrl-C; plain text, one table after
another, where no terminal reads it.

  --once          print one table, of the next second
${commonUsage}
`;

const options = { ...commonOptions, once: { type: 'boolean' } } as const;

const millisecondsBetween = 1000;

/** To the upper left corner, and everything from there on is gone. */
const clear = '\x1b[H\x1b[J';

async function run(args: readonly string[]): Promise<ExitStatus> {
  const parsed = parseOptions(args, options);
  const client = clientOf(parsed);
  const ending = new AbortController();
  const end = (): void => ending.abort();
  process.on('SIGINT', end).on('SIGTERM', end);
  try {
    let before = await client.call(directorTop, {});
    while (await pause(ending.signal)) {
      const now = await client.call(directorTop, {});
      const rates = ratesBetween(before, now);
      if (parsed.flags.has('json')) print(`${JSON.stringify(rates)}\n`);
      else show(tableLines(rates), process.stdout.isTTY && !parsed.flags.has('once'));
      if (parsed.flags.has('once')) break;
      before = now;
    }
  } finally {
    process.off('SIGINT', end).off('SIGTERM', end);
  }
  return 0;
}

/** In the place of the table before, as much of it as the terminal has lines for; or after it. */
function show(lines: readonly string[], replaces: boolean): void {
  // A terminal that does not know its size has none.
  const { rows } = process.stdout;
  const fitting = rows > 1 ? lines.slice(0, rows - 1) : lines;
  print(replaces ? `${clear}${fitting.join('\n')}\n` : `${lines.join('\n')}\n\n`);
}

/** False when the end came meanwhile. */
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
