// SPDX-License-Identifier: Apache-2.0
// The health section of a document: what it means, what is wrong with it, and that it is written as it was read.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigErrors } from '../../../src/core/config/problems.ts';
import { ConfigError } from '../../../src/core/errors.ts';
import { documentFormat } from '../../../src/daemon/document.ts';

const withChecks = (checks: object, health: unknown = undefined, server: object = {}) => ({
  health: { checks },
  director: {
    services: [
      {
        tcp: '10.0.1.1:80',
        ...(health === undefined ? {} : { health }),
        servers: [{ server: '10.0.2.1:80', ...server }],
      },
    ],
  },
});

function errorsOf(document: unknown): string[] {
  try {
    documentFormat.from(document);
    return [];
  } catch (error) {
    if (error instanceof ConfigErrors) return error.errors.map(({ message }) => message);
    if (error instanceof ConfigError) return [error.message];
    throw error;
  }
}

describe('a check', () => {
  it.each<[string, unknown, object]>([
    ['a word', 'tcp', { probe: { type: 'tcp' }, interval: 2, timeout: 1, retryInterval: 2, rise: 2, fall: 3 }],
    ['a path', { http: '/healthz' }, { probe: { path: '/healthz', method: 'GET', status: [[200, 299]], tls: null } }],
    [
      'statuses',
      { http: { status: '401, 200-204' } },
      {
        probe: {
          status: [
            [200, 204],
            [401, 401],
          ],
        },
      },
    ],
    ['TLS', { https: {} }, { probe: { type: 'http', tls: { verify: true, name: null } } }],
    ['a way', { tcp: { like_traffic: true } }, { probe: { type: 'tcp', likeTraffic: true } }],
    ['a timeout that fits a short interval', { tcp: {}, interval: 0.2 }, { interval: 0.2, timeout: 0.2 }],
    ['STARTTLS', { smtp: { tls: {} } }, { probe: { startTls: true, tls: { verify: true } } }],
    ['TLS from the first byte', { smtp: { tls: { start: false } } }, { probe: { startTls: false } }],
    ['a name', { dns: { name: 'example.org.', query: 'A' } }, { probe: { name: 'example.org', query: 'A' } }],
  ])('is %s', (_name, check, expected) => {
    expect(documentFormat.from({ health: { checks: { web: check } } }).health.checks[0]).toMatchObject(expected);
  });

  it.each<[string, unknown, string]>([
    ['says nothing to try', { interval: 1 }, 'health.checks.web does not say what is tried'],
    ['tries two things', { tcp: {}, ping: {} }, 'health.checks.web tries more than one thing'],
    [
      'slows down to a faster pace',
      { tcp: {}, interval: 5, down_interval: 1 },
      'down_interval is shorter than interval',
    ],
    ['has no regular expression', { http: { matches: '(' } }, 'http.matches is not a regular expression'],
    ['turns a range around', { http: { status: '300-200' } }, 'http.status has a range whose end is before'],
    ['reads the body of HEAD', { http: { method: 'HEAD', contains: 'x' } }, 'http.contains needs a body'],
    [
      'writes a header twice',
      { http: { headers: { Host: 'x' } } },
      'http.headers.Host is a header that the check writes',
    ],
    ['has a key without a certificate', { https: { tls: { key: { file: '/k' } } } }, 'https.tls needs certificate too'],
    ['has no address', { ping: {}, address: 'gateway' }, 'web.address is not an IP address'],
    ['has a port for a ping', { ping: {}, port: 1 }, 'web.port has no meaning for ping'],
    [
      'travels to another place',
      { tcp: { like_traffic: true }, address: '10.0.2.9', port: 80 },
      'web.address does not go with like_traffic',
    ],
    ['runs what may be anywhere', { script: { command: ['check'] } }, 'script.command[0] is not an absolute path'],
    ['asks for a long label', { dns: { name: `${'a'.repeat(64)}.org` } }, 'dns.name is not a domain name'],
    ['depends on nothing', { tcp: {}, depends_on: ['router'] }, 'depends_on[0] names a check that is not defined'],
    ['depends on itself', { tcp: {}, depends_on: ['web'] }, 'names a check without an address of its own'],
  ])('that %s is refused with its place', (_name, check, message) => {
    const errors = errorsOf({ health: { checks: { web: check } } });
    expect(errors.join('\n')).toContain(message);
    expect(errors).toHaveLength(1);
  });
});

