// SPDX-License-Identifier: Apache-2.0
// DNS, fragments, and ICMP errors about datagrams.

import { buildPacket, ipv4, protocols, udp, unreachable } from '../../src/wire/packet-builder.ts';
import type { Mode } from '../balancers/balancer.ts';
import { whoAnswers } from '../drivers/dns.ts';
import { inject } from '../drivers/inject.ts';
import { watch } from '../drivers/tcpdump.ts';
import { udpError, whoEchoes } from '../drivers/udp-echo.ts';
import { clientAddress, type Family, serverAddress, serverNames, virtualAddress } from './addresses.ts';
import { checkServices, families, modes, service, topologies } from './modes.ts';
import { expect, type Scenario, type Stage } from './scenario.ts';
import { twoArms } from './topologies.ts';

const vip = virtualAddress.ipv4;
const client4 = clientAddress.ipv4;

/** Four fragments on a link of 1500 bytes. */
const fragmentedBytes = 5000;
const requests = 30;

function fragments(family: Family, mode: Mode): Scenario {
  return {
    name: mode === 'nat' ? `fragments-${family}` : `fragments-${mode}-${family}`,
    title: 'datagrams of 5,000 bytes come back complete from every server',
    topology: topologies[mode],
    forwarding: { services: [service('udp', family, mode)] },
    needs: ['fragments'],
    async play({ client }) {
      const services = await whoEchoes(client, virtualAddress[family], fragmentedBytes, requests);
      checkServices(services, family, mode);
    },
  };
}

async function meetsAllDnsServers(stage: Stage, transport: 'udp' | 'tcp'): Promise<void> {
  const met = new Set<string>();
  for (let query = 0; query < 2 * serverNames.length; query++) met.add(await whoAnswers(stage.client, vip, transport));
  const names = [...met].sort().join();
  expect(names === serverNames.join(), `over ${transport}, of r1, r2 and r3 only ${names} answered dig`);
}

/** Addresses of r1 on which no program listens. */
const closedAddress: Record<Family, string> = { ipv4: '10.2.0.99', ipv6: 'fd00:2::99' };

function portUnreachable(family: Family, mode: Mode): Scenario {
  const address = closedAddress[family];
  return {
    name: `icmp-port-unreachable-${mode}-${family}`,
    title: 'port unreachable from a server reaches the client, with the virtual address as its source',
    topology: twoArms(),
    forwarding: { services: [{ ...service('udp', family, mode), servers: [{ address }] }] },
    ...(family === 'ipv6' && { needs: ['icmpv6-errors' as const] }),
    async play({ client, host }) {
      await host('r1').must(['ip', 'addr', 'add', address, 'dev', 'eth0', ...(family === 'ipv6' ? ['nodad'] : [])]);
      const error = await udpError(client, virtualAddress[family]);
      expect(error === 'ECONNREFUSED', `the client got ${error ?? 'no error'} instead of ECONNREFUSED`);
    },
  };
}

/** The source port of crafted packets. No program on the client uses it. */
const craftedPort = 40_000;

/** The client's request, with the destination that it has on one side of the balancer or on the other. */
const crafted = (destination: string): Uint8Array =>
  buildPacket(
    ipv4({ source: client4, destination }),
    udp({ sourcePort: craftedPort, destinationPort: 7 }),
    'sixteen and more bytes',
  );

const ipv4HeaderBytes = 20;

/** The client's request in two fragments. The second begins at `offset`: at 16 it is correct, below it overlaps. */
function inTwoFragments(offset: number, id: number): Uint8Array[] {
  const datagram = crafted(vip).subarray(ipv4HeaderBytes);
  const addresses = { source: client4, destination: vip, id, protocol: protocols.udp };
  return [
    buildPacket(ipv4({ ...addresses, moreFragments: true }), datagram.subarray(0, 16)),
    buildPacket(ipv4({ ...addresses, fragmentOffset: offset }), datagram.subarray(offset)),
  ];
}

export const datagramScenarios: readonly Scenario[] = [
  {
    name: 'dns',
    title: 'dig gets answers from all DNS servers, over UDP and TCP',
    topology: twoArms({ services: 'dns' }),
    forwarding: { services: [service('udp', 'ipv4', 'nat', 53), service('tcp', 'ipv4', 'nat', 53)] },
    async play(stage) {
      await meetsAllDnsServers(stage, 'udp');
      await meetsAllDnsServers(stage, 'tcp');
    },
  },
  ...modes
    .flatMap(mode => families.map(family => [family, mode] as const))
    // Not IPv6 in tunnels: routers do not fragment IPv6, so fragments that are too long are answered with an error. The
    // scenario path-mtu-tunnel-ipv6 covers that.
    .filter(([family, mode]) => family === 'ipv4' || mode !== 'tunnel')
    .map(([family, mode]) => fragments(family, mode)),
  {
    name: 'fragments-overlap',
    title: 'overlapping fragments reach no server, and correct fragments after them do',
    topology: twoArms(),
    forwarding: { services: [service('udp', 'ipv4', 'nat')] },
    needs: ['fragments'],
    async play({ client }) {
      const answers = await watch(client, 'eth0', `udp and src host ${vip} and dst port ${craftedPort}`);
      await inject(client, vip, [...inTwoFragments(8, 1), ...inTwoFragments(16, 2)]);
      await answers.says('UDP');
      const count = answers.stdout.match(/ UDP, /g)?.length;
      expect(count === 1, `${count} answers came to two datagrams, of which one had overlapping fragments`);
    },
  },
  portUnreachable('ipv4', 'nat'),
  portUnreachable('ipv6', 'nat'),
  portUnreachable('ipv4', 'fullnat'),
  {
    name: 'icmp-crafted',
    title: 'an ICMP error of a server about a request reaches the client with the virtual address as its source',
    topology: twoArms(),
    forwarding: { services: [{ ...service('udp', 'ipv4', 'nat'), servers: [{ address: serverAddress('ipv4', 1) }] }] },
    async play({ client, host }) {
      const server = serverAddress('ipv4', 1);
      const errors = await watch(client, 'eth0', 'icmp');
      await inject(client, vip, [crafted(vip)]);
      const error = buildPacket(ipv4({ source: server, destination: client4 }), unreachable(10), crafted(server));
      await inject(host('r1'), client4, [error]);
      await errors.says(`${vip} > ${client4}: ICMP host ${vip} unreachable - admin prohibited`);
    },
  },
];
