// SPDX-License-Identifier: Apache-2.0
// The model that the director runs while some real servers are down.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FailureAction, Health } from '../../../src/core/observed.ts';
import { documentFormat, type Snapshot } from '../../../src/daemon/document.ts';
import { effectiveDirectorModel } from '../../../src/director/effective.ts';
import { type DirectorModel, serverKey, serverOfServiceKey } from '../../../src/director/model.ts';

const web = 'tcp 10.0.1.100:80';
const snapshot = documentFormat.from({
  director: {
    services: [
      {
        tcp: '10.0.1.100:80',
        servers: ['10.0.2.11:8080', { server: '10.0.2.12:8080', weight: 3 }, { server: '10.0.2.13:8080', weight: 0 }],
      },
      { udp: '10.0.1.100:53', servers: ['10.0.2.11:53'] },
    ],
  },
});

const down = (...servers: string[]) => new Map(servers.map(server => [server, 'down' as const]));
const weightsOf = (model: DirectorModel) =>
  model.services.map(({ servers }) => servers.map(server => [serverKey(server), server.weight]));

describe('a real server that is down', () => {
  it.each<[string, string[], FailureAction | undefined, unknown]>([
    [
      'gets weight 0 and stays in its place',
      [`${web} server 10.0.2.11:8080`],
      undefined,
      [
        [
          ['10.0.2.11:8080', 0],
          ['10.0.2.12:8080', 3],
          ['10.0.2.13:8080', 0],
        ],
        [['10.0.2.11:53', 1]],
      ],
    ],
    [
      'is removed, and the others stay in their order',
      [`${web} server 10.0.2.12:8080`],
      'remove',
      [
        [
          ['10.0.2.11:8080', 1],
          ['10.0.2.13:8080', 0],
        ],
        [['10.0.2.11:53', 1]],
      ],
    ],
    [
      'is down in the service that was observed only, and the last one may go',
      ['udp 10.0.1.100:53 server 10.0.2.11:53'],
      'remove',
      [
        [
          ['10.0.2.11:8080', 1],
          ['10.0.2.12:8080', 3],
          ['10.0.2.13:8080', 0],
        ],
        [],
      ],
    ],
  ])('%s', (_name, servers, onFailure, weights) => {
    const observed = { servers: down(...servers), ...(onFailure && { onFailure }) };
    expect(weightsOf(effectiveDirectorModel(snapshot.director, observed))).toEqual(weights);
  });

  it('changes no other service: their objects are the same', () => {
    const effective = effectiveDirectorModel(snapshot.director, { servers: down(`${web} server 10.0.2.11:8080`) });
    expect(effective.services[1]).toBe(snapshot.director.services[1]);
    expect(effective.services[0]?.servers[1]).toBe(snapshot.director.services[0]?.servers[1]);
  });

  it.each([
    ['no observation', undefined],
    ['a server that is up', new Map([[`${web} server 10.0.2.11:8080`, 'up' as const]])],
    ['a server that takes no new flows anyway', down(`${web} server 10.0.2.13:8080`)],
    ['a server that is not configured', down(`${web} server 10.0.2.99:8080`)],
  ])('gives the model itself for %s', (_name, servers) => {
    expect(effectiveDirectorModel(snapshot.director, { ...(servers && { servers }) })).toBe(snapshot.director);
  });

  it('comes back by changes that can be applied to the running director', () => {
    const removed = documentFormat.snapshot({
      director: documentFormat.effective('director', snapshot, {
        servers: down(`${web} server 10.0.2.12:8080`),
        onFailure: 'remove',
      }),
    });
    expect(documentFormat.describe(documentFormat.compare(removed, snapshot))).toEqual([
      `+ ${web} server 10.0.2.12:8080 nat weight 3`,
      `~ ${web} order of servers: 10.0.2.11:8080, 10.0.2.12:8080, 10.0.2.13:8080`,
    ]);
  });
});

const models = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 5 })), {
    maxLength: 4,
  })
  .map(
    (services): Snapshot =>
      documentFormat.from({
        director: {
          services: services.map(([, weights], index) => ({
            tcp: `10.0.1.${index + 1}:80`,
            servers: weights.map((weight, server) => ({ server: `10.0.2.${server + 1}:80`, weight })),
          })),
        },
      }),
  );

const observations = (model: DirectorModel) => {
  const keys = model.services.flatMap(service =>
    service.servers.map(server => serverOfServiceKey(service.identity, server)),
  );
  const health = fc.constantFrom<Health>('up', 'down');
  return fc.tuple(...keys.map(key => fc.tuple(fc.constant(key), health))).map(entries => new Map(entries));
};

describe('for every model and every observation', () => {
  const cases = models.chain(before => fc.tuple(fc.constant(before), observations(before.director)));

  it('a server that is down has no weight, every other one has its own, and the order is that of the model', () => {
    fc.assert(
      fc.property(cases, fc.constantFrom<FailureAction>('inhibit', 'remove'), ([before, servers], onFailure) => {
        const text = JSON.stringify(before);
        const effective = effectiveDirectorModel(before.director, { servers, onFailure });
        const expected = before.director.services.map(service => ({
          ...service,
          servers: service.servers.flatMap(server => {
            const isDown = servers.get(serverOfServiceKey(service.identity, server)) === 'down';
            if (!isDown) return [server];
            return onFailure === 'remove' ? [] : [{ ...server, weight: 0 }];
          }),
        }));
        expect(effective).toEqual({ ...before.director, services: expected });
        expect(JSON.stringify(before)).toBe(text);
        // The result is a model like any other: it can be compared and applied.
        expect(documentFormat.snapshot({ director: effective }).director).toBe(effective);
        // What was observed once changes nothing the second time.
        expect(effectiveDirectorModel(effective, { servers, onFailure })).toBe(effective);
      }),
    );
  });

  it('no observation, or every server up, is the model itself', () => {
    fc.assert(
      fc.property(cases, ([before, servers]) => {
        const allUp = new Map([...servers.keys()].map(key => [key, 'up' as const]));
        expect(effectiveDirectorModel(before.director, {})).toBe(before.director);
        expect(effectiveDirectorModel(before.director, { servers: allUp })).toBe(before.director);
      }),
    );
  });
});
