// SPDX-License-Identifier: Apache-2.0
// The end of .ci/run: what each run of tests counted, and the total on the last line. A step that failed without a
// failing test to show for it counts as one.
import { startScript } from './command.ts';
import { closingLine, recorded, sum } from './results.ts';

const usage = `
Usage: tsx scripts/ci-summary.ts [FAILED STEP…]

Adds up out/results. Fails when a step is named, or when anything failed.
`;

function main(failedSteps: string[]): void {
  const runs = recorded();
  console.log();
  for (const [name, count] of runs) console.log(`${name}: ${closingLine(count)}`);
  for (const step of failedSteps) console.log(`failed: npm run ${step}`);
  const total = sum([...runs.values()]);
  const failed = Math.max(total.failed, failedSteps.length);
  console.log(closingLine({ ...total, failed }));
  if (failed > 0) process.exitCode = 1;
}

await startScript(import.meta.url, usage, main);
