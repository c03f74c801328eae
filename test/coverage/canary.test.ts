// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { sing } from './canary.ts';

it('takes one branch of the canary and never the other', () => {
  expect(sing('clean')).toBe('covered');
});
