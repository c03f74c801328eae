// SPDX-License-Identifier: Apache-2.0
// Properties of every director model: both grammars can write it and read it back, a plan leads from any model to any other,
// and a wrong input makes the readers fail only with an error that says what is wrong.
import fc from 'fast-check';
import { Compile } from 'typebox/compile';
import { expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { parseAddress } from '../../src/core/address.ts';
import { checkNode } from '../../src/core/config/check.ts';
import { nodeOf } from '../../src/core/config/node.ts';
import { Problems } from '../../src/core/config/problems.ts';
import { ConfigError } from '../../src/core/errors.ts';
import { documentFormat, type Snapshot } from '../../src/daemon/document.ts';
import type { DirectorChange } from '../../src/director/changes.ts';
import { readRules } from '../../src/director/ipvsadm/rules.ts';
import { formatRules } from '../../src/director/ipvsadm/save.ts';
import { type DirectorModel, type RealServer, type Service, serverKey, serviceKey } from '../../src/director/model.ts';
import { parseRouteTable } from '../../src/director/route-table.ts';
import { allFlags, flagNames, schedulerNames } from '../../src/director/schedulers.ts';
import { directorSchema } from '../../src/director/schema.ts';

const runs = { numRuns: 150 };

// Documents with only the settings that ipvsadm's grammar has.
const ipv4 = fc.tuple(fc.integer({ min: 1, max: 223 }), fc.nat(255), fc.nat(3)).map(([a, b, c]) => `${a}.${b}.0.${c}`);
const ipv6 = fc.nat(0xffff).map(word => `2001:db8::${word.toString(16)}`);
const port = fc.integer({ min: 1, max: 65535 });
const endpoint = (address: string, portNumber: number) =>
  address.includes(':') ? `[${address}]:${portNumber}` : `${address}:${portNumber}`;

const tunnel = fc.oneof(
  fc.constant('ipip'),
  fc.record({ type: fc.constant('gre'), checksum: fc.constantFrom('none', 'full') }),
  fc.record({ type: fc.constant('gue'), port, checksum: fc.constantFrom('none', 'full', 'remote') }),
);

const threshold = fc.tuple(fc.nat(1000), fc.nat(1000)).map(([a, b]) => ({
  upper_threshold: Math.max(a, b),
  lower_threshold: Math.min(a, b),
}));

function serverOf(address: fc.Arbitrary<string>, servicePort: number) {
  const common = { weight: fc.nat(1000), thresholds: threshold };
  return fc
    .oneof(
      fc.record({ ...common, mode: fc.constant('nat'), address, port }),
      fc.record({ ...common, mode: fc.constant('dr'), address, port: fc.constant(servicePort) }),
      fc.record({
        ...common,
        mode: fc.constant('tunnel'),
        address: fc.oneof(ipv4, ipv6),
        port: fc.constant(servicePort),
        tunnel,
      }),
    )
    .map(({ address: at, port: number, thresholds, ...rest }) => ({
      server: endpoint(at, number),
      ...rest,
      ...thresholds,
    }));
}

const scheduling = fc
  .constantFrom(...schedulerNames)
  .chain(scheduler => fc.record({ scheduler: fc.constant(scheduler), flags: fc.subarray([...flagNames(scheduler)]) }));

const serviceDocument = fc.constantFrom<4 | 6>(4, 6).chain(family => {
  const address = family === 4 ? ipv4 : ipv6;
  return fc.tuple(address, port).chain(([vip, vport]) =>
    fc
      .record({
        name: fc.oneof(
          fc.constantFrom('tcp', 'udp', 'sctp').map(protocol => ({ [protocol]: endpoint(vip, vport) })),
          fc.record({ mark: fc.integer({ min: 1, max: 0x7fff_ffff }), family: fc.constant(`ipv${family}`) }),
        ),
        scheduling,
        persistence_engine: fc.constantFrom('sip', undefined),
        persistence: fc.option(
          fc.record({
            timeout: fc.integer({ min: 1, max: 2_678_400 }),
            prefix: fc.integer({ min: 1, max: family === 4 ? 32 : 128 }),
          }),
          { nil: undefined },
        ),
        servers: fc.uniqueArray(serverOf(address, vport), { maxLength: 5, selector: ({ server }) => server }),
      })
      .map(({ name, scheduling: { scheduler, flags }, ...rest }) => ({
        ...name,
        scheduler,
        flags,
        one_packet: 'udp' in name,
        ...rest,
      })),
  );
});

// Keys that may stand beside the services; nftables goes with one worker only.
const threads = fc.constantFrom<object>(
  {},
  { workers: 4 },
  { workers: 'auto', stealing: 'tcx' },
  { stealing: 'nftables' },
);

const servicesDocument = fc.record({
  services: fc.uniqueArray(serviceDocument, {
    maxLength: 6,
    selector: document => JSON.stringify(document, ['tcp', 'udp', 'sctp', 'mark', 'family']),
  }),
  timeouts: fc.record(
    { tcp: fc.record({ established: fc.integer({ min: 1, max: 1000 }) }, { requiredKeys: [] }) },
    { requiredKeys: [] },
  ),
  switches: fc.record({ sloppy_tcp: fc.boolean(), drop_entry: fc.nat(3) }, { requiredKeys: [] }),
  pools: fc.dictionary(fc.stringMatching(/^[a-z]{1,4}$/), fc.constantFrom(['240.0.0.0/28'], ['2001:db8:ffff::/64']), {
    maxKeys: 3,
  }),
});
const directorDocument = fc.tuple(servicesDocument, threads).map(parts => Object.assign({}, ...parts) as object);
const snapshots = directorDocument.map(director => documentFormat.from({ director }));

it('what a document says is the same after writing it and reading it again', () => {
  fc.assert(
    fc.property(snapshots, snapshot => {
      const text = stringify(documentFormat.write(snapshot));
      expect(documentFormat.parse(text)).toEqual(snapshot);
    }),
    runs,
  );
});

it('what ipvsadm can say is the same after printing its commands and reading them again', () => {
  fc.assert(
    fc.property(snapshots, ({ director }) => {
      const { text, omitted } = formatRules(director, { complete: true });
      expect(omitted).toEqual([]);
      expect(readRules(text).services).toEqual(director.services);
      // As ipvsadm prints it, thresholds are lost and servers sorted; printing it again changes nothing more.
      const printed = formatRules(director).text;
      // As ipvsadm too: flag-3 of sh and mh has no name, and what is printed then cannot be read again.
      fc.pre(!/ -b\s+(-|$)/m.test(printed));
      const again = formatRules(readRules(printed)).text;
      expect(again.split('\n').toSorted()).toEqual(printed.split('\n').toSorted());
    }),
    runs,
  );
});

// A simple model of how the director applies changes.
function applyChanges(before: DirectorModel, changes: readonly DirectorChange[]): DirectorModel {
  const services = new Map<string, Service>(before.services.map(service => [serviceKey(service.identity), service]));
  const edit = (service: Service, change: (servers: RealServer[]) => RealServer[]) => {
    const key = serviceKey(service.identity);
    const old = services.get(key);
    if (old === undefined) throw new Error(`a change of ${key}, which is not there`);
    services.set(key, { ...old, servers: change([...old.servers]) });
  };
  const { workers, stealing, timeouts, switches } = before;
  let rest = { workers, stealing, timeouts, switches, pools: [...before.pools] };
  for (const change of changes) {
    switch (change.kind) {
      case 'service-added':
        services.set(change.key, change.service);
        break;
      case 'service-removed':
        services.delete(change.key);
        break;
      case 'service-edited': {
        const servers = services.get(change.key)?.servers ?? [];
        services.set(change.key, { ...change.service, servers });
        break;
      }
      case 'server-added':
        edit(change.service, servers => [...servers, change.server]);
        break;
      case 'server-removed':
        edit(change.service, servers => servers.filter(server => serverKey(server) !== change.key));
        break;
      case 'server-edited':
        edit(change.service, servers =>
          servers.map(server => (serverKey(server) === change.key ? change.server : server)),
        );
        break;
      case 'servers-reordered':
        edit(change.service, servers => {
          const order = change.service.servers.map(serverKey);
          return servers.toSorted((a, b) => order.indexOf(serverKey(a)) - order.indexOf(serverKey(b)));
        });
        break;
      case 'pool-added':
      case 'pool-edited':
        rest = { ...rest, pools: [...rest.pools.filter(({ name }) => name !== change.pool.name), change.pool] };
        break;
      case 'pool-removed':
        rest = { ...rest, pools: rest.pools.filter(({ name }) => name !== change.pool.name) };
        break;
      case 'workers-changed':
        rest = { ...rest, workers: change.workers };
        break;
      case 'stealing-changed':
        rest = { ...rest, stealing: change.stealing };
        break;
      case 'timeouts-changed':
        rest = { ...rest, timeouts: change.timeouts };
        break;
      case 'switches-changed':
        rest = { ...rest, switches: change.switches };
        break;
      default:
        throw new Error(`an unexpected change: ${change.kind}`);
    }
  }
  const byKey = (a: [string, unknown], b: [string, unknown]) => (a[0] < b[0] ? -1 : 1);
  const sorted = [...services].toSorted(byKey).map(([, service]) => service);
  return { ...before, ...rest, pools: rest.pools.toSorted((a, b) => (a.name < b.name ? -1 : 1)), services: sorted };
}

it('changes lead from any model to any other', () => {
  fc.assert(
    fc.property(snapshots, snapshots, (before: Snapshot, after: Snapshot) => {
      const changes = documentFormat.compare(before, after);
      const director = applyChanges(
        before.director,
        changes.filter(change => change.section === 'director').map(({ change }) => change),
      );
      expect(documentFormat.snapshot({ director }).id).toBe(after.id);
      expect(changes.length === 0).toBe(before.id === after.id);
      expect(documentFormat.describe(changes).every(line => /^[-+~] /.test(line))).toBe(true);
    }),
    runs,
  );
});

const onlyConfigErrors = (read: () => unknown) => {
  try {
    read();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.message).not.toBe('');
  }
};

