// SPDX-License-Identifier: Apache-2.0
// Plays scenarios in the virtual machine, many in one boot.

import { Machine } from './machine.ts';
import { planLines } from './plan.ts';
import { type Recording, readTranscript, splitTranscript, type TranscriptError } from './recording.ts';
import type { Scenario } from './scenario.ts';

// The machine needs some seconds to boot and, without hardware virtualization, a third of a second a scenario.
const bootSeconds = 120;
const scenarioSeconds = 10;

// What one boot's memory and one transcript hold with ease.
const scenariosPerBoot = 250;

export type Played = Map<Scenario, Recording | TranscriptError>;

// A scenario that went wrong in the machine has the reason in place of its recording.
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
