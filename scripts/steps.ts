// SPDX-License-Identifier: Apache-2.0
// The summary of several steps, for .ci/run and `npm run deep`: a table of their seconds, and the total of their tests.
import { type Count, closingLine, sum } from '../tools/results.ts';

export interface Step {
  readonly command: string;
  readonly seconds: number;
  readonly failed: boolean;
}

/** A row for each step, and one for all of them. */
export function tableOf(steps: readonly Step[]): string {
  const all = { command: 'all', seconds: steps.reduce((sum, step) => sum + step.seconds, 0), failed: false };
  const rows = [...steps, all];
  const width = Math.max(...rows.map(row => row.command.length));
  return rows
    .map(({ command, seconds, failed }) => {
      const row = `${command.padEnd(width)}  ${seconds.toFixed(0).padStart(6)} s`;
      return failed ? `${row}  FAILED` : row;
    })
    .join('\n');
}

/** The total of all tests. A step that failed without a failed test counts as one. */
export function totalOf(steps: readonly Step[], runs: ReadonlyMap<string, Count>): Count {
  const total = sum([...runs.values()]);
  return { ...total, failed: Math.max(total.failed, steps.filter(step => step.failed).length) };
}

/** A line for each failed test: a log that is cut at its beginning still names them. */
export function failuresOf(runs: ReadonlyMap<string, Count>): string[] {
  return [...runs].flatMap(([name, { failures = [] }]) => failures.map(failure => `FAILED ${name}: ${failure}`));
}

/** Prints the table, the counts, the failed tests and, on the last line, the total. Sets the exit status to 1 if anything failed. */
export function summarise(steps: readonly Step[], runs: ReadonlyMap<string, Count>): void {
  console.log(`\n${tableOf(steps)}\n`);
  for (const [name, count] of runs) console.log(`${name}: ${closingLine(count)}`);
  for (const line of failuresOf(runs)) console.log(line);
  const total = totalOf(steps, runs);
  console.log(closingLine(total));
  if (total.failed > 0) process.exitCode = 1;
}
