// SPDX-License-Identifier: Apache-2.0
// The summary of .ci/run: the seconds of each step, the count of each run of tests, and the total on the last line.
import { Failure, startScript } from '../tools/command.ts';
import { recorded } from '../tools/results.ts';
import { type Step, summarise } from './steps.ts';

const usage = `
Usage: tsx scripts/ci-summary.ts [COMMAND=SECONDS=STATUS…]

Prints a table of the steps and adds up out/results. Fails when a step or a test failed.
`;

function stepOf(word: string): Step {
  const [, command, seconds, status] = /^(.*)=(\d+)=(\d+)$/.exec(word) ?? [];
  if (command === undefined) throw new Failure(`not COMMAND=SECONDS=STATUS: ${word}`, 2);
  return { command, seconds: Number(seconds), failed: status !== '0' };
}

await startScript(import.meta.url, usage, words => summarise(words.map(stepOf), recorded()));
