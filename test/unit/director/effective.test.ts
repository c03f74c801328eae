// SPDX-License-Identifier: Apache-2.0
// The model that the director runs, given what health checks have found.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Health, ObservedGroup, ObservedTarget } from '../../../src/core/observed.ts';
import { documentFormat, type Snapshot } from '../../../src/daemon/document.ts';
import { effectiveDirectorModel } from '../../../src/director/effective.ts';
import { type DirectorModel, type FailureAction, serverKey, serviceKey } from '../../../src/director/model.ts';

const web = 'tcp 10.0.1.100:80';
const servers = ['10.0.2.11:8080', { server: '10.0.2.12:8080', weight: 3 }, { server: '10.0.2.13:8080', weight: 0 }];

/** A service with three servers and what it says about health; and one that is not checked. */
function snapshotOf(health: object | undefined, written: readonly unknown[] = servers): Snapshot {
  return documentFormat.from({
    health: { checks: { web: 'tcp' } },
    director: {
      services: [
        { tcp: '10.0.1.100:80', servers: written, ...(health && { health: { checks: ['web'], ...health } }) },
        { udp: '10.0.1.100:53', servers: ['10.0.2.11:53'] },
      ],
    },
  });
}

/** The last number of each address, and what was observed of it. */
function groupOf(targets: Readonly<Record<string, Partial<ObservedTarget>>>, quorum: Health = 'up'): ObservedGroup {
  const entries = Object.entries(targets).map(([host, target]) => [`10.0.2.${host}:8080`, { health: 'up', ...target }]);
  return { quorum, targets: new Map(entries as [string, ObservedTarget][]) };
}

const down = { health: 'down' } as const;

/** The servers of the first service in order: the last number of the address, and the weight. */
function weights({ director }: Snapshot, group?: ObservedGroup): string[] {
  const observed = { groups: new Map(group && [[web, group]]) };
  const [service] = effectiveDirectorModel(director, { observed }).services;
  return (service?.servers ?? []).map(({ address, weight }) => `${address.split('.')[3]}=${weight}`);
}

describe('a real server that is down', () => {
  it.each<[string, object, Parameters<typeof groupOf>, string[]]>([
    ['gets weight 0 and stays in its place', {}, [{ 11: down }], ['11=0', '12=3', '13=0']],
    ['is removed, and the others stay in their order', { on_failure: 'remove' }, [{ 12: down }], ['11=1', '13=0']],
    ['is used when all are down, since none is worse', {}, [{ 11: down, 12: down }], ['11=1', '12=3', '13=0']],
    [
      'is used when the others that are up have no weight',
      {},
      [{ 11: down, 12: { weight: 0 } }],
      ['11=1', '12=0', '13=0'],
    ],
    [
      'is not used when all are down, if the service says so',
      { none_up: 'none' },
      [{ 11: down, 12: down }],
      ['11=0', '12=0', '13=0'],
    ],
    [
      'gives way to the sorry server when all are down',
      { sorry: '10.0.2.99:81' },
      [{ 11: down, 12: down }, 'down'],
      ['11=0', '12=0', '13=0', '99=1'],
    ],
    [
      'leaves the sorry server alone',
      { sorry: '10.0.2.99:81', on_failure: 'remove' },
      [{ 11: down, 12: down }, 'down'],
      ['99=1'],
    ],
    [
      'may be the sorry server itself, as with keepalived',
      { sorry: '10.0.2.11:8080' },
      [{ 11: down, 12: down }, 'down'],
      ['11=1', '12=0', '13=0'],
    ],
    [
      'does not bring the sorry server while another one is up',
      { sorry: '10.0.2.99:81', quorum: 4 },
      [{ 11: down }, 'down'],
      ['11=0', '12=3', '13=0'],
    ],
    [
      'brings the sorry server with the quorum lost, if the service says so',
      { sorry: '10.0.2.99:81', quorum: 4, sorry_when: 'quorum_lost' },
      [{ 11: down }, 'down'],
      ['11=0', '12=0', '13=0', '99=1'],
    ],
    [
      'is used in a panic: half of the servers is up, which is less than 60 percent',
      { panic: 60 },
      [{ 11: down }],
      ['11=1', '12=3', '13=0'],
    ],
    [
      'is not used with half of the servers up where 50 percent are enough',
      { panic: 50 },
      [{ 11: down }],
      ['11=0', '12=3', '13=0'],
    ],
    [
      'is one without a result, where a service begins so',
      { start: 'down', none_up: 'none' },
      [{ 12: {} }],
      ['11=0', '12=3', '13=0'],
    ],
  ])('%s', (_name, health, [targets, quorum], expected) => {
    expect(weights(snapshotOf(health), groupOf(targets, quorum))).toEqual(expected);
  });

  it('comes back by changes that can be applied to the running director', () => {
    const configured = snapshotOf({ on_failure: 'remove' });
    const effective = (group: ObservedGroup): Snapshot =>
      documentFormat.snapshot({
        director: documentFormat.effective('director', configured, { groups: new Map([[web, group]]) }),
      });
    const changes = documentFormat.compare(effective(groupOf({ 12: down })), effective(groupOf({})));
    expect(documentFormat.describe(changes)).toEqual([
      `+ ${web} server 10.0.2.12:8080 nat weight 3`,
      `~ ${web} order of servers: 10.0.2.11:8080, 10.0.2.12:8080, 10.0.2.13:8080`,
    ]);
  });
});

