// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { DeviceClaims } from '../../../src/director/device-claims.ts';

const device = `test${process.pid}`;

it('a device has one director at a time, and one for each VLAN', async () => {
  const first = await DeviceClaims.take([{ device: `${device}a` }, { device: `${device}b`, vlan: 5 }]);
  const other = await DeviceClaims.take([{ device: `${device}b`, vlan: 6 }]);
  // What was claimed before the refusal is free again.
  await expect(DeviceClaims.take([{ device: `${device}c` }, { device: `${device}a` }])).rejects.toMatchObject({
    code: 'SLUICE_HOST',
    value: `${device}a`,
  });
  first.release();
  await expect.poll(() => DeviceClaims.take([{ device: `${device}c` }, { device: `${device}a` }])).toBeDefined();
  other.release();
});