const commandWord = fc.oneof(
  fc.constantFrom(
    ...[
      '-A',
      '-E',
      '-D',
      '-C',
      '-a',
      '-e',
      '-d',
      '-Z',
      '--set',
      '-t',
      '-u',
      '-f',
      '-6',
      '-s',
      '-b',
      '-p',
      '-M',
      '-r',
      '-m',
      '-i',
      '-g',
      '-w',
    ],
    ...[
      '-x',
      '-y',
      '-o',
      '--pe',
      '--tun-type',
      '--tun-port',
      '--tun-csum',
      '--sctp-service',
      '--',
      '-',
      '=',
      '#',
      '-At',
      '-p60',
      '--weight=3',
    ],
    ...[
      '10.0.1.1:80',
      '10.0.2.1',
      '[fd00::1]:80',
      '[',
      ']',
      '[]:',
      ':',
      '::',
      'rr',
      'sh',
      'sh-port',
      'gue',
      '0',
      '1',
      '255.255.255.0',
      '__proto__',
    ],
  ),
  ipv4,
  fc.string({ maxLength: 8 }),
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.integer().map(String),
);
const command = fc.array(commandWord, { maxLength: 9 }).map(words => words.join(' '));

it('lines of any words are commands or errors', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 6 }), lines => {
      onlyConfigErrors(() => {
        const { services } = readRules(['-A -t 10.0.1.1:80', ...lines].join('\n'));
        for (const { identity } of services) {
          if ('address' in identity) expect(parseAddress(identity.address)?.text).toBe(identity.address);
        }
      });
    }),
    { numRuns: 1000 },
  );
});

