// SPDX-License-Identifier: Apache-2.0
// Links with faults, VLAN tags and small MTUs.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { watch } from '../drivers/tcpdump.ts';
import { download, upload } from '../drivers/web.ts';
import { content } from '../programs/content.ts';
import type { LinkFaults } from '../topology/description.ts';
import { addressOnLink, clientAddress, type Family, virtualAddress } from './addresses.ts';
import { families, service } from './modes.ts';
import { expect, type Scenario, type Stage } from './scenario.ts';
import { farServer, narrowMtu, narrowWay, oneArm, twoArms } from './topologies.ts';

const vip = virtualAddress.ipv4;

const vlan = 100;
const transferBytes = 10_000_000;
/** Enough packets of full size to notice when they are dropped without an error. */
const uploadBytes = 1_000_000;

function faulty(name: string, title: string, faults: LinkFaults): Scenario {
  return {
    name,
    title,
    topology: twoArms({ uplink: { faults } }),
    forwarding: { services: [service('tcp', 'ipv4', 'nat')] },
    play: ({ client }) => download(client, vip, transferBytes),
  };
}

/** The MTU of a link of 1500 bytes without the outer header of IPIP. */
const tunnelMtu: Record<Family, number> = { ipv4: 1480, ipv6: 1460 };

/** How tcpdump prints an ICMP error with the MTU. */
const tooBig: Record<Family, (mtu: number) => string> = {
  ipv4: mtu => `${virtualAddress.ipv4} unreachable - need to frag (mtu ${mtu})`,
  ipv6: mtu => `packet too big, mtu ${mtu}`,
};

/** Fails unless an upload arrives and the client has learned the MTU from an ICMP error. */
async function uploadsBelow({ client }: Stage, family: Family, mtu: number): Promise<void> {
  const address = virtualAddress[family];
  const errors = await watch(client, 'eth0', 'icmp[icmptype] == icmp-unreach or icmp6[icmp6type] == 2');
  const file = join(client.folder, 'content');
  writeFileSync(file, Buffer.concat([...content(uploadBytes)]));
  await upload(client, address, file, uploadBytes);
  await errors.says(tooBig[family](mtu));
  const route = await client.must(['ip', 'route', 'get', address]);
  expect(route.includes(`mtu ${mtu}`), `the client did not learn the path's MTU: ${route.trim()}`);
}

export const linkScenarios: readonly Scenario[] = [
  faulty('loss', '10 MB arrive unchanged over a link that loses 5 % of the packets', { lossPercent: 5 }),
  faulty('reorder', '10 MB arrive unchanged over a link that reorders 5 % of the packets', { reorderPercent: 5 }),
  faulty('duplicate', '10 MB arrive unchanged over a link that duplicates 5 % of the packets', { duplicatePercent: 5 }),
  faulty('slow', '10 MB arrive unchanged over a link of 100 Mbit/s with a delay of 10 ms', {
    delayMilliseconds: 10,
    rateMegabits: 100,
  }),
  {
    name: 'vlan-uplink',
    title: 'an uplink may have a VLAN tag, though the kernel has no VLAN device for it',
    topology: twoArms({ uplink: { vlan } }),
    forwarding: { services: [{ ...service('tcp', 'ipv4', 'nat'), address: addressOnLink.ipv4 }], uplinkVlan: vlan },
    needs: ['vlan', 'answers'],
    async play({ client, host }) {
      // The client's ARP replies are tagged, so the balancer's kernel does not receive them.
      const [{ address }] = JSON.parse(await client.must(['ip', '-json', 'link', 'show', 'eth0']));
      await host('balancer').must(['ip', 'neigh', 'replace', clientAddress.ipv4, 'lladdr', address, 'dev', 'eth0']);
      await download(client, addressOnLink.ipv4, transferBytes);
    },
  },
  ...families.map(family => ({
    name: `path-mtu-tunnel-${family}`,
    title: 'the client learns the smaller MTU of a tunnel by an ICMP error from the virtual address',
    topology: oneArm({ tunnels: true }),
    forwarding: { services: [service('tcp', family, 'tunnel')] },
    play: (stage: Stage) => uploadsBelow(stage, family, tunnelMtu[family]),
  })),
  ...families.map(family => ({
    name: `path-mtu-${family}`,
    title: 'the client learns the small MTU of a link behind the balancer by an ICMP error from the virtual address',
    topology: narrowWay(),
    forwarding: { services: [{ ...service('tcp', family, 'nat'), servers: [{ address: farServer[family] }] }] },
    ...(family === 'ipv6' && { needs: ['icmpv6-errors' as const] }),
    play: (stage: Stage) => uploadsBelow(stage, family, narrowMtu),
  })),
];