it('a check that others depend on needs an address, and a port where its probe needs one', () => {
  const checks = (gateway: object) => ({ health: { checks: { gateway, web: { tcp: {}, depends_on: ['gateway'] } } } });
  expect(errorsOf(checks({ tcp: {}, address: '10.0.0.1' })).join()).toContain(
    'names a check without a port of its own',
  );
  expect(errorsOf(checks({ tcp: {}, address: '10.0.0.1', port: 22 }))).toEqual([]);
  expect(errorsOf(checks({ ping: {}, address: '10.0.0.1' }))).toEqual([]);
});

describe('what a service says of health', () => {
  it.each<[string, unknown, object, string]>([
    ['names no check that there is', 'wed', {}, 'director.services[0].health names a check that is not defined'],
    ['names one twice', { checks: ['web', 'web'] }, {}, 'health.checks[1] is named twice'],
    ['needs more than there is', { checks: ['web'], need: 2 }, {}, 'health.need is more than all checks together: 1'],
    [
      'has too much hysteresis',
      { checks: ['web'], quorum: 2, hysteresis: 2 },
      {},
      'hysteresis has to be less than quorum',
    ],
    ['is sorry for nobody', { checks: ['web'], sorry_when: 'none_up' }, {}, 'sorry_when goes with a sorry server'],
    [
      'has all and a sorry server',
      { checks: ['web'], sorry: '10.0.2.9', none_up: 'all' },
      {},
      'none_up goes without a sorry',
    ],
    [
      'is sorry in a way that needs a pool',
      { checks: ['web'], sorry: { server: '10.0.2.9:80', mode: 'fullnat' } },
      {},
      'services[0] needs a pool of local addresses',
    ],
    [
      'is said by a server only',
      undefined,
      { health: { checks: ['web'] } },
      'servers[0].health goes with health of the service',
    ],
    [
      'names no check of a server',
      'web',
      { health: { checks: ['wed'] } },
      'servers[0].health.checks[0] names a check that',
    ],
  ])('that %s is refused with its place', (_name, health, server, message) => {
    const errors = errorsOf(withChecks({ web: 'tcp' }, health, server));
    expect(errors.join('\n')).toContain(message);
    expect(errors).toHaveLength(1);
  });

  it('is what the checks are told', () => {
    const health = { checks: [{ check: 'web', weight: 2 }, 'alive'], need: 'any', quorum: 3, slow_start: 5 };
    const server = { weight: 7, health: { checks: ['alive'] } };
    const snapshot = documentFormat.from(withChecks({ web: 'http', alive: 'tcp' }, health, server));
    expect(documentFormat.effective('health', snapshot).groups).toEqual([
      {
        ...{ key: 'tcp 10.0.1.1:80', quorum: 3, hysteresis: 0, slowStart: 5, start: 'up' },
        targets: [
          {
            ...{ key: '10.0.2.1:80', address: '10.0.2.1', port: 80, weight: 7 },
            checks: [{ check: 'alive', weight: 1 }],
            need: 1,
          },
        ],
      },
    ]);
  });
});

