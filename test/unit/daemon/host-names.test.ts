// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { hostNames } from '../../../src/daemon/host-names.ts';

it('are those of this machine', async () => {
  const nameOf = await hostNames(['127.0.0.1']);
  expect(nameOf('127.0.0.1')).toBe('localhost');
  expect(nameOf('127.0.0.2')).toBeUndefined();
});

it('are none where nothing is asked for', async () => {
  expect((await hostNames([]))('127.0.0.1')).toBeUndefined();
});
