// SPDX-License-Identifier: Apache-2.0
// The end of several steps, of .ci/run and of `npm run deep`: a table of their seconds, and the total of what they counted.
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

/** A step that failed without a failing test to show for it counts as one. */
export function totalOf(steps: readonly Step[], runs: ReadonlyMap<string, Count>): Count {
  const total = sum([...runs.values()]);
  return { ...total, failed: Math.max(total.failed, steps.filter(step => step.failed).length) };
}

/** Prints the table, the counts and, on the last line, the total; the script fails when anything has. */
export function summarise(steps: readonly Step[], runs: ReadonlyMap<string, Count>): void {
  console.log(`\n${tableOf(steps)}\n`);
  for (const [name, count] of runs) console.log(`${name}: ${closingLine(count)}`);
  const total = totalOf(steps, runs);
  console.log(closingLine(total));
  if (total.failed > 0) process.exitCode = 1;
}
