// SPDX-License-Identifier: Apache-2.0
// The route table of a replay's director.
import { describe, expect, it } from 'vitest';
import { ConfigErrors } from '../../../src/core/config/problems.ts';
import { ConfigError } from '../../../src/core/errors.ts';
import { parseRouteTable, routeTableFrom } from '../../../src/director/route-table.ts';

const good = `
ports:
  c0: { mac: "02:00:00:00:00:C0", mtu: 1500, addresses: [10.0.1.1/24, 10.0.1.9/24, "2001:db8:1::1/64"] }
  s0: { mac: 02:00:00:00:00:50, mtu: 9000, addresses: [10.0.2.1/24] }
neighbours:
  10.0.1.2: { mac: 02:00:00:00:01:02, port: c0 }
  2001:DB8:1::2: { mac: 02:00:00:00:01:02, port: c0 }
routes:
  - { to: 0.0.0.0/0, via: 10.0.1.254, port: c0 }
  - { to: ::/0, via: "fe80::1", port: c0 }
  - { to: 10.9.0.0/16, port: s0 }
`;

it('connected routes follow from the addresses and come first', () => {
  const routeTable = parseRouteTable(good);
  expect(routeTable.ports).toEqual([
    {
      name: 'c0',
      mac: '02:00:00:00:00:c0',
      mtu: 1500,
      addresses: [
        { address: '10.0.1.1', prefix: 24, family: 4 },
        { address: '10.0.1.9', prefix: 24, family: 4 },
        { address: '2001:db8:1::1', prefix: 64, family: 6 },
      ],
    },
    { name: 's0', mac: '02:00:00:00:00:50', mtu: 9000, addresses: [{ address: '10.0.2.1', prefix: 24, family: 4 }] },
  ]);
  expect(routeTable.neighbours).toEqual([
    { address: '10.0.1.2', family: 4, mac: '02:00:00:00:01:02', port: 'c0' },
    { address: '2001:db8:1::2', family: 6, mac: '02:00:00:00:01:02', port: 'c0' },
  ]);
  expect(routeTable.routes).toEqual([
    { network: '10.0.1.0', prefix: 24, family: 4, via: null, port: 'c0' },
    { network: '2001:db8:1::', prefix: 64, family: 6, via: null, port: 'c0' },
    { network: '10.0.2.0', prefix: 24, family: 4, via: null, port: 's0' },
    { network: '0.0.0.0', prefix: 0, family: 4, via: '10.0.1.254', port: 'c0' },
    { network: '::', prefix: 0, family: 6, via: 'fe80::1', port: 'c0' },
    { network: '10.9.0.0', prefix: 16, family: 4, via: null, port: 's0' },
  ]);
});

it('a program may give them as a value', () => {
  expect(routeTableFrom({ ports: { c0: { mac: '02:00:00:00:00:01' } } }).ports).toEqual([
    { name: 'c0', mac: '02:00:00:00:00:01', mtu: 1500, addresses: [] },
  ]);
});

it('marks are rules in order, of hosts and networks', () => {
  const ports = `
ports:
  c0: { mac: 02:00:00:00:00:01 }
marks:
  - { mark: 5, port: c0, source: 10.0.1.0/24, destination: 10.0.1.100, protocol: tcp, ports: 8000-8100 }
  - { mark: 4294967295, destination: "2001:db8::/32", ports: 80 }
  - { mark: 7 }
`;
  const nothing = { port: null, source: null, destination: null, protocol: null, ports: null };
  expect(parseRouteTable(ports).marks).toEqual([
    { mark: 5, port: 'c0', source: '10.0.1.0/24', destination: '10.0.1.100/32', protocol: 'tcp', ports: [8000, 8100] },
    { ...nothing, mark: 4294967295, destination: '2001:db8::/32', ports: [80, 80] },
    { ...nothing, mark: 7 },
  ]);
});

