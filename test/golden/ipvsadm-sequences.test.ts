// SPDX-License-Identifier: Apache-2.0
// Sequences of commands, as the real ipvsadm has answered them on User Mode Linux: random ones, and those in which a
// difference was found. More random ones are played by `npm run lab -- ipvsadm --random N --seed S`.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { firstDifference } from '../../lab/ipvsadm/compare.ts';
import { formatSequences, readSequences } from '../../lab/ipvsadm/sequence.ts';

describe.each(['random', 'edges'])('%s', name => {
  const text = readFileSync(new URL(`ipvsadm/${name}.recorded`, import.meta.url), 'utf8');
  const sequences = readSequences(text);

  it('a recording is the same after reading it and writing it again', () => {
    expect(formatSequences(sequences)).toBe(text);
  });

  it.each(sequences.map((sequence, index) => ({ index, sequence })))('sequence $index is answered as by ipvsadm', async ({
    sequence,
  }) => {
    expect(await firstDifference(sequence)).toBeUndefined();
  });
});
