// SPDX-License-Identifier: Apache-2.0
// Snapshots of the layer-4 model: their identity, and what leads from one to another.
import { describe, expect, it } from 'vitest';
import { documentFormat, type Snapshot } from '../../../src/daemon/document.ts';
import { readRules } from '../../../src/director/ipvsadm/rules.ts';
import { servicesWithoutPackets } from '../../../src/director/model.ts';
import { planChanges, planModel, planZero } from '../../../src/director/plan.ts';

const fromRules = (rules: string, base?: Snapshot): Snapshot =>
  documentFormat.snapshot({ director: readRules(rules, base === undefined ? {} : { base: base.director }) });
const changesOf = (before: Snapshot, after: Snapshot) => documentFormat.describe(documentFormat.compare(before, after));

describe('the id of a snapshot', () => {
  it('is the same for the same configuration in both grammars', () => {
    const document = documentFormat.from({
      director: {
        services: [
          { udp: '10.0.1.100:53', persistence: 360 },
          { tcp: '10.0.1.100:80', servers: ['10.0.2.11:8080', { server: '10.0.2.12:8080', weight: 3 }] },
        ],
      },
    });
    const rules = fromRules(
      '-A -t 10.0.1.100:80\n-a -t 10.0.1.100:80 -r 10.0.2.11:8080 -m\n-a -t 10.0.1.100:80 -r 10.0.2.12:8080 -m -w 3\n-A -u 10.0.1.100:53 -p\n',
    );
    expect(document.id).toBe(rules.id);
    expect(document.id).toMatch(/^[0-9a-f]{64}$/);
  });

  it('does not depend on the order of services, and does on that of servers', () => {
    const of = (...services: unknown[]) => documentFormat.from({ director: { services } }).id;
    const a = { tcp: '10.0.1.1:80', servers: ['10.0.2.1', '10.0.2.2'] };
    const reversed = { tcp: '10.0.1.1:80', servers: ['10.0.2.2', '10.0.2.1'] };
    const b = { tcp: '10.0.1.2:80' };
    expect(of(a, b)).toBe(of(b, a));
    expect(of(a, b)).not.toBe(of(reversed, b));
  });

  it('has a known value, which must never change for a released format', () => {
    expect(documentFormat.from({}).id).toBe(documentFormat.from({ director: {} }).id);
    expect(documentFormat.from({}).id).toBe(documentFormat.parse('', 'empty.yaml').id);
  });
});

it('a snapshot cannot be changed anywhere', () => {
  const snapshot = documentFormat.parse('director: { services: [{ tcp: 10.0.1.1:80, servers: [10.0.2.1] }] }');
  const frozen = (value: unknown): boolean =>
    typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen));
  expect(frozen(snapshot)).toBe(true);
});

