// SPDX-License-Identifier: Apache-2.0
// Ports by AF_XDP, in copy mode as the devices are veths. The offloads of the devices stay on.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Forwarding } from '../balancers/balancer.ts';
import { Session } from '../drivers/session.ts';
import { whoEchoes } from '../drivers/udp-echo.ts';
import { download, upload, whoServes } from '../drivers/web.ts';
import { content } from '../programs/content.ts';
import { clientGateway, virtualAddress } from './addresses.ts';
import { checkServices, families, service } from './modes.ts';
import { expect, type Scenario, type Stage } from './scenario.ts';
import { twoArms } from './topologies.ts';

const vip = virtualAddress.ipv4;
const transferBytes = 10_000_000;
const requests = 30;
/** Four fragments on a link of 1500 bytes. */
const fragmentedBytes = 5000;

const forwarding: Forwarding = {
  services: [
    ...families.flatMap(family => [service('tcp', family, 'nat'), service('udp', family, 'nat')]),
    service('tcp', 'ipv4', 'fullnat', 7),
  ],
};

async function checkPortTypes({ balancer }: Stage, wanted: Record<string, string>): Promise<void> {
  const found = JSON.stringify(await balancer.process?.portTypes());
  expect(found === JSON.stringify(wanted), `the ports are ${found}`);
}

async function checkTraffic({ client }: Stage): Promise<void> {
  const withBalancer = await Session.open(client, clientGateway.ipv4);
  const withServer = await Session.open(client, vip);
  const file = join(client.folder, 'content');
  writeFileSync(file, Buffer.concat([...content(transferBytes)]));
  for (const family of families) {
    const address = virtualAddress[family];
    checkServices(await whoServes(client, address, requests), family, 'nat');
    checkServices(await whoEchoes(client, address, fragmentedBytes, requests), family, 'nat');
    await download(client, address, transferBytes);
    await upload(client, address, file, transferBytes);
    // The director answers for the virtual address, the host's stack for its own.
    for (const pinged of [address, clientGateway[family]]) {
      const printed = await client.must(['ping', '-q', '-c', '10', '-i', '0.05', pinged]);
      expect(printed.includes(' 10 received, 0% packet loss'), printed.trim());
      expect(!printed.includes('duplicates'), printed.trim());
    }
  }
  await withBalancer.type();
  await withServer.type();
}

export const xdpScenarios: readonly Scenario[] = [
  {
    name: 'xdp',
    title: "10 MB arrive unchanged in each direction by AF_XDP, and the host's own traffic goes on",
    topology: twoArms(),
    forwarding: { ...forwarding, xdp: ['eth0', 'eth1'] },
    needs: ['process'],
    async play(stage) {
      await checkPortTypes(stage, { eth0: 'xdp-copy', eth1: 'xdp-copy' });
      await checkTraffic(stage);
    },
  },
  {
    name: 'xdp-beside-ring',
    title: 'frames whose checksum or segmentation a packet ring leaves to the device leave correctly by an AF_XDP port',
    topology: twoArms(),
    forwarding: { ...forwarding, xdp: ['eth0'] },
    needs: ['process'],
    async play(stage) {
      await checkPortTypes(stage, { eth0: 'xdp-copy', eth1: 'packet' });
      await checkTraffic(stage);
    },
  },
  {
    name: 'xdp-workers',
    title: 'when AF_XDP cannot be used, packet rings carry the same traffic',
    topology: twoArms(),
    forwarding: { ...forwarding, xdp: ['eth0', 'eth1'], workers: 2 },
    needs: ['process'],
    async play(stage) {
      await checkPortTypes(stage, { eth0: 'packet', eth1: 'packet' });
      await checkTraffic(stage);
    },
  },
  {
    name: 'xdp-crash',
    title: 'after kill -9 the ports are AF_XDP ports again, and connections go on',
    topology: twoArms(),
    forwarding: { ...forwarding, xdp: ['eth0', 'eth1'] },
    needs: ['process'],
    async play(stage) {
      const { client, balancer, note } = stage;
      const withServer = await Session.open(client, vip);
      await withServer.type();
      note(`forwards ${(await balancer.process?.crash())?.toFixed(1)} s after it was killed`);
      await checkPortTypes(stage, { eth0: 'xdp-copy', eth1: 'xdp-copy' });
      await withServer.type();
      await checkTraffic(stage);
    },
  },
];
