// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { PoolNotices } from '../../../src/director/pool-notices.ts';

const occupancy = (fullest: number) => ({
  flows: { ipv4: 0, ipv6: 0 },
  pools: [
    { name: 'public', addresses: [], misses: 0, fullest },
    { name: 'other', addresses: [], misses: 7, fullest: 0 },
  ],
});
const notice =
  'the pool public is nearly empty: one remote end has about 80 % of the ports or more; add local addresses to it';

it('a notice begins when a remote end has most of the ports, and ends when it has given many back', () => {
  const changes: string[] = [];
  const notices = new PoolNotices((pool, isNearlyEmpty) => changes.push(`${pool} ${isNearlyEmpty}`));
  const seen = [0, 0.79, 0.8, 1, 0.75, 0.8, 0.7, 0.69, 0.79].map(fullest => notices.of(occupancy(fullest)));
  expect(seen).toEqual([[], [], [notice], [notice], [notice], [notice], [notice], [], []]);
  expect(changes).toEqual(['public true', 'public false']);
});

it('the notice of a pool that is removed ends without news', () => {
  const changes: string[] = [];
  const notices = new PoolNotices((pool, isNearlyEmpty) => changes.push(`${pool} ${isNearlyEmpty}`));
  notices.of(occupancy(1));
  expect(notices.of({ ...occupancy(1), pools: [] })).toEqual([]);
  expect(changes).toEqual(['public true']);
});