describe('the comparison of two snapshots', () => {
  const base = documentFormat.parse(`
director:
  services:
    - tcp: 10.0.1.1:80
      servers: [10.0.2.1, 10.0.2.2, 10.0.2.3]
    - tcp: 10.0.1.2:80
      mode: fullnat
      pool: local
      servers: [10.0.2.1]
  pools: { local: [10.0.3.0/28] }
`);
  const edit = (change: (document: { director: Record<string, unknown> }) => void): Snapshot => {
    const document = structuredClone(documentFormat.write(base)) as { director: Record<string, unknown> };
    change(document);
    return documentFormat.from(document);
  };

  it('finds nothing between equal ones', () => {
    expect(
      documentFormat.compare(
        base,
        edit(() => {}),
      ),
    ).toEqual([]);
  });

  it.each<[string, (director: Record<string, unknown>) => void, string[]]>([
    [
      'timeouts, switches and limits',
      director => {
        director.timeouts = { tcp: { established: 60 }, udp: { normal: 30 } };
        director.switches = { sloppy_tcp: 1 };
        director.limits = { flows: 1000 };
      },
      [
        '~ timeouts tcp.established: 900 → 60, udp.normal: 300 → 30',
        '~ switches sloppy_tcp: false → true',
        '~ limits flows: 4194304 → 1000',
      ],
    ],
    [
      'rules of firewall marks, whose order counts',
      director => {
        director.marks = [{ mark: 5, protocol: 'tcp', ports: '80-443', source: '10.0.0.0/8' }, { mark: 6 }];
      },
      ['~ marks none → 5 tcp from 10.0.0.0/8 ports 80-443; 6 any protocol'],
    ],
    [
      'pools, before the services that use them',
      director => {
        director.pools = { local: ['10.0.3.0/29'], other: ['10.0.4.1'] };
        director.egress = { out: { sources: ['10.0.2.0/24'], pool: 'other' } };
        director.ports = { c0: 'eth0', s0: { device: 'eth1', vlan: 100 }, u0: { device: 'eth2', type: 'xdp' } };
      },
      [
        '+ port c0 eth0 packet',
        '+ port s0 eth1 packet vlan 100',
        '+ port u0 eth2 xdp',
        '+ pool other 10.0.4.1/32 ports 1024-65535',
        '~ pool local addresses: ["10.0.3.0/28"] → ["10.0.3.0/29"]',
        '+ egress out 10.0.2.0/24 pool other',
      ],
    ],
    [
      'services',
      director => {
        director.services = [
          { tcp: '10.0.1.2:80', scheduler: 'rr', pool: 'local', servers: ['10.0.2.1'] },
          { udp: '10.0.1.3:53' },
        ];
      },
      [
        '- tcp 10.0.1.1:80 wlc with 3 servers',
        '~ tcp 10.0.1.2:80 scheduler: wlc → rr',
        '~ tcp 10.0.1.2:80 server 10.0.2.1:80 mode: fullnat → nat',
        '+ udp 10.0.1.3:53 wlc with 0 servers',
      ],
    ],
    [
      'servers, and their order only where adding at the end is not enough',
      director => {
        const [first, ...rest] = director.services as [Record<string, unknown>, ...unknown[]];
        first.servers = ['10.0.2.9', '10.0.2.1', { server: '10.0.2.3', weight: 5 }];
        director.services = [first, ...rest];
      },
      [
        '- tcp 10.0.1.1:80 server 10.0.2.2:80 nat weight 1',
        '+ tcp 10.0.1.1:80 server 10.0.2.9:80 nat weight 1',
        '~ tcp 10.0.1.1:80 server 10.0.2.3:80 weight: 1 → 5',
        '~ tcp 10.0.1.1:80 order of servers: 10.0.2.9:80, 10.0.2.1:80, 10.0.2.3:80',
      ],
    ],
  ])('finds %s', (_name, change, lines) => {
    expect(
      changesOf(
        base,
        edit(document => change(document.director)),
      ),
    ).toEqual(lines);
  });

  it('keeps the services that ipvsadm commands did not touch as the same objects', () => {
    const after = fromRules('-e -t 10.0.1.1:80 -r 10.0.2.2:80 -m -w 0', base);
    expect(after.director.services[1]).toBe(base.director.services[1]);
    expect(changesOf(base, after)).toEqual(['~ tcp 10.0.1.1:80 server 10.0.2.2:80 weight: 1 → 0']);
  });
});