describe('what is wrong', () => {
  const port = 'ports: { c0: { mac: "02:00:00:00:00:01", addresses: [10.0.1.1/24] } }\n';
  it.each([
    [
      'a MAC address of a group',
      'ports: { c0: { mac: "01:00:5e:00:00:01" } }',
      'n:1:21: ports.c0.mac is not the address of one device: "01:00:5e:00:00:01" (such as 02:00:00:00:00:01)',
    ],
    [
      'a MAC address that is none',
      'ports: { c0: { mac: "02:00" } }',
      'n:1:21: ports.c0.mac must be a MAC address: "02:00" (such as 02:00:00:00:00:01)',
    ],
    [
      'an address that is none',
      'ports: { c0: { mac: "02:00:00:00:00:01", addresses: [10.0.1.1/40] } }',
      'n:1:54: ports.c0.addresses[0] is not an address that a port could have: "10.0.1.1/40" (such as 10.0.1.1/24)',
    ],
    [
      'an MTU below the least',
      'ports: { c0: { mac: "02:00:00:00:00:01", mtu: 60 } }',
      'n:1:47: ports.c0.mtu is out of range: 60 (use 68 to 65535 bytes)',
    ],
    [
      'ports of a mark that are none',
      'ports: { c0: { mac: 02:00:00:00:00:01 } }\nmarks: [{ mark: 1, ports: 90-80 }]',
      'n:2:27: marks[0].ports is not a range of ports: "90-80" (such as 80 or 8000-8100)',
    ],
    [
      'a mark for both families',
      'ports: { c0: { mac: 02:00:00:00:00:01 } }\nmarks: [{ mark: 1, source: 10.0.0.1, destination: "::1" }]',
      'n:2:51: marks[0].destination is not of the family of 10.0.0.1: "::1" (no packet is of both)',
    ],
    ['no ports', 'routes: []', 'n:1:1: the document lacks the key ports (add ports: {})'],
    [
      'an unknown port',
      `${port}routes: [{ to: 0.0.0.0/0, via: 10.0.1.254, port: co }]`,
      'n:2:50: routes[0].port names a port that is not defined: "co" (did you mean c0?)',
    ],
    [
      'a gateway that cannot be reached',
      `${port}routes: [{ to: 0.0.0.0/0, via: 10.0.2.254, port: c0 }]`,
      'n:2:32: routes[0].via is in no network of port c0: "10.0.2.254" (give the port an address of that network)',
    ],
    [
      'a gateway of the other family',
      `${port}routes: [{ to: "::/0", via: 10.0.1.254, port: c0 }]`,
      'n:2:29: routes[0].via is not of the family of ::/0: "10.0.1.254" (use an IPv6 address)',
    ],
    [
      'a network with host bits',
      `${port}routes: [{ to: 10.0.1.5/24, port: c0 }]`,
      'n:2:16: routes[0].to is not a network: "10.0.1.5/24" (such as 0.0.0.0/0 or 10.0.5.0/24, without bits beyond the prefix)',
    ],
    [
      'a neighbour that is the director',
      `${port}neighbours: { 10.0.1.1: { mac: "02:00:00:00:00:02", port: c0 } }`,
      'n:2:25: neighbours.10.0.1.1 is an address of the director itself: "10.0.1.1" (remove it: a director is not its own neighbour)',
    ],
    [
      'a neighbour that is no address',
      `${port}neighbours: { 10.0.1: { mac: "02:00:00:00:00:02", port: c0 } }`,
      'n:2:23: neighbours.10.0.1 is not the address of a host: "10.0.1" (such as 10.0.1.2)',
    ],
  ])('%s', (_name, text, message) => {
    const error = (() => {
      try {
        return parseRouteTable(text, 'n');
      } catch (error) {
        return error;
      }
    })();
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).not.toBeInstanceOf(ConfigErrors);
    expect((error as ConfigError).message).toBe(message);
  });
});
