// SPDX-License-Identifier: Apache-2.0
// What happens to existing connections when services change.

import { buildPacket, ipv4, tcp } from '../../src/wire/packet-builder.ts';
import type { VirtualService } from '../balancers/balancer.ts';
import { inject } from '../drivers/inject.ts';
import { Session } from '../drivers/session.ts';
import { finishDownload, startDownload, whoServes } from '../drivers/web.ts';
import { until } from '../topology/until.ts';
import { clientAddress, clientGateway, serverAddress, virtualAddress } from './addresses.ts';
import { service } from './modes.ts';
import { expect, type Scenario, type Stage } from './scenario.ts';
import { twoArms } from './topologies.ts';

const vip = virtualAddress.ipv4;
const web = service('tcp', 'ipv4', 'nat');
const echo = service('tcp', 'ipv4', 'nat', 7);

const requests = 30;
/** More than all buffers on the path hold, so that the transfer is not complete before the change. */
const downloadBytes = 50_000_000;

const alone = (number: number): VirtualService => ({ ...web, servers: [{ address: serverAddress('ipv4', number) }] });

async function metServers({ client }: Stage): Promise<string> {
  const services = await whoServes(client, vip, requests);
  return [...new Set(services.map(({ server }) => server))].sort().join();
}

/** Starts a transfer from r1, then changes the service and checks that new requests go to r2 and r3. */
async function changeInTransfer(stage: Stage, changed: VirtualService): Promise<{ finish: () => Promise<void> }> {
  await stage.balancer.change({ services: [alone(1)] });
  const transfer = startDownload(stage.client, vip, downloadBytes);
  await until('the transfer has begun', 10_000, async () => {
    const connections = await stage.host('r1').must(['ss', '-Htn', 'state', 'established', 'sport', '=', ':80']);
    return connections !== '';
  });
  await stage.balancer.change({ services: [changed] });
  const met = await metServers(stage);
  expect(met === 'r2,r3', `after the change new requests reached ${met || 'nobody'} instead of r2 and r3`);
  expect(!transfer.hasEnded, 'the transfer ended before the change was checked');
  return { finish: () => finishDownload(transfer, downloadBytes) };
}

export const changeScenarios: readonly Scenario[] = [
  {
    name: 'drain',
    title: 'a server of weight 0 gets no new connections, and its existing connections go on',
    topology: twoArms(),
    forwarding: { services: [web] },
    needs: ['change'],
    async play(stage) {
      const [first, ...others] = web.servers;
      const drained = { ...web, servers: [{ address: first?.address ?? '', weight: 0 }, ...others] };
      const transfer = await changeInTransfer(stage, drained);
      await transfer.finish();
    },
  },
  {
    name: 'server-removed',
    title: 'a server that is removed in the middle of a transfer gets no new connections',
    topology: twoArms(),
    forwarding: { services: [web] },
    needs: ['change'],
    async play(stage) {
      await changeInTransfer(stage, { ...web, servers: web.servers.slice(1) });
    },
  },
  {
    name: 'session-untouched',
    title: 'sessions with a server and with the host of the balancer outlive fifty changes of the services',
    topology: twoArms(),
    forwarding: { services: [web, echo] },
    needs: ['change'],
    async play({ client, balancer }) {
      const withServer = await Session.open(client, vip);
      const withBalancer = await Session.open(client, clientGateway.ipv4);
      for (let change = 0; change < 50; change++) {
        const services = change % 2 === 0 ? [alone(1), echo] : [web, echo];
        await balancer.change({ services });
        await withServer.type();
        await withBalancer.type();
      }
    },
  },
  {
    name: 'forged-reset',
    title: 'a forged reset with a wrong sequence number ends no session',
    topology: twoArms(),
    forwarding: { services: [echo] },
    async play({ client }) {
      const session = await Session.open(client, vip);
      await session.type();
      const forged = buildPacket(
        ipv4({ source: clientAddress.ipv4, destination: vip }),
        tcp({ sourcePort: session.port, destinationPort: 7, flags: 'R', sequence: 1 }),
      );
      await inject(client, vip, [forged]);
      await session.type();
    },
  },
];
