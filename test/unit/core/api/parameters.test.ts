// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { parametersOfText } from '../../../../src/core/api/parameters.ts';
import { echo } from './served.ts';

// With a cost that grows with the square of the length, this takes hours.
it('reads a form of a megabyte that repeats one parameter', () => {
  expect(() => parametersOfText(echo, 'number&'.repeat(150_000))).toThrow('the parameter stands twice');
});