describe('the plan for the director', () => {
  it.each(['224.0.0.1', '0.0.0.0', '255.255.255.255', '[ff02::1]', '[::]'])(
    'leaves out the service %s, which no host has',
    address => {
      const base = fromRules('');
      const { director } = fromRules(`-A -t ${address}:80\n-A -t 10.0.1.1:80\n-E -t ${address}:80 -s rr\n`);
      const [step, ...others] = planModel(director);
      expect(step).toMatchObject({ op: 'addService', service: { address: '10.0.1.1' } });
      expect(others).toEqual([]);
      expect(planZero(director.services.map(({ identity }) => identity))).toHaveLength(1);
      expect(servicesWithoutPackets(director)).toEqual([
        `no packet is for the service tcp ${address}:80: its address is not that of one host`,
      ]);
      expect(servicesWithoutPackets(base.director)).toEqual([]);
    },
  );

  it('of a model adds services with their servers, the oldest first', () => {
    const { director } = fromRules(
      '-A -t 10.0.1.1:80 -s sh -b sh-port -p 60 -M 255.255.255.0\n-a -t 10.0.1.1:80 -r [2001:db8::1]:80 -i --tun-type gue --tun-port 6080 --tun-remcsum\n-A -f 5 -6\n--set 0 0 9\n',
    );
    const service = { family: 4, protocol: 6, address: '10.0.1.1', port: 80, mark: 0 };
    const standard = {
      onePacket: false,
      pool: '',
      toa: false,
      proxyProtocol: false,
      synProxy: 0,
      sourceRate: 0,
      sourceBurst: 0,
      sourcePrefix: 0,
    };
    expect(planModel(director)).toEqual([
      { op: 'setTimeouts', timeouts: director.timeouts },
      {
        op: 'addService',
        service: {
          ...{
            family: 6,
            protocol: 0,
            address: '',
            port: 0,
            mark: 5,
            scheduler: 'wlc',
            flags: 0,
            persistenceSeconds: 0,
          },
          ...{ persistenceNetmask: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', ...standard },
        },
      },
      {
        op: 'addService',
        service: {
          ...service,
          scheduler: 'sh',
          flags: 2,
          persistenceSeconds: 60,
          persistenceNetmask: '255.255.255.0',
          ...standard,
        },
      },
      {
        op: 'addServer',
        service,
        server: {
          ...{ family: 6, address: '2001:db8::1', port: 80, forwarding: 3, encapsulation: 1, tunnelPort: 6080 },
          ...{ tunnelChecksum: false, tunnelRemoteChecksum: true, weight: 1, upperThreshold: 0, lowerThreshold: 0 },
        },
      },
    ]);
  });

  it('of an edit is as short as the edit', () => {
    const before = fromRules('-A -t 10.0.1.1:80\n-a -t 10.0.1.1:80 -r 10.0.2.1 -m\n');
    const after = fromRules('-d -t 10.0.1.1:80 -r 10.0.2.1:80', before);
    const steps = planChanges(
      documentFormat
        .compare(before, after)
        .filter(change => change.section === 'director')
        .map(({ change }) => change),
      [],
    );
    expect(steps.map(({ op }) => op)).toEqual(['removeServer']);
  });
});

describe('ten thousand services with ten servers each', () => {
  const lines: string[] = [];
  for (let index = 0; index < 10_000; index++) {
    const service = `10.${index >> 8}.${index & 255}.1:80`;
    lines.push(`-A -t ${service} -s wlc`);
    for (let server = 1; server <= 10; server++)
      lines.push(`-a -t ${service} -r 10.200.${server}.1:8080 -m -w ${server}`);
  }
  const rules = `${lines.join('\n')}\n`;

  it('are read, and an edit of one is all that is found', () => {
    const before = documentFormat.snapshot({ director: readRules(rules) });
    const again = documentFormat.snapshot({ director: readRules(rules) });
    expect(documentFormat.compare(before, again)).toEqual([]);
    const after = fromRules('-e -t 10.10.10.1:80 -r 10.200.1.1:8080 -m -w 0', before);
    const other = fromRules('-E -t 10.10.10.1:80 -s rr', again);
    const changes = documentFormat.compare(after, other);
    expect(documentFormat.describe(changes)).toEqual([
      '~ tcp 10.10.10.1:80 scheduler: wlc → rr',
      '~ tcp 10.10.10.1:80 server 10.200.1.1:8080 weight: 0 → 1',
    ]);
  });
});
