// SPDX-License-Identifier: Apache-2.0
// The beginning of each process that the supervisor starts: NAME OPTIONS, with a channel and descriptors that only the
// supervisor gives (descriptors.ts).
import { fstatSync } from 'node:fs';
import type { Sections } from '../core/config/snapshot.ts';
import { UsageError } from '../core/errors.ts';
import { runPart } from './child.ts';
import type { Composition } from './composition.ts';
import { controlPart } from './control-process.ts';
import { channelDescriptor } from './descriptors.ts';
import { planePart } from './plane-process.ts';
import { controlPolicy } from './process-policy.ts';
import type { RunOptions } from './run-options.ts';

export async function startPart<S extends Sections>(
  composition: Composition<S>,
  [name = '', text = '']: readonly string[],
): Promise<void> {
  if (!isSocket(channelDescriptor)) {
    throw new UsageError('this program is a part of `sluice run`', { remedy: 'start `sluice run`' });
  }
  const options = JSON.parse(text) as RunOptions;
  const row = composition.planes.find(({ policy }) => policy.name === name);
  if (row !== undefined) return await runPart(row.policy, options, () => row.prepare(options), planePart(row));
  if (name === controlPolicy.name)
    return await runPart(controlPolicy, options, () => undefined, controlPart(composition));
  throw new UsageError('there is no such process', { value: name });
}

function isSocket(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isSocket();
  } catch {
    return false;
  }
}