describe('the weight of a real server', () => {
  it.each<[string, Partial<ObservedTarget>, number]>([
    ['is the one that a check found', { weight: 7 }, 7],
    ['is 0 if a check found that', { weight: 0 }, 0],
    ['grows during a slow start', { share: 0.5 }, 2],
    ['is 1 at least during a slow start', { share: 0.1 }, 1],
    ['grows to the one that a check found', { share: 0.5, weight: 10 }, 5],
  ])('%s', (_name, target, weight) => {
    expect(weights(snapshotOf({}), groupOf({ 12: target }))).toEqual(['11=1', `12=${weight}`, '13=0']);
  });

  it('is 0 during maintenance, whatever checks find', () => {
    const written = ['10.0.2.11:8080', { server: '10.0.2.12:8080', weight: 3, maintenance: true }];
    expect(weights(snapshotOf({}, written), groupOf({ 12: { weight: 7 } }))).toEqual(['11=1', '12=0']);
    expect(weights(snapshotOf(undefined, written))).toEqual(['11=1', '12=0']);
  });

  it('counts a server in maintenance neither as up nor as down', () => {
    const written = ['10.0.2.11:8080', { server: '10.0.2.12:8080', maintenance: true }];
    expect(weights(snapshotOf({ panic: 90 }, written), groupOf({}))).toEqual(['11=1', '12=0']);
    expect(weights(snapshotOf({ sorry: '10.0.2.99:81' }, written), groupOf({ 11: down }))).toEqual([
      '11=0',
      '12=0',
      '99=1',
    ]);
  });
});

it('a server without checks is up, and so is one before its first result', () => {
  const written = [{ server: '10.0.2.11:8080', health: { checks: [] } }, '10.0.2.12:8080'];
  expect(weights(snapshotOf({ start: 'down', none_up: 'none' }, written))).toEqual(['11=1', '12=0']);
  expect(weights(snapshotOf({ none_up: 'none' }, written), groupOf({ 11: down }))).toEqual(['11=1', '12=1']);
});

describe('what services say about health', () => {
  it('is nothing that the director has to know', () => {
    const [service] = effectiveDirectorModel(snapshotOf({}).director, { observed: { groups: new Map() } }).services;
    expect(service).not.toHaveProperty('health');
  });

  it('leaves other services alone, and the same observation gives the same objects', () => {
    const { director } = snapshotOf({});
    const observed = { groups: new Map([[web, groupOf({ 11: down })]]) };
    const first = effectiveDirectorModel(director, { observed });
    expect(first.services[1]).toBe(director.services[1]);
    expect(effectiveDirectorModel(director, { observed }).services[0]).toBe(first.services[0]);
  });

  it('gives the model itself where nothing is checked', () => {
    const { director } = snapshotOf(undefined);
    const observed = { groups: new Map([[web, groupOf({ 11: down })]]) };
    expect(effectiveDirectorModel(director, { observed })).toBe(director);
  });
});

const cases = fc
  .record({
    weights: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 6 }),
    down: fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
    onFailure: fc.constantFrom<FailureAction>('inhibit', 'remove'),
  })
  .map(({ weights: list, down: isDown, onFailure }) => {
    const snapshot = documentFormat.from({
      health: { checks: { web: 'tcp' } },
      director: {
        services: [
          {
            tcp: '10.0.1.1:80',
            health: { checks: ['web'], on_failure: onFailure, none_up: 'none' },
            servers: list.map((weight, index) => ({ server: `10.0.2.${index + 1}:80`, weight })),
          },
        ],
      },
    });
    return { model: snapshot.director as DirectorModel, isDown, onFailure };
  });

describe('for every model and every observation', () => {
  it('a server that is down has no weight, every other one has its own, and the order is that of the model', () => {
    fc.assert(
      fc.property(cases, ({ model, isDown, onFailure }) => {
        const text = JSON.stringify(model);
        const [service] = model.services;
        const list = service?.servers ?? [];
        const targets = list.map(
          (server, index) => [serverKey(server), { health: isDown[index] ? 'down' : 'up' }] as const,
        );
        const key = service === undefined ? '' : serviceKey(service.identity);
        const group = { quorum: 'up' as const, targets: new Map<string, ObservedTarget>(targets) };
        const effective = effectiveDirectorModel(model, { observed: { groups: new Map([[key, group]]) } });
        const expected = list.flatMap((server, index) => {
          if (!isDown[index]) return [server];
          return onFailure === 'remove' ? [] : [{ ...server, weight: 0 }];
        });
        expect(effective.services[0]?.servers).toEqual(expected);
        expect(JSON.stringify(model)).toBe(text);
        // The result is a model like any other: it can be compared and applied.
        expect(documentFormat.snapshot({ director: effective }).director).toBe(effective);
      }),
    );
  });
});
