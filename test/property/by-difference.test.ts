// SPDX-License-Identifier: Apache-2.0
// What is kept up by differences is what would come out anew.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mapByDifference } from '../../src/core/config/map-by-difference.ts';
import { sharedEnds } from '../../src/core/config/shared-ends.ts';
import type { Command } from '../../src/director/ipvsadm/grammar.ts';
import { ServiceTable } from '../../src/director/ipvsadm/table.ts';
import { emptyDirectorModel, type RealServer, type ServiceIdentity, serviceKey } from '../../src/director/model.ts';

/** Two services by address and one by mark come and go, with servers. */
const identities: readonly ServiceIdentity[] = [
  { protocol: 'tcp', address: '10.0.0.1', port: 80 },
  { protocol: 'udp', address: '10.0.0.2', port: 53 },
  { protocol: 'tcp', address: '10.0.0.10', port: 80 },
  { mark: 7, family: 4 },
];
const server = (weight: number): RealServer => ({
  address: '10.0.2.1',
  port: 80,
  mode: 'nat',
  tunnel: null,
  weight,
  upperThreshold: 0,
  lowerThreshold: 0,
});
const settings = { scheduler: 'rr', flags: [], persistence: null, persistenceEngine: null, onePacket: false } as const;
const identity = fc.constantFrom(...identities);
const commands = fc.oneof(
  identity.map((one): Command => ({ kind: 'add-service', identity: one, settings })),
  identity.map(
    (one): Command => ({ kind: 'edit-service', identity: one, settings: { ...settings, scheduler: 'wrr' } }),
  ),
  identity.map((one): Command => ({ kind: 'delete-service', identity: one })),
  fc
    .tuple(identity, fc.nat(3))
    .map(([one, weight]): Command => ({ kind: 'add-server', identity: one, server: server(weight) })),
  identity.map((one): Command => ({ kind: 'delete-server', identity: one, server: server(1) })),
  fc.constant<Command>({ kind: 'flush' }),
);

/** Lists of the same few items, so that many of them share their ends. */
const items = Array.from({ length: 4 }, (_, number) => Object.freeze({ number }));
const lists = fc.array(fc.constantFrom(...items), { maxLength: 8 });

describe('what is kept up by differences', () => {
  it('has the results of a map over each list of a sequence, and computes nothing twice for shared ends', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(lists, fc.boolean())), sequence => {
        let calls = 0;
        const map = mapByDifference(({ number }: { number: number }) => {
          calls++;
          return number * 2;
        });
        let before: readonly object[] = [];
        for (const [list, isFrozen] of sequence) {
          calls = 0;
          expect(map(isFrozen ? Object.freeze(list) : list)).toEqual(list.map(({ number }) => number * 2));
          if (!Object.isFrozen(list)) continue;
          const { first, behind } = sharedEnds(before, list);
          expect(calls).toBe(list === before ? 0 : list.length - first - behind);
          before = list;
        }
      }),
    );
  });

  it('has the same services whether commands change one table, or each a table of its own', () => {
    fc.assert(
      fc.property(fc.array(commands, { maxLength: 30 }), sequence => {
        const table = new ServiceTable(emptyDirectorModel);
        let model = emptyDirectorModel;
        for (const command of sequence) {
          const alone = new ServiceTable(model);
          expect(table.apply(command)).toEqual(alone.apply(command));
          model = alone.model();
          expect(table.model()).toEqual(model);
          const keys = model.services.map(one => serviceKey(one.identity));
          expect(keys).toEqual([...keys].sort());
          for (const one of identities) expect(table.has(one)).toBe(keys.includes(serviceKey(one)));
        }
      }),
    );
  });

  it('finds ends that are shared, that do not overlap and that cannot be longer', () => {
    fc.assert(
      fc.property(lists, lists, (before, after) => {
        const { first, behind } = sharedEnds(before, after);
        expect(before.slice(0, first)).toEqual(after.slice(0, first));
        expect(before.slice(before.length - behind)).toEqual(after.slice(after.length - behind));
        const shorter = Math.min(before.length, after.length);
        expect(first + behind).toBeLessThanOrEqual(shorter);
        if (first + behind === shorter) return;
        expect(before[first]).not.toBe(after[first]);
        expect(before[before.length - 1 - behind]).not.toBe(after[after.length - 1 - behind]);
      }),
    );
  });
});
