// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { fuzzCorpus } from './fuzz-corpus.ts';

it('the committed corpus of the capture readers is what its generator makes', () => {
  for (const [path, bytes] of fuzzCorpus()) expect(readFileSync(path).equals(bytes), path).toBe(true);
});
