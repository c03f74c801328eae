// SPDX-License-Identifier: Apache-2.0
// `npm run lab -- oracle`: plays the scenarios in scenarios/ to the IPVS of the Linux kernel.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from '../../tools/build.ts';
import { setup } from '../../tools/setup.ts';
import {
  compareKernelWithItself,
  compareRandom,
  compareRecordings,
  loadSubject,
  randomScenarios,
} from './differential.ts';
import { playScenarios } from './play.ts';
import { formatRecording, TranscriptError } from './recording.ts';
import { readScenario, recordingFile, scenarioNames } from './scenario.ts';

const usage = `Usage: npm run lab -- oracle [OPTION…] [NAME…]

Plays scenarios to the IPVS of Debian's kernel in a virtual machine (QEMU, no privileges needed).
NAME is AREA/NAME, NAME or AREA below lab/ipvs-oracle/scenarios; without one, all of them.

  --random N --seed S
             plays N random scenarios and compares the director with the kernel; scenarios that differ go to out/oracle/
  --itself   plays everything twice, with another random seed of the kernel, and compares the kernel with itself
  --compare  compares the director with the recordings
  --record   writes what the kernel transmitted and printed to NAME.recording
  --show     prints it instead
  --check    only reads the scenarios and reports mistakes in them
  --list     prints each scenario's name and the behaviour that it fixes
  --help     prints this text

Environment: SLUICE_ORACLE_DIR, the folder of the unpacked kernel (default: sluice-ipvs-oracle in the system's folder for
temporary files).
`;

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function record(names: readonly string[], show: boolean): Promise<number> {
  const recordings = await playScenarios(names.map(readScenario));
  let failures = 0;
  for (const [scenario, recording] of recordings) {
    if (recording instanceof TranscriptError) {
      failures += 1;
      process.stderr.write(`oracle: ${scenario.name}: ${recording.message}\n`);
      continue;
    }
    const text = formatRecording(scenario, recording);
    if (show) process.stdout.write(text);
    else writeFileSync(recordingFile(scenario.name), text);
  }
  if (!show) process.stdout.write(`recorded ${recordings.size - failures} scenarios\n`);
  return failures === 0 ? 0 : 1;
}

function list(names: readonly string[]): number {
  for (const name of names) process.stdout.write(`${name}: ${readScenario(name).title}\n`);
  return 0;
}

function check(names: readonly string[]): number {
  let failures = 0;
  for (const name of names) {
    try {
      readScenario(name);
    } catch (error) {
      failures += 1;
      process.stderr.write(`${reason(error)}\n`);
    }
  }
  process.stdout.write(`${names.length - failures} of ${names.length} scenarios can be read\n`);
  return failures === 0 ? 0 : 1;
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      random: { type: 'string' },
      seed: { type: 'string', default: '1' },
      itself: { type: 'boolean', default: false },
      compare: { type: 'boolean', default: false },
      record: { type: 'boolean', default: false },
      show: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
}

/** The director, built anew if that is needed. */
async function builtSubject() {
  setup(['build']);
  build();
  return await loadSubject();
}

async function random(count: string, seed: string, withItself: boolean): Promise<number> {
  if (!/^[1-9]\d*$/.test(count) || !/^\d+$/.test(seed)) {
    process.stderr.write(`oracle: --random and --seed take whole numbers, not "${count}" and "${seed}"\n${usage}`);
    return 2;
  }
  const scenarios = randomScenarios(Number(count), Number(seed));
  if (withItself) return compareKernelWithItself([...scenarios.keys()]);
  return compareRandom(await builtSubject(), scenarios, join('out', 'oracle'));
}

async function compareAll(names: readonly string[]): Promise<number> {
  const make = await builtSubject();
  if (make) return compareRecordings(make, names);
  process.stderr.write('oracle: there is no director to compare with\n');
  return 1;
}

async function runMode({ values }: ReturnType<typeof parse>, names: readonly string[]): Promise<number> {
  if (values.list) return list(names);
  if (values.check) return check(names);
  if (values.random !== undefined) return random(values.random, values.seed, values.itself);
  if (values.itself) return compareKernelWithItself(names.map(readScenario));
  if (values.compare) return compareAll(names);
  if (values.record || values.show) return record(names, values.show);
  process.stderr.write(usage);
  return 2;
}

// The exit status: 0 done, 1 failed, 2 misuse.
export async function oracle(args: readonly string[]): Promise<number> {
  let parsed: ReturnType<typeof parse>;
  let names: string[];
  try {
    parsed = parse(args);
    names = scenarioNames(parsed.positionals);
  } catch (error) {
    process.stderr.write(`${reason(error)}\n${usage}`);
    return 2;
  }
  if (parsed.values.help) {
    process.stdout.write(usage);
    return 0;
  }
  try {
    return await runMode(parsed, names);
  } catch (error) {
    process.stderr.write(`oracle: ${reason(error)}\n`);
    return 1;
  }
}