const yamlPiece = fc.oneof(
  fc.constantFrom(
    'director',
    'services',
    'tcp',
    'servers',
    'pools',
    ': ',
    ':',
    '\n',
    '\n  ',
    '\n    - ',
    '- ',
    '{',
    '}',
    '[',
    ']',
    ',',
    '&a ',
    '*a',
    '"',
    "'",
  ),
  fc.constantFrom(
    '10.0.1.1:80',
    '!!',
    '%',
    '|',
    '>',
    '\t',
    '#',
    '---',
    '...',
    '? ',
    '<<',
    '__proto__',
    '\u0000',
    '\ufeff',
    '1e999',
    '.nan',
    '~',
  ),
  fc.string({ maxLength: 5 }),
);

it('text of any kind is a document or an error', () => {
  fc.assert(
    fc.property(fc.array(yamlPiece, { maxLength: 25 }), pieces => {
      onlyConfigErrors(() => documentFormat.parse(pieces.join('')));
      onlyConfigErrors(() => parseRouteTable(pieces.join('')));
    }),
    { numRuns: 1000 },
  );
});

// Values near the schema: its keys, and what they might hold.
const anything: fc.Arbitrary<unknown> = fc.letrec(tie => ({
  leaf: fc.oneof(
    fc.integer({ min: -2, max: 70_000 }),
    fc.boolean(),
    fc.constantFrom('rr', '10.0.1.1:80', 'gue', 'on', 'nat', '1-2', null),
    fc.string(),
  ),
  map: fc.dictionary(
    fc.constantFrom(
      'services',
      'pools',
      'tcp',
      'servers',
      'server',
      'weight',
      'tunnel',
      'type',
      'port',
      'persistence',
      'limits',
      'flows',
      'switches',
      'sloppy_tcp',
      'x',
    ),
    tie('value'),
    { maxKeys: 4 },
  ),
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('leaf'),
    tie('map'),
    fc.array(tie('value'), { maxLength: 3 }),
  ),
})).value;

it('the checker agrees with TypeBox about what fits the schema', () => {
  const compiled = Compile(directorSchema);
  fc.assert(
    fc.property(fc.oneof(directorDocument, anything), value => {
      const plain: unknown = parse(stringify(value));
      const problems = new Problems();
      checkNode(directorSchema, nodeOf(plain), [], problems);
      expect(problems.count === 0).toBe(compiled.Check(plain));
    }),
    { numRuns: 500 },
  );
});

it('every flag has a name that reads back', () => {
  for (const [flag, { scheduler = 'rr' }] of allFlags) {
    const { services } = readRules(`-A -t 10.0.1.1:80 -s ${scheduler} -b ${flag}`);
    expect(services[0]?.flags).toEqual([flag]);
  }
});
