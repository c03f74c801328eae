// SPDX-License-Identifier: Apache-2.0
// The program that the supervisor starts for each process of `sluice run`: process.ts NAME OPTIONS, with a channel and
// descriptors that only the supervisor gives (descriptors.ts).
import { UsageError } from '../core/errors.ts';
import { runPart } from './child.ts';
import { controlPart } from './control-process.ts';
import { planePart } from './plane-process.ts';
import type { RunOptions } from './run-options.ts';
import { controlPolicy, planeTable } from './table.ts';

const [name = '', text = ''] = process.argv.slice(2);
if (process.send === undefined) {
  throw new UsageError('this program is a part of `sluice run`', { remedy: 'start `sluice run`' });
}
const options = JSON.parse(text) as RunOptions;
const row = planeTable.find(({ policy }) => policy.name === name);
if (row !== undefined) await runPart(name, options, row.prepare, planePart(row));
else if (name === controlPolicy.name) await runPart(name, options, () => undefined, controlPart);
else throw new UsageError('there is no such process', { value: name });
