// SPDX-License-Identifier: Apache-2.0
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how keepalived writes references
// Whatever a file holds, an import ends with a document, or with an error that names a place.

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ConfigError } from '../../../src/core/errors.ts';
import { documentText } from '../../../src/import/write.ts';
import { describeIf } from '../../privileges.ts';
import { imported } from './files.ts';
import { hasKeepalived, sampleFiles } from './keepalived-package.ts';

const words = [
  '{',
  '}',
  '"',
  "'",
  '\\',
  '$A',
  '${A}',
  '$A=',
  '~SEQ(A,1,9)',
  '~LST(A,b)',
  '@host',
  'include',
  '0',
  '-1',
  '99999999999',
  'group',
  'fwmark',
  '::1',
  '10.0.0.1-9',
  'x',
];

const edit = fc.record({
  at: fc.nat(10_000),
  removes: fc.nat(20),
  adds: fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 8 }), fc.constant('\n')),
});

describeIf(hasKeepalived, "needs Debian's package of keepalived", 'mutations of examples', () => {
  it('end with a document or an error that names a place', () => {
    const texts = sampleFiles().map(file => readFileSync(file, 'utf8'));
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.array(edit, { minLength: 1, maxLength: 12 }), (text, edits) => {
        const mutated = edits.reduce((now, { at, removes, adds }) => {
          const from = at % (now.length + 1);
          return `${now.slice(0, from)}${adds}${now.slice(from + removes)}`;
        }, text);
        try {
          const { document } = imported(mutated);
          documentText(document, []);
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
          expect(error.place?.line).toBeGreaterThan(0);
        }
      }),
      { numRuns: 400 },
    );
  });
});