const probes = fc.oneof(
  fc.constantFrom<object>(
    { tcp: {} },
    { tcp: { like_traffic: true } },
    { ping: {} },
    { redis: {} },
    { mysql: {} },
    { postgresql: {} },
  ),
  fc
    .record(
      {
        path: fc.constant('/x'),
        status: fc.constantFrom(204, '200-299', '301, 302'),
        contains: fc.string({ maxLength: 9 }),
      },
      { requiredKeys: [] },
    )
    .map(http => ({ http })),
  fc
    .record(
      {
        host: fc.constant('a.example'),
        tls: fc.record({ verify: fc.boolean(), name: fc.constant('b.example') }, { requiredKeys: [] }),
      },
      { requiredKeys: [] },
    )
    .map(https => ({ https })),
  fc
    .record({ send: fc.constant('0A'), expect: fc.constantFrom('', '0a', 'xx') }, { requiredKeys: [] })
    .map(udp => ({ udp })),
  fc
    .record({ name: fc.constant('a.example'), codes: fc.constant(['NXDOMAIN', 'NOERROR']) }, { requiredKeys: [] })
    .map(dns => ({ dns })),
  fc
    .record(
      { hello: fc.constant('me'), tls: fc.record({ start: fc.boolean() }, { requiredKeys: [] }) },
      { requiredKeys: [] },
    )
    .map(smtp => ({ smtp })),
  fc.record({ service: fc.constant('s'), tls: fc.constant({}) }, { requiredKeys: [] }).map(grpc => ({ grpc })),
  fc
    .record(
      { command: fc.constant(['/bin/true', 'x']), environment: fc.constant({ A: 'b' }), sets_weight: fc.boolean() },
      { requiredKeys: ['command'] },
    )
    .map(script => ({ script })),
  fc.record({ path: fc.constant('/x'), sets_weight: fc.boolean() }, { requiredKeys: ['path'] }).map(file => ({ file })),
);
const timings = fc.record(
  {
    interval: fc.constantFrom(2, 5),
    timeout: fc.constantFrom(0.5, 1),
    retry_interval: fc.constantFrom(1, 2),
    down_interval: fc.constantFrom(5, 60),
    jitter: fc.constantFrom(0, 10),
    rise: fc.constantFrom(1, 2),
    fall: fc.constantFrom(1, 3),
  },
  { requiredKeys: [] },
);
const serviceHealths = fc.oneof(
  fc.constantFrom<unknown>('web', undefined),
  fc.record(
    {
      checks: fc.constantFrom<unknown>(['web'], [{ check: 'web', weight: 2 }]),
      need: fc.constantFrom('all', 'any', 1),
      on_failure: fc.constantFrom('inhibit', 'remove'),
      quorum: fc.constantFrom(1, 4),
      hysteresis: fc.constant(0),
      panic: fc.constantFrom(0, 30),
      slow_start: fc.constantFrom(0, 30),
      start: fc.constantFrom('up', 'down'),
      sorry: fc.constantFrom<unknown>('10.0.2.9:80', { server: '10.0.2.9:81', weight: 2 }),
    },
    { requiredKeys: ['checks'] },
  ),
);

describe('every document', () => {
  it('has the way of traffic to servers that answer clients themselves', () => {
    const wayOf = (service: object, server: object) => {
      const snapshot = documentFormat.from({
        health: { checks: { web: 'tcp' } },
        director: { services: [{ ...service, health: 'web', servers: [{ server: '10.0.2.1:80', ...server }] }] },
      });
      return documentFormat.effective('health', snapshot).groups[0]?.targets[0]?.way;
    };
    const service = { address: '10.0.1.1', port: 80 };
    const tcp = { tcp: '10.0.1.1:80' };
    expect(wayOf(tcp, {})).toBe(undefined);
    expect(wayOf(tcp, { mode: 'dr' })).toEqual({ service, wrapping: 'none', port: 0, checksum: false });
    expect(wayOf(tcp, { mode: 'tunnel' })).toEqual({ service, wrapping: 'ipip', port: 0, checksum: false });
    expect(wayOf(tcp, { mode: 'tunnel', tunnel: { type: 'gre', checksum: 'full' } })).toEqual({
      ...{ service, wrapping: 'gre', port: 0, checksum: true },
    });
    expect(wayOf(tcp, { mode: 'tunnel', tunnel: { type: 'gue', port: 6080, checksum: 'remote' } })).toEqual({
      ...{ service, wrapping: 'gue', port: 6080, checksum: true },
    });
    expect(wayOf({ mark: 7 }, { server: '10.0.2.1', mode: 'dr' })).toBe(undefined);
  });

  it('is written as a document that means the same', () => {
    fc.assert(
      fc.property(probes, timings, serviceHealths, fc.boolean(), (probe, timing, health, maintenance) => {
        const snapshot = documentFormat.from(withChecks({ web: { ...probe, ...timing } }, health, { maintenance }));
        const again = documentFormat.from(documentFormat.write(snapshot));
        expect(again).toEqual(snapshot);
      }),
    );
  });

  it('without health has the id that it had before there was health', () => {
    expect(documentFormat.from({}).id).toBe(documentFormat.from({ health: {} }).id);
  });
});
