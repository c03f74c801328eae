// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { quoteValue, serializeError } from '../../src/core/errors.ts';

const thrown = fc.oneof(
  fc.anything({ withBigInt: true, withNullPrototype: true, withSparseArray: true }),
  fc.string({ unit: 'binary' }).map(text => new Error(text)),
  fc.string({ unit: 'binary' }).map(text => Symbol(text)),
);

it('any value is quoted on one line of bounded length', () => {
  fc.assert(
    fc.property(thrown, value => {
      const text = quoteValue(value);
      expect(text).not.toMatch(/[\n\r]/);
      expect(text.length).toBeLessThanOrEqual(121);
    }),
  );
});

it('any thrown value can be logged as JSON', () => {
  fc.assert(
    fc.property(thrown, value => {
      const { name, code, message } = serializeError(value);
      expect(JSON.parse(JSON.stringify(serializeError(value)))).toMatchObject({ name, code, message });
    }),
  );
});
