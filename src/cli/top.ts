// SPDX-License-Identifier: Apache-2.0
// `sluice top`: prints connections and rates of the running director, every second.
import { setTimeout as wait } from 'node:timers/promises';
import { directorTop } from '../director/api.ts';
import { type Command, type ExitStatus, parseOptions, print } from './command.ts';
import { clientOf, commonOptions, commonUsage } from './question.ts';
import { ratesBetween } from './top/rates.ts';
import { tableLines } from './top/table.ts';

const usage = `Usage: sluice top [OPTION…]

Shows services and servers of the running director with their connections and rates, the load of its workers, and
packets by reason, dropped packets first. The table is renewed every second until Ctrl-C. If standard output is no
terminal, the tables follow each other as plain text.

  --once          print one table, of the next second
${commonUsage}
`;

const options = { ...commonOptions, once: { type: 'boolean' } } as const;

const millisecondsBetween = 1000;

/** Moves to the upper left corner and clears the screen. */
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

/** Prints a table. With `replaces` it replaces the table before, cut to the lines of the terminal. */
function show(lines: readonly string[], replaces: boolean): void {
  // The number of rows is undefined or 0 when the terminal's size is not known.
  const { rows } = process.stdout;
  const fitting = rows > 1 ? lines.slice(0, rows - 1) : lines;
  print(replaces ? `${clear}${fitting.join('\n')}\n` : `${lines.join('\n')}\n\n`);
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
