// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import {
  ConfigError,
  Director,
  type DirectorConfig,
  describeFrame,
  formatConnections,
  UsageError,
} from '../../../src/index.ts';
import { buildFrame, ethernet, ipv4, tcp } from '../../../src/wire/packet-builder.ts';

const net = `
ports:
  c0: { mac: "02:00:00:00:01:01", addresses: [10.0.1.1/24] }
  s0: { mac: "02:00:00:00:02:01", addresses: [10.0.2.1/24] }
neighbours:
  10.0.2.11: { mac: "02:00:00:00:02:11", port: s0 }
`;
const netValue = {
  ports: {
    c0: { mac: '02:00:00:00:01:01', addresses: ['10.0.1.1/24'] },
    s0: { mac: '02:00:00:00:02:01', addresses: ['10.0.2.1/24'] },
  },
  neighbours: { '10.0.2.11': { mac: '02:00:00:00:02:11', port: 's0' } },
};
const rules = '-A -t 10.0.1.100:80 -s rr\n-a -t 10.0.1.100:80 -r 10.0.2.11:8080 -m -w 1\n';
const config = `
director:
  services:
    - { tcp: 10.0.1.100:80, scheduler: rr, servers: [10.0.2.11:8080] }
`;
const configValue = {
  director: { services: [{ tcp: '10.0.1.100:80', scheduler: 'rr', servers: ['10.0.2.11:8080'] }] },
};

const syn = buildFrame(
  ethernet({ destination: '02:00:00:00:01:01' }),
  ipv4({ source: '10.0.1.2', destination: '10.0.1.100' }),
  tcp({ sourcePort: 40000, destinationPort: 80, flags: 'S' }),
);
const now = 1_704_067_200_000_000_000n;

describe('a director of the library', () => {
  it.each<[string, DirectorConfig]>([
    ['texts', { net, rules }],
    ['a document', { net, config }],
    ['values', { net: netValue, config: configValue }],
  ])('is configured with %s', (_name, given) => {
    const director = new Director(given);
    const before = Uint8Array.from(syn);
    const { out, ...verdict } = director.receive('c0', syn, now);
    expect(verdict).toEqual({
      verdict: 'forward',
      reason: 'scheduled',
      meaning: 'opened a flow; the scheduler chose the real server',
      service: 'tcp 10.0.1.100:80',
      server: '10.0.2.11:8080',
      mode: 'nat',
    });
    expect(out.map(({ port, frame }) => `${port} ${describeFrame(frame)}`)).toEqual([
      's0 IP 10.0.1.2.40000 > 10.0.2.11.8080: Flags [S], seq 1, win 64240, length 0',
    ]);
    expect(syn).toEqual(before);
  });

  it('lists its connections as ipvsadm does, and ends them when their time is over', () => {
    const director = new Director({ net, rules });
    director.receive('c0', syn, now);
    expect(formatConnections(director.connections(now))).toContain(
      'TCP 01:00  SYN_RECV    10.0.1.2:40000     10.0.1.100:80      10.0.2.11:8080\n',
    );
    director.advance(now + 70_000_000_000n);
    expect(director.connections(now + 70_000_000_000n)).toEqual([]);
  });

  it('forwards nothing without services, and forwards when services are added', () => {
    const director = new Director({ net });
    expect(director.receive('c0', syn, now).reason).toBe('no-service');
    director.configure({ rules });
    expect(director.receive('c0', syn, now).reason).toBe('scheduled');
  });

  it('makes the same choices with the same seed', () => {
    const random = {
      director: {
        services: [
          { ...configValue.director.services[0], scheduler: 'random', servers: ['10.0.2.11:1', '10.0.2.11:2'] },
        ],
      },
    };
    const choices = (seed: number) => {
      const director = new Director({ net, config: random, seed });
      return Array.from({ length: 32 }, (_, index) => {
        const frame = Buffer.from(syn);
        frame.writeUInt16BE(1000 + index, 34);
        return director.receive('c0', frame, now).server;
      });
    };
    expect(choices(7)).toEqual(choices(7));
    expect(choices(7)).not.toEqual(choices(8));
  });

  it('says what is wrong with a configuration, and where', () => {
    expect(() => new Director({ net: 'ports: { c0: {} }', rules })).toThrow(ConfigError);
    expect(() => new Director({ net, rules: '-A -t 10.0.1.300:80' })).toThrow(/^rules:1:7: /);
    expect(() => new Director({ net, config: 'layer5: {}' })).toThrow(/^config:1:1: /);
    expect(() => new Director({ net, rules, config })).toThrow(UsageError);
  });

  it('refuses invalid frames, ports and times', () => {
    const director = new Director({ net, rules });
    expect(() => director.receive('c1', syn, now)).toThrow('there is no such port: "c1" (use one of c0, s0)');
    expect(() => director.receive('c0', 'frame' as never, now)).toThrow('a frame is not a Uint8Array');
    expect(() => director.receive('c0', syn, 1704067200 as never)).toThrow('a time is not a number of nanoseconds');
    director.receive('c0', syn, now);
    expect(() => director.receive('c0', syn, now - 1n)).toThrow('time runs backwards');
  });
});
