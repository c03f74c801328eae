// SPDX-License-Identifier: Apache-2.0
// Compares the director with the kernel: by the recordings in the repository, and in random scenarios.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { record } from '../../tools/results.ts';
import { compare, type Difference, formatDifference } from './compare.ts';
import { generateScenario } from './generate.ts';
import { playScenarios } from './play.ts';
import { formatRecording, parseRecording, type Recording, TranscriptError } from './recording.ts';
import { parseScenario, readScenario, recordingFile, type Scenario } from './scenario.ts';
import { type MakeSubject, playSubject, type SubjectOutcome } from './subject.ts';

// The adapter of Sluice's director; it exports makeSubject.
const adapterFile = join(import.meta.dirname, 'sluice-subject.ts');

function isMakeSubject(value: unknown): value is MakeSubject {
  return typeof value === 'function';
}

export async function loadSubject(): Promise<MakeSubject | undefined> {
  if (!existsSync(adapterFile)) return undefined;
  const adapter: Record<string, unknown> = await import(pathToFileURL(adapterFile).href);
  if (!isMakeSubject(adapter.makeSubject)) throw new Error(`${adapterFile} exports no makeSubject`);
  return adapter.makeSubject;
}

function differences(make: MakeSubject, scenario: Scenario, recording: Recording): Difference[] {
  return compare(scenario, recording, playSubject(make, scenario));
}

export function compareWithRecording(make: MakeSubject, name: string): Difference[] {
  const scenario = readScenario(name);
  return differences(make, scenario, parseRecording(scenario, readFileSync(recordingFile(name), 'utf8')));
}

export function reportDifferences(found: readonly Difference[]): void {
  for (const difference of found) process.stdout.write(`${formatDifference(difference)}\n\n`);
}

export function compareRecordings(make: MakeSubject, names: readonly string[]): number {
  let agreeing = 0;
  for (const name of names) {
    const found = compareWithRecording(make, name);
    reportDifferences(found);
    if (found.length === 0) agreeing += 1;
  }
  record('oracle-recorded', { passed: agreeing, failed: names.length - agreeing, skipped: 0 });
  process.stdout.write(`${agreeing} of ${names.length} scenarios agree\n`);
  return agreeing === names.length ? 0 : 1;
}

function asOutcomes(recording: Recording): SubjectOutcome[] {
  return recording.outcomes.map(({ transmitted, output, status }) => ({
    transmitted: [...transmitted],
    output: [...output],
    failed: status !== 0,
    isHosts: false,
  }));
}

// Runs the kernel twice, with different random seeds and in opposite order. What differs between the runs is random: it
// must be normalised, or no scenario may depend on it.
export async function compareKernelWithItself(scenarios: readonly Scenario[]): Promise<number> {
  const first = await playScenarios(scenarios, { kernelSeed: 1 });
  const second = await playScenarios([...scenarios].reverse(), { kernelSeed: 2 });
  let agreeing = 0;
  for (const [scenario, recording] of first) {
    const again = second.get(scenario);
    if (recording instanceof TranscriptError || !again || again instanceof TranscriptError) {
      process.stderr.write(`oracle: ${scenario.name} could not be played\n`);
      continue;
    }
    const found = compare(scenario, recording, asOutcomes(again));
    reportDifferences(found);
    if (found.length === 0) agreeing += 1;
  }
  process.stdout.write(`the kernel agrees with itself in ${agreeing} of ${scenarios.length} scenarios\n`);
  return agreeing === scenarios.length ? 0 : 1;
}

export function randomScenarios(count: number, seed: number): Map<Scenario, string> {
  const texts = new Map<Scenario, string>();
  for (let index = 0; index < count; index++) {
    const text = generateScenario(seed, index);
    const name = `random-${seed}-${index}`;
    texts.set(parseScenario(name, name, text), text);
  }
  return texts;
}

// Plays random scenarios to the kernel and to the director. Scenarios in which they differ are written to `folder`; without
// a director, all are.
export async function compareRandom(
  make: MakeSubject | undefined,
  texts: ReadonlyMap<Scenario, string>,
  folder: string,
): Promise<number> {
  const onProgress = (done: number) => process.stderr.write(`${done} of ${texts.size} played\n`);
  const played = await playScenarios([...texts.keys()], { onProgress });
  mkdirSync(folder, { recursive: true });
  let agreeing = 0;
  for (const [scenario, recording] of played) {
    if (recording instanceof TranscriptError) {
      process.stderr.write(`oracle: ${scenario.name}: ${recording.message}\n`);
      continue;
    }
    const found = make ? differences(make, scenario, recording) : [];
    reportDifferences(found);
    if (found.length === 0) agreeing += 1;
    if (make && found.length === 0) continue;
    writeFileSync(join(folder, `${scenario.name}.scenario`), texts.get(scenario) ?? '');
    writeFileSync(join(folder, `${scenario.name}.recording`), formatRecording(scenario, recording));
  }
  if (make) record('oracle-random', { passed: agreeing, failed: texts.size - agreeing, skipped: 0 });
  process.stdout.write(
    `${agreeing} of ${texts.size} random scenarios ${make ? 'agree' : 'recorded; there is no director yet'}\n`,
  );
  return agreeing === texts.size ? 0 : 1;
}
