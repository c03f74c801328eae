// SPDX-License-Identifier: Apache-2.0
// Why a real server has its weight, in words: each by what was configured and observed.
import { describe, expect, it } from 'vitest';
import { type Finding, verdictOf } from '../../../src/core/explanation.ts';
import type { ObservedTarget } from '../../../src/core/observed.ts';
import { documentFormat } from '../../../src/daemon/document.ts';

const group = 'tcp 10.0.1.100:80';
const one = '10.0.2.11:8080';
const other = '10.0.2.12:8080';

interface Case {
  readonly health?: object;
  readonly server?: object;
  readonly observed?: Readonly<Record<string, ObservedTarget>>;
  readonly quorum?: 'up' | 'down';
}

function findingsOf({ health = {}, server = {}, observed = {}, quorum = 'up' }: Case, target?: string) {
  const snapshot = documentFormat.from({
    health: { checks: { web: 'tcp' } },
    director: {
      services: [
        {
          tcp: '10.0.1.100:80',
          health: { checks: ['web'], ...health },
          servers: [{ server: one, weight: 10, ...server }, other],
        },
      ],
    },
  });
  const seen = { groups: new Map([[group, { quorum, targets: new Map(Object.entries(observed)) }]]) };
  return documentFormat.explain(snapshot, seen, { group, ...(target === undefined ? {} : { target }) });
}

const down = { health: 'down' } as const;
const up = { health: 'up' } as const;

describe('the weight of a real server is explained', () => {
  it.each<[string, Case, string, Finding['effect'], string]>([
    ['as configured', {}, one, 'none', 'weight 10, as configured'],
    ['by a weight of 0', { server: { weight: 0 } }, one, 'blocks', 'its configured weight is 0'],
    ['by maintenance', { server: { maintenance: true } }, one, 'blocks', 'it is in maintenance'],
    [
      'by maintenance also where it is down',
      { server: { maintenance: true }, observed: { [one]: down } },
      one,
      'blocks',
      'it is in maintenance',
    ],
    [
      'by maintenance also where none is up',
      { server: { maintenance: true }, observed: { [one]: down, [other]: down } },
      one,
      'blocks',
      'it is in maintenance',
    ],
    ['by its health', { observed: { [one]: down } }, one, 'blocks', 'weight 0 in place of 10: it is down'],
    [
      'by its health, which removes it',
      { health: { on_failure: 'remove' }, observed: { [one]: down } },
      one,
      'blocks',
      'it has left the service: it is down (on_failure: remove)',
    ],
    [
      'by its slow start',
      { observed: { [one]: { ...up, share: 0.2 } } },
      one,
      'hinders',
      'weight 2 in place of 10: its slow start has reached 20 %',
    ],
    [
      'by what its checks found',
      { observed: { [one]: { ...up, weight: 3 } } },
      one,
      'none',
      'weight 3, which its checks found, in place of 10',
    ],
    [
      'by the weight 0 that its checks found',
      { observed: { [one]: { ...up, weight: 0 } } },
      one,
      'blocks',
      'weight 0 in place of 10: its checks found it',
    ],
    [
      'by the use of all, with none up',
      { observed: { [one]: down, [other]: down } },
      one,
      'hinders',
      'it is down and used all the same: no server is up',
    ],
    [
      'by the panic threshold',
      { health: { panic: 60 }, observed: { [one]: down } },
      one,
      'hinders',
      'it is down and used all the same: fewer servers are up than the panic threshold asks for',
    ],
    [
      'by the sorry server, in place of one that is up',
      { health: { sorry: '10.0.2.99:81', sorry_when: 'quorum_lost' }, observed: { [one]: down }, quorum: 'down' },
      other,
      'blocks',
      'weight 0 in place of 1: the sorry server is in use, because the quorum is lost',
    ],
    [
      'of a sorry server in use',
      { health: { sorry: '10.0.2.99:81' }, observed: { [one]: down, [other]: down } },
      '10.0.2.99:81',
      'none',
      'it is the sorry server, in use because no server is up',
    ],
    [
      'of a sorry server that waits',
      { health: { sorry: '10.0.2.99:81' } },
      '10.0.2.99:81',
      'blocks',
      'it is the sorry server: it gets connections only while no server is up',
    ],
  ])('%s', (_, given, target, effect, text) => {
    const [finding] = findingsOf(given, target);
    expect([finding?.effect, finding?.text]).toEqual([effect, text]);
  });

  it('for a service: how many serve, and what the others are', () => {
    const [servers, sorry] = findingsOf({
      health: { none_up: 'none' },
      server: { maintenance: true },
      observed: { [other]: down },
    });
    expect(servers).toMatchObject({ effect: 'blocks', because: 'health' });
    expect(servers?.text).toBe('0 of 2 servers get new connections: 1 in maintenance, 1 down');
    expect(sorry).toBeUndefined();
  });
});

describe('the verdict', () => {
  const finding = (effect: Finding['effect'], text: string, more: Partial<Finding> = {}): Finding => ({
    ...{ topic: text, effect, text, details: [] },
    ...more,
  });

  it('names what blocks, each with its own reason, and nothing that only hinders', () => {
    const findings = [
      finding('hinders', 'slow'),
      finding('blocks', 'weight 0', { because: 'health' }),
      finding('none', 'refused', { topic: 'health', since: 'noon' }),
      finding('blocks', 'no route', { since: 'dawn' }),
    ];
    expect(verdictOf(findings)).toEqual({
      connections: 'none',
      reasons: ['weight 0 (refused, since noon)', 'no route, since dawn'],
    });
  });

  it('names what hinders, or nothing', () => {
    expect(verdictOf([finding('hinders', 'slow'), finding('none', 'fine')])).toEqual({
      connections: 'hindered',
      reasons: ['slow'],
    });
    expect(verdictOf([finding('none', 'fine')])).toEqual({ connections: 'all', reasons: [] });
  });
});
