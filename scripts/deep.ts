// SPDX-License-Identifier: Apache-2.0
// The tests that take too long for `.ci/run`, which every change must pass. Each step is a command that a person can type.
// A step that fails does not stop the next ones.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { kernelIpvs } from '../lab/balancers/kernel-ipvs.ts';
import { unsuited } from '../lab/perform.ts';
import { scenarios } from '../lab/scenarios/table.ts';
import { Failure, projectRoot, run, startScript } from '../tools/command.ts';
import { recorded, resultsFolder } from '../tools/results.ts';
import { type Step, summarise } from './steps.ts';

const usage = `
Usage: npm run deep [-- [--minutes N] [--scenarios N] [--sequences N] [--seed S] [--only STEP]… [--list]]

Runs what .ci/run leaves out, as root, in two to three hours: all tests with the long ones, on this Node and on Node 24;
coverage of TypeScript and C++; all sanitizers; every scenario of the lab with every balancer that can play it, in a
virtual machine if this kernel lacks something; the comparison of the director with the kernel's IPVS, and of ipvsadm's
commands with ipvsadm; fuzzing. A step that fails does not stop the next ones. The end is a table of the steps and one line: N passed, N failed.

  --minutes N    how long each fuzz target runs; 10 unless given
  --scenarios N  number of random scenarios that the director and the kernel's IPVS both play; 300 unless given
  --sequences N  number of random sequences of ipvsadm's commands that Sluice and ipvsadm both play; 300 unless given
  --seed S       seed of the random scenarios and sequences; the number of the day unless given
  --only STEP    run only this step; may be repeated
  --list         print the steps
`;

const nextNode = '24';
const dayMilliseconds = 24 * 60 * 60 * 1000;

interface Amounts {
  readonly minutes: string;
  readonly scenarios: string;
  readonly sequences: string;
  readonly seed: string;
}

/** The arguments of `npm run` for each step, by the step's name. */
function stepsOf({ minutes, scenarios: count, sequences, seed }: Amounts): Record<string, readonly string[]> {
  const forKernel = scenarios.filter(scenario => unsuited(scenario, kernelIpvs) === undefined).map(({ name }) => name);
  const needsOtherKernel = scenarios.filter(scenario => scenario.kernel !== undefined).map(({ name }) => name);
  return {
    test: ['test', '--', '--deep'],
    node: ['test', '--', '--deep', '--node', nextNode],
    coverage: ['coverage'],
    sanitize: ['sanitize', '--', '--deep'],
    lab: ['lab', '--', '--balancer', 'all'],
    'lab-kernel-ipvs': ['lab', '--', '--guest', '--balancer', kernelIpvs.name, ...forKernel],
    'lab-other-kernel': ['lab', '--', '--guest', ...needsOtherKernel],
    'oracle-recorded': ['lab', '--', 'oracle', '--compare'],
    'oracle-random': ['lab', '--', 'oracle', '--random', count, '--seed', seed],
    'ipvsadm-random': ['lab', '--', 'ipvsadm', '--random', sequences, '--seed', seed],
    package: ['package', '--', '--try'],
    fuzz: ['fuzz', '--', '--minutes', minutes],
  };
}

function play(words: readonly string[]): Step {
  const command = `npm run ${words.join(' ')}`;
  console.log(`════ ${command}`);
  const began = performance.now();
  const failed = run('npm', ['run', '--silent', ...words]) !== 0;
  return { command, seconds: (performance.now() - began) / 1000, failed };
}

function main(args: string[]): void {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: 'string', default: '10' },
      scenarios: { type: 'string', default: '300' },
      sequences: { type: 'string', default: '300' },
      seed: { type: 'string', default: String(Math.floor(Date.now() / dayMilliseconds)) },
      only: { type: 'string', multiple: true, default: [] },
      list: { type: 'boolean', default: false },
    },
  });
  const all = stepsOf(values);
  const unknown = values.only.find(name => !Object.hasOwn(all, name));
  if (unknown !== undefined) throw new Failure(`no such step: ${unknown}; there are ${Object.keys(all).join(', ')}`, 2);
  const steps = Object.entries(all).filter(([name]) => values.only.length === 0 || values.only.includes(name));
  if (values.list) {
    for (const [name, words] of steps) console.log(`${name.padEnd(17)} npm run ${words.join(' ')}`);
    return;
  }
  rmSync(join(projectRoot, resultsFolder), { recursive: true, force: true });
  const played = steps.map(([name, words]) => ({ ...play(words), command: name }));
  summarise(played, recorded());
}

await startScript(import.meta.url, usage, main);
