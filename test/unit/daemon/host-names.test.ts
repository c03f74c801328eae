// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { hostAddress, hostNames } from '../../../src/daemon/host-names.ts';

it('are those of this machine', async () => {
  const nameOf = await hostNames(['127.0.0.1']);
  expect(nameOf('127.0.0.1')).toBe('localhost');
  expect(nameOf('127.0.0.2')).toBeUndefined();
});

it('lead to addresses of IPv4', async () => {
  expect(await hostAddress('localhost')).toBe('127.0.0.1');
  expect(await hostAddress('no-such-host.invalid')).toBeUndefined();
});

it('are none where nothing is asked for', async () => {
  expect((await hostNames([]))('127.0.0.1')).toBeUndefined();
});
