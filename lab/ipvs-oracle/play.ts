// SPDX-License-Identifier: Apache-2.0
// Plays scenarios in the virtual machine, many in one boot.

import { Machine } from './machine.ts';
import { planLines } from './plan.ts';
import { type Recording, readTranscript, splitTranscript, type TranscriptError } from './recording.ts';
import type { Scenario } from './scenario.ts';

// Timeouts. Without hardware virtualization the machine needs some seconds to boot and a third of a second a scenario.
const bootSeconds = 120;
const scenarioSeconds = 10;

// One boot's memory and one transcript hold this many easily.
const scenariosPerBoot = 250;

export type Played = Map<Scenario, Recording | TranscriptError>;

// The value of a scenario that failed in the machine is the error instead of a recording.
export async function playScenarios(
  scenarios: readonly Scenario[],
  { onProgress = (_done: number) => {}, kernelSeed = 1 } = {},
): Promise<Played> {
  const machine = new Machine();
  const played: Played = new Map();
  for (let from = 0; from < scenarios.length; from += scenariosPerBoot) {
    const batch = scenarios.slice(from, from + scenariosPerBoot);
    const plan = batch.flatMap(planLines);
    const transcript = await machine.play(
      `${plan.join('\n')}\n`,
      bootSeconds + scenarioSeconds * batch.length,
      kernelSeed,
    );
    const sections = splitTranscript(transcript);
    for (const scenario of batch) {
      played.set(scenario, readTranscript(scenario, sections.get(scenario.name), machine.kernel.version));
    }
    onProgress(played.size);
  }
  return played;
}
