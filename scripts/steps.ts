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

/** Prints the table, the counts and, on the last line, the total. Sets the exit status to 1 if anything failed. */
export function summarise(steps: readonly Step[], runs: ReadonlyMap<string, Count>): void {
  console.log(`\n${tableOf(steps)}\n`);
  for (const [name, count] of runs) console.log(`${name}: ${closingLine(count)}`);
  const total = totalOf(steps, runs);
  console.log(closingLine(total));
  if (total.failed > 0) process.exitCode = 1;
}
