// SPDX-License-Identifier: Apache-2.0
// Random sequences of commands, as the real ipvsadm has answered them in a virtual machine. More of them are played by
// `npm run lab -- ipvsadm --random N --seed S`.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { firstDifference } from '../../lab/ipvsadm/compare.ts';
import { formatSequences, readSequences } from '../../lab/ipvsadm/sequence.ts';

const text = readFileSync(new URL('ipvsadm/random.recorded', import.meta.url), 'utf8');
const sequences = readSequences(text);

it('a recording is the same after reading it and writing it again', () => {
  expect(formatSequences(sequences)).toBe(text);
});

it.each(sequences.map((sequence, index) => ({ index, sequence })))('sequence $index is answered as by ipvsadm', async ({
  sequence,
}) => {
  expect(await firstDifference(sequence)).toBeUndefined();
});
