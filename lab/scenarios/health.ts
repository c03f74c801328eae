// SPDX-License-Identifier: Apache-2.0
// Servers fail and come back: by refusing connections, by answering 500, by answering slowly, one or all of them, while
// processes of the balancer are killed.
import { setTimeout as delay } from 'node:timers/promises';
import type { Forwarding, VirtualService } from '../balancers/balancer.ts';
import { whoServes } from '../drivers/web.ts';
import { scaled } from '../topology/time-scale.ts';
import { until } from '../topology/until.ts';
import { serverAddress, serverNames, virtualAddress } from './addresses.ts';
import { service, topologies } from './modes.ts';
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

/** What r1 lacks, by commands there that take it away and bring it back. */
interface Lack {
  readonly takeAway: readonly [string, ...string[]];
  readonly bringBack: readonly [string, ...string[]];
}

/** Checks that travel as clients' packets do find what a connection to the server's own address cannot. */
const travelling = (
  name: string,
  title: string,
  virtual: Pick<VirtualService, 'mode' | 'encapsulation'>,
  lack: Lack,
  says: string,
): Scenario => ({
  name: `health-way-${name}`,
  title,
  topology: topologies[virtual.mode],
  forwarding: {
    checks: {
      way: { tcp: { like_traffic: true }, interval: check.interval, timeout: check.timeout, rise: 2, fall: 2 },
    },
    services: [{ ...service('tcp', 'ipv4', virtual.mode), ...virtual, health: 'way' }],
  },
  needs: ['health', 'process'],
  async play(stage) {
    await reach(stage, all);
    await stage.host('r1').must(lack.takeAway);
    // Requests that reach r1 until then would wait for an answer for long.
    await until(`the check says ${says}`, patience, async () => {
      const down = (await stage.balancer.process?.down()) ?? {};
      return down[`${serverAddress('ipv4', 1)}:80`]?.includes(says) === true;
    });
    await reach(stage, 'r2,r3');
    await stage.host('r1').must(lack.bringBack);
    await reach(stage, all);
  },
});

const drops = (protocol: number): Lack => ({
  takeAway: [
    'nft',
    `table ip lab { chain in { type filter hook prerouting priority -300; ip protocol ${protocol} drop; }; }`,
  ],
  bringBack: ['nft', 'delete table ip lab'],
});

export const healthScenarios: readonly Scenario[] = [
  travelling(
    'dr',
    'a server that has lost the virtual address gets no new requests, and gets some again when it has it again',
    { mode: 'dr' },
    {
      takeAway: ['ip', 'address', 'delete', `${vip}/32`, 'dev', 'lo'],
      bringBack: ['ip', 'address', 'add', `${vip}/32`, 'dev', 'lo'],
    },
    `no answer from ${vip}:80 by DR`,
  ),
  ...(
    [
      ['ipip', 4],
      ['gre', 47],
      ['gue', 17],
    ] as const
  ).map(([encapsulation, protocol]) =>
    travelling(
      encapsulation,
      `a server whose firewall drops ${encapsulation} gets no new requests until it lets it pass`,
      { mode: 'tunnel', encapsulation },
      drops(protocol),
      `no answer from ${vip}:80 in ${encapsulation}`,
    ),
  ),
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
