// SPDX-License-Identifier: Apache-2.0
// Real servers that speak the PROXY protocol learn the client's address, though no proxy terminates the connection.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { VirtualService } from '../balancers/balancer.ts';
import { proxyPorts, watchHeaders, whoIsGreeted, withPort } from '../drivers/proxy-protocol.ts';
import { Session } from '../drivers/session.ts';
import { download, upload, whoServes } from '../drivers/web.ts';
import { content } from '../programs/content.ts';
import type { Service } from '../programs/service.ts';
import type { LinkFaults } from '../topology/description.ts';
import type { Host } from '../topology/host.ts';
import { clientAddress, type Family, serverAddress, virtualAddress } from './addresses.ts';
import { families, service } from './modes.ts';
import { expect, type Scenario } from './scenario.ts';
import { twoArms } from './topologies.ts';

const transferBytes = 10_000_000;
const crashBytes = 100_000_000;
const requests = 20;
const greetingPort = 25;

/** A FULLNAT service that announces clients by the PROXY protocol. Each program is on a server of its own. */
function announcing(family: Family, port: number, ...programs: (keyof typeof proxyPorts)[]): VirtualService {
  return {
    ...service('tcp', family, 'fullnat', port),
    servers: programs.map((program, index) => ({
      address: withPort(serverAddress(family, index + 1), proxyPorts[program]),
    })),
    proxyProtocol: true,
  };
}

function checkClient(services: readonly Service[], family: Family): void {
  for (const { server, client } of services) {
    expect(client === clientAddress[family], `${server} took ${client} for its client`);
  }
}

/** 10 MB there and back. */
async function transfer(client: Host, family: Family): Promise<void> {
  const file = join(client.folder, 'content');
  writeFileSync(file, Buffer.concat([...content(transferBytes)]));
  await upload(client, virtualAddress[family], file, transferBytes);
  await download(client, virtualAddress[family], transferBytes);
}

/** Opens `count` connections in which the server speaks first. */
async function greet(client: Host, family: Family, count: number): Promise<void> {
  const greeted: Service[] = [];
  for (let number = 0; number < count; number++) {
    greeted.push(await whoIsGreeted(client, virtualAddress[family], greetingPort));
  }
  checkClient(greeted, family);
}

function overBadLinks(name: string, what: string, faults: LinkFaults): Scenario {
  return {
    name: `proxy-protocol-${name}`,
    title: `nginx and HAProxy know the client over links that ${what}, and 10 MB arrive unchanged`,
    topology: twoArms({ services: 'proxy-protocol', uplink: { faults }, downlink: { faults } }),
    forwarding: {
      services: [announcing('ipv4', 80, 'nginx', 'haproxy'), announcing('ipv4', greetingPort, 'greeting')],
    },
    needs: ['proxy-protocol'],
    async play({ client }) {
      checkClient(await whoServes(client, virtualAddress.ipv4, requests), 'ipv4');
      await greet(client, 'ipv4', requests);
      await transfer(client, 'ipv4');
    },
  };
}

export const proxyProtocolScenarios: readonly Scenario[] = [
  ...families.map(
    (family): Scenario => ({
      name: `proxy-protocol-${family}`,
      title: 'nginx and HAProxy behind FULLNAT know the client by PROXY v2, and 10 MB arrive unchanged both ways',
      topology: twoArms({ services: 'proxy-protocol' }),
      forwarding: {
        services: [announcing(family, 80, 'nginx', 'haproxy'), announcing(family, greetingPort, 'greeting')],
      },
      needs: ['proxy-protocol'],
      async play({ client, host }) {
        const headers = await watchHeaders(host('r1'), proxyPorts.nginx);
        const services = await whoServes(client, virtualAddress[family], requests);
        checkClient(services, family);
        const met = [...new Set(services.map(({ server }) => server))].sort().join();
        expect(met === 'r1,r2', `of r1 with nginx and r2 with HAProxy the client reached ${met}`);
        const port = services.find(({ server }) => server === 'r1')?.port;
        const [v4, v6] = family === 'ipv4' ? [clientAddress.ipv4, ''] : ['', clientAddress.ipv6];
        await headers.says(`2|${v4}|${v6}|${port}`);
        await greet(client, family, 1);
        await transfer(client, family);
      },
    }),
  ),
  overBadLinks('loss', 'lose 5 % of the packets', { lossPercent: 5 }),
  overBadLinks('reorder', 'reorder 5 % of the packets', { reorderPercent: 5 }),
  {
    name: 'proxy-protocol-syn-proxy',
    title: 'the PROXY header, TOA and the SYN proxy go together, and 10 MB arrive unchanged both ways',
    topology: twoArms({ services: 'proxy-protocol' }),
    forwarding: {
      services: [announcing('ipv4', 80, 'nginx', 'haproxy'), announcing('ipv4', greetingPort, 'greeting')].map(
        each => ({
          ...each,
          synProxy: true,
          tellsClient: true,
        }),
      ),
    },
    needs: ['proxy-protocol', 'syn-proxy', 'toa'],
    async play({ client }) {
      checkClient(await whoServes(client, virtualAddress.ipv4, requests), 'ipv4');
      await greet(client, 'ipv4', 1);
      await transfer(client, 'ipv4');
    },
  },
  {
    name: 'proxy-protocol-crash',
    title: 'after kill -9 connections with a PROXY header go on, and new connections get a header',
    topology: twoArms({ services: 'proxy-protocol' }),
    forwarding: { services: [announcing('ipv4', 80, 'nginx'), announcing('ipv4', 7, 'echo')] },
    needs: ['proxy-protocol', 'process'],
    async play({ client, balancer }) {
      const session = await Session.open(client, virtualAddress.ipv4);
      await session.type();
      const underWay = download(client, virtualAddress.ipv4, crashBytes);
      await balancer.process?.crash();
      await session.type();
      await underWay;
      checkClient(await whoServes(client, virtualAddress.ipv4, requests), 'ipv4');
    },
  },
];
