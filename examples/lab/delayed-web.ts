// SPDX-License-Identifier: Apache-2.0
import { nftDnat } from '../../lab/balancers/nft-dnat.ts';
import { realServer } from '../../lab/drivers/real-server.ts';
import { whoServes } from '../../lab/drivers/web.ts';
import { perform } from '../../lab/perform.ts';
import { expect, type Scenario } from '../../lab/scenarios/scenario.ts';

const scenario: Scenario = {
  name: 'delayed-web',
  title: 'a request over a link with a delay is served, and the server sees the client',
  topology: {
    hosts: {
      client: { interfaces: { eth0: ['10.1.0.2/24'] }, routes: [{ to: 'default', via: '10.1.0.1' }] },
      balancer: { interfaces: { eth0: ['10.1.0.1/24'], eth1: ['10.2.0.1/24'] }, forwards: true },
      r1: {
        interfaces: { eth0: ['10.2.0.11/24'] },
        routes: [{ to: 'default', via: '10.2.0.1' }],
        services: [realServer('r1', [])],
      },
    },
    links: [
      { between: ['client:eth0', 'balancer:eth0'], faults: { delayMilliseconds: 20 } },
      { between: ['balancer:eth1', 'r1:eth0'] },
    ],
  },
  forwarding: {
    services: [{ protocol: 'tcp', address: '192.0.2.10', port: 80, mode: 'nat', servers: [{ address: '10.2.0.11' }] }],
  },
  async play({ client }) {
    const [service] = await whoServes(client, '192.0.2.10', 1);
    expect(service?.server === 'r1', `served by ${service?.server}`);
    expect(service?.client === '10.1.0.2', `r1 saw ${service?.client}`);
  },
};

console.log(JSON.stringify(await perform(scenario, nftDnat, { keep: false })));
