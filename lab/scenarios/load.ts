// SPDX-License-Identifier: Apache-2.0
// Load: long transfers, many connections at once, throughput.
import { openConnections } from '../drivers/connections.ts';
import { iperf, iperfPort } from '../drivers/iperf.ts';
import { realServer } from '../drivers/real-server.ts';
import { download, whoServes } from '../drivers/web.ts';
import type { Host } from '../topology/host.ts';
import { clientAddress, publicAddress, serverAddress, serverNetwork, virtualAddress } from './addresses.ts';
import { service } from './modes.ts';
import { expect, type Scenario } from './scenario.ts';
import { twoArms } from './topologies.ts';

const vip = virtualAddress.ipv4;

/** One server, as iperf3 opens more than one connection and all must reach the same server. */
const iperfService = (protocol: 'tcp' | 'udp' | 'sctp') => ({
  protocol,
  address: vip,
  port: iperfPort,
  mode: 'nat' as const,
  servers: [{ address: serverAddress('ipv4', 1) }],
});

async function connectMany(from: Host, address: string, count: number): Promise<void> {
  const { opened, echoed } = await openConnections(from, address, count);
  expect(opened === count, `${opened} of ${count} connections were open at the same time`);
  expect(echoed === count, `${echoed} of ${count} connections got back what they sent`);
}

const egress: Scenario = {
  name: 'egress-1000',
  title: '1,000 connections from a server leave through one public address at the same time',
  topology: twoArms(),
  forwarding: { services: [], sourceNat: { inside: serverNetwork, address: publicAddress } },
  needs: ['snat'],
  async play({ host, client }) {
    // Here the client's host is the internet, and the servers are the clients.
    await client.startService(realServer('outside', []));
    await connectMany(host('r1'), clientAddress.ipv4, 1000);
    const [seen] = await whoServes(host('r1'), clientAddress.ipv4, 1);
    expect(seen?.client === publicAddress, `outside, ${seen?.client} was seen instead of ${publicAddress}`);
  },
};

/** Every machine that runs tests forwards more. A slow path for every packet would forward less. */
const leastMegabits = 100;
/** On a busy machine a receiver's buffer may be full and lose some. A higher loss is the balancer's fault. */
const mostLostPercent = 5;

export const loadScenarios: readonly Scenario[] = [
  {
    name: 'transfer-1gb',
    title: 'a gigabyte arrives unchanged',
    topology: twoArms(),
    forwarding: { services: [service('tcp', 'ipv4', 'nat')] },
    play: ({ client }) => download(client, vip, 1_000_000_000),
  },
  {
    name: 'parallel-500',
    title: '500 connections are open at the same time, and each gets back what it sent',
    topology: twoArms(),
    forwarding: { services: [service('tcp', 'ipv4', 'nat', 7)] },
    play: ({ client }) => connectMany(client, vip, 500),
  },
  {
    name: 'iperf-tcp',
    title: 'iperf3 measures at least 100 Mbit/s of TCP',
    topology: twoArms({ services: 'iperf' }),
    forwarding: { services: [iperfService('tcp')] },
    async play({ client }) {
      const { megabits } = await iperf(client, vip, { protocol: 'tcp', seconds: 2 });
      expect(megabits >= leastMegabits, `iperf3 measured ${megabits.toFixed(0)} Mbit/s of TCP`);
    },
  },
  {
    name: 'iperf-udp',
    title: 'iperf3 sends 20 Mbit/s of UDP and loses at most 5 %',
    topology: twoArms({ services: 'iperf' }),
    forwarding: { services: [iperfService('tcp'), iperfService('udp')] },
    async play({ client }) {
      const { lostPercent } = await iperf(client, vip, { protocol: 'udp', seconds: 2, megabits: 20 });
      expect(lostPercent <= mostLostPercent, `iperf3 lost ${lostPercent.toFixed(1)} % of its datagrams`);
    },
  },
  {
    name: 'sctp',
    title: 'iperf3 transfers data over SCTP',
    topology: twoArms({ services: 'iperf' }),
    forwarding: { services: [iperfService('tcp'), iperfService('sctp')] },
    kernel: 'sctp',
    async play({ client }) {
      // docs/lab.md, Limits: a packet socket cannot receive SCTP packets that the client leaves to its device to segment.
      await client.must(['ethtool', '-K', 'eth0', 'tx-sctp-segmentation', 'off']);
      const { megabits } = await iperf(client, vip, { protocol: 'sctp', seconds: 2 });
      expect(megabits > 0, 'iperf3 transferred nothing');
    },
  },
  egress,
  {
    ...egress,
    name: 'workers-egress',
    title: '1,000 connections leave through one public address whose ports two workers share',
    forwarding: { ...egress.forwarding, workers: 2 },
    needs: ['snat', 'process'],
  },
];
