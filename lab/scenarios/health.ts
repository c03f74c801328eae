// SPDX-License-Identifier: Apache-2.0
// Servers fail and come back: by refusing connections, by answering 500, by answering slowly, one or all of them, while
// processes of the balancer are killed.
import { setTimeout as delay } from 'node:timers/promises';
import type { Forwarding, VirtualService } from '../balancers/balancer.ts';
import { whoServes } from '../drivers/web.ts';
import { scaled } from '../topology/time-scale.ts';
import { until } from '../topology/until.ts';
import { serverAddress, serverNames, virtualAddress } from './addresses.ts';
import { service } from './modes.ts';
import { expect, type Scenario, type Stage } from './scenario.ts';
import { twoArms } from './topologies.ts';

const vip = virtualAddress.ipv4;
const web = service('tcp', 'ipv4', 'nat');
const requests = 12;
const patience = 20_000;

/** Fast, so that a scenario is short. In an emulated machine answers take longer. */
const check = {
  http: '/who',
  interval: scaled(200) / 1000,
  timeout: scaled(200) / 1000,
  rise: 2,
  fall: 2,
};

const checked = (health: object = {}, servers = web.servers): Forwarding => ({
  checks: { web: check },
  services: [{ ...web, servers, health: { checks: ['web'], ...health } } satisfies VirtualService],
});

type Fault = 'none' | 'refuse' | 'error' | 'slow';

async function setFault({ host }: Stage, server: string, fault: Fault): Promise<void> {
  await host(server).must(['curl', '--silent', '--fail', `http://127.0.0.1:8006/fault?kind=${fault}`]);
}

/** Waits until new requests reach these servers and no others. A request that is not answered counts as none. */
async function reach({ client }: Stage, wanted: string): Promise<void> {
  await until(`requests reach ${wanted} and nobody else`, patience, async () => {
    const met = await whoServes(client, vip, requests).then(
      services => [...new Set(services.map(({ server }) => server))].sort().join(),
      () => 'nobody',
    );
    return met === wanted;
  });
}

const all = serverNames.join();
const faults = {
  refuse: 'refuses connections',
  error: 'answers 500',
  slow: 'answers after five seconds',
} as const;

/** r1 fails in this way and comes back. */
const failing = (fault: keyof typeof faults, says: string): Scenario => ({
  name: `health-${fault}`,
  title: `a server that ${faults[fault]} gets no new requests, and gets some again when it works again`,
  topology: twoArms(),
  forwarding: checked(),
  needs: ['health', 'process'],
  async play(stage) {
    await reach(stage, all);
    await setFault(stage, 'r1', fault);
    await reach(stage, 'r2,r3');
    const down = (await stage.balancer.process?.down()) ?? {};
    const detail = down[`${serverAddress('ipv4', 1)}:80`] ?? 'nothing';
    expect(detail.includes(says), `sluice health says of r1: ${detail}`);
    expect(Object.keys(down).length === 1, `down are ${Object.keys(down).join(', ')}`);
    await setFault(stage, 'r1', 'none');
    await reach(stage, all);
  },
});

export const healthScenarios: readonly Scenario[] = [
  failing('refuse', 'refused'),
  failing('error', '500'),
  failing('slow', 'within'),
  {
    name: 'health-sorry',
    title: 'the sorry server gets requests while no other server is up, and none before and after',
    topology: twoArms(),
    forwarding: checked({ sorry: serverAddress('ipv4', 3) }, web.servers.slice(0, 2)),
    needs: ['health', 'process'],
    async play(stage) {
      await reach(stage, 'r1,r2');
      await setFault(stage, 'r1', 'error');
      await reach(stage, 'r2');
      await setFault(stage, 'r2', 'refuse');
      await reach(stage, 'r3');
      await setFault(stage, 'r1', 'none');
      await reach(stage, 'r1');
    },
  },
  {
    name: 'health-quorum',
    title: 'with the quorum lost the sorry server takes over, as the service asks for, though a server is up',
    topology: twoArms(),
    forwarding: checked(
      { quorum: 2, sorry_when: 'quorum_lost', sorry: serverAddress('ipv4', 3) },
      web.servers.slice(0, 2),
    ),
    needs: ['health', 'process'],
    async play(stage) {
      await reach(stage, 'r1,r2');
      await setFault(stage, 'r1', 'error');
      await reach(stage, 'r3');
      await setFault(stage, 'r1', 'none');
      await reach(stage, 'r1,r2');
    },
  },
  {
    name: 'health-none-up',
    title: 'with no server up and no sorry server all servers are used',
    topology: twoArms(),
    forwarding: { ...checked(), checks: { web: { ...check, http: '/no-such-page' } } },
    needs: ['health', 'process'],
    async play(stage) {
      await until('all are down', patience, async () => {
        const down = (await stage.balancer.process?.down()) ?? {};
        return Object.keys(down).length === serverNames.length;
      });
      await reach(stage, all);
    },
  },
  {
    name: 'health-killed',
    title: 'a server that is down stays out while control and the checks are killed, and failures are found after that',
    topology: twoArms(),
    forwarding: checked(),
    needs: ['health', 'process'],
    async play(stage) {
      const { client, balancer } = stage;
      await reach(stage, all);
      await setFault(stage, 'r1', 'refuse');
      await reach(stage, 'r2,r3');
      for (const name of ['health', 'control', 'director']) {
        await balancer.process?.killProcess(name);
        for (let round = 0; round < 10; round++) {
          const met = new Set((await whoServes(client, vip, requests)).map(({ server }) => server));
          expect(!met.has('r1'), `after ${name} was killed a request reached r1`);
          await delay(100);
        }
      }
      await setFault(stage, 'r2', 'error');
      await reach(stage, 'r3');
      await setFault(stage, 'r1', 'none');
      await reach(stage, 'r1,r3');
    },
  },
];
