// SPDX-License-Identifier: Apache-2.0
// `npm run lab -- oracle`: what the Linux kernel's IPVS does with the scenarios in scenarios/.

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Machine } from './machine.ts';
import { planLines } from './plan.ts';
import { formatRecording, type Recording, readTranscript, splitTranscript, TranscriptError } from './recording.ts';
import { readScenario, recordingFile, type Scenario, scenarioNames } from './scenario.ts';

const usage = `Usage: npm run lab -- oracle [OPTION…] [NAME…]

Plays scenarios to the IPVS of Debian's kernel in a virtual machine (QEMU, no privileges needed).
NAME is AREA/NAME, NAME or AREA below lab/ipvs-oracle/scenarios; without one, all of them.

  --record   writes what the kernel transmitted and printed to NAME.recording
  --show     prints it instead
  --check    only reads the scenarios and reports mistakes in them
  --list     names the scenarios with the behaviour that each one fixes
  --help     prints this

Environment: SLUICE_ORACLE_DIR, the folder that keeps the unpacked kernel (default: sluice-ipvs-oracle below the system's
folder for temporary files).
`;

// The machine needs some seconds to boot and, without hardware virtualization, about half a second a scenario.
const bootSeconds = 120;
const scenarioSeconds = 10;

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

// Plays all scenarios in one boot. A scenario that went wrong has the reason in place of its recording.
async function recordScenarios(scenarios: readonly Scenario[]): Promise<Map<Scenario, Recording | TranscriptError>> {
  const machine = new Machine();
  const plan = scenarios.flatMap(planLines);
  const transcript = await machine.play(`${plan.join('\n')}\n`, bootSeconds + scenarioSeconds * scenarios.length);
  const sections = splitTranscript(transcript);
  return new Map(
    scenarios.map(scenario => [
      scenario,
      readTranscript(scenario, sections.get(scenario.name), machine.kernel.version),
    ]),
  );
}

async function record(names: readonly string[], show: boolean): Promise<number> {
  const recordings = await recordScenarios(names.map(readScenario));
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

function list(names: readonly string[]): void {
  for (const name of names) process.stdout.write(`${name}: ${readScenario(name).title}\n`);
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
      record: { type: 'boolean', default: false },
      show: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
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
  const { values } = parsed;
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  if (values.list) {
    list(names);
    return 0;
  }
  if (values.check) return check(names);
  if (!values.record && !values.show) {
    process.stderr.write(usage);
    return 2;
  }
  try {
    return await record(names, values.show);
  } catch (error) {
    process.stderr.write(`oracle: ${reason(error)}\n`);
    return 1;
  }
}
