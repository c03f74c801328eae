// SPDX-License-Identifier: Apache-2.0
// Changes, crashes and links that go down, while traffic flows. The scenarios count what is lost.
import { Session } from '../drivers/session.ts';
import { lostByReceivers, Stream, type StreamResult } from '../drivers/stream.ts';
import { download, isServed, whoServes } from '../drivers/web.ts';
import type { Host } from '../topology/host.ts';
import { until } from '../topology/until.ts';
import { clientAddress, clientGateway, onLink, serverAddress, virtualAddress } from './addresses.ts';
import { checkServices, service } from './modes.ts';
import { expect, type Scenario, type Stage } from './scenario.ts';
import { twoArms } from './topologies.ts';

const vip = virtualAddress.ipv4;
const web = service('tcp', 'ipv4', 'nat');
const echo = service('udp', 'ipv4', 'nat');
const sessions = service('tcp', 'ipv4', 'nat', 7);

const requests = 30;
const changes = 1000;
const transferBytes = 300_000_000;
const crashBytes = 100_000_000;
const upgrades = 2;
/** A second: a wide limit, for a busy machine. The note has the figure. */
const mostLostInUpgrade = 1000;
/** Deadline for requests to be served again, on a busy machine. */
const backMilliseconds = 20_000;

/** Change number N: weights alternate, and so does the presence of one service. */
function changed(number: number) {
  const weight = 1 + (number % 2);
  const services = [web, echo].map(each => ({ ...each, servers: each.servers.map(server => ({ ...server, weight })) }));
  return { services: number % 2 === 0 ? services : [...services, sessions] };
}

/** Fails if the stream lost datagrams, other than those that receivers dropped because their buffers were full. */
async function checkNothingLost({ host, client }: Stage, stream: Stream): Promise<number> {
  const { sent, lost, duplicated } = await stream.end();
  const receivers = await Promise.all([client, host('r1'), host('r2'), host('r3')].map(lostByReceivers));
  const excused = receivers.reduce((sum, count) => sum + count, 0);
  expect(lost.length <= excused, `${lost.length} of ${sent} datagrams were lost: ${lost.slice(0, 20).join(', ')} …`);
  expect(duplicated.length === 0, `${duplicated.length} of ${sent} datagrams came twice`);
  return sent;
}

/**
 * Replaces processes of the balancer so many times. Sessions with it and with a server go on, and so does a transfer. Returns
 * what became of a stream meanwhile.
 */
async function replaceUnderLoad(client: Host, times: number, replace: () => Promise<void>): Promise<StreamResult> {
  const [withBalancer, withServer] = await Promise.all(
    [clientGateway.ipv4, vip].map(address => Session.open(client, address)),
  );
  await withServer?.type();
  const stream = await Stream.open(client, vip);
  const transfer = download(client, vip, crashBytes);
  // It may fail before the await below; Node would end the process for an unhandled rejection.
  transfer.catch(() => undefined);
  for (let time = 0; time < times; time++) {
    await replace();
    await withBalancer?.type();
    await withServer?.type();
  }
  await transfer;
  checkServices(await whoServes(client, vip, requests), 'ipv4', 'nat');
  return await stream.end();
}

async function takeLinkAway(stage: Stage, device: string): Promise<void> {
  const balancer = stage.host('balancer');
  await balancer.must(['ip', 'link', 'set', device, 'down']);
  expect(!(await isServed(stage.client, vip)), `requests are served without ${device}`);
  await balancer.must(['ip', 'link', 'set', device, 'up']);
}

/** Makes the link between client and balancer again. Its deletion removed both ends. */
async function makeUplink({ client, host }: Stage): Promise<void> {
  const balancer = host('balancer');
  const peer = ['peer', 'name', 'eth0', 'netns', client.namespace] as const;
  await balancer.must(['ip', 'link', 'add', 'eth0', 'type', 'veth', ...peer]);
  for (const [end, addresses] of [
    [balancer, clientGateway],
    [client, clientAddress],
  ] as const) {
    for (const address of onLink(addresses)) await end.must(['ip', 'address', 'add', address, 'dev', 'eth0']);
    await end.must(['ip', 'link', 'set', 'eth0', 'up']);
  }
  await client.must(['ip', 'route', 'add', 'default', 'via', clientGateway.ipv4]);
}

export const disturbanceScenarios: readonly Scenario[] = [
  {
    name: 'changes-1000',
    title: 'a thousand changes under load lose no packet of a stream, and a transfer goes on',
    topology: twoArms(),
    forwarding: changed(1),
    needs: ['change', 'process'],
    async play(stage) {
      const { client, balancer, note } = stage;
      const withBalancer = await Session.open(client, clientGateway.ipv4);
      const stream = await Stream.open(client, vip);
      const transfer = download(client, vip, transferBytes);
      // It may fail before the await below; Node would end the process for an unhandled rejection.
      transfer.catch(() => undefined);
      for (let number = 0; number < changes; number++) await balancer.change(changed(number));
      note(`${changes} changes, ${await checkNothingLost(stage, stream)} datagrams, none lost`);
      await transfer;
      await withBalancer.type();
    },
  },
  {
    name: 'crash',
    title: 'after kill -9 under load the director forwards again within seconds, and connections go on',
    topology: twoArms(),
    forwarding: { services: [web, echo, sessions] },
    needs: ['process'],
    async play({ client, balancer, note }) {
      const { sent, lost } = await replaceUnderLoad(client, 1, async () =>
        note(`forwards ${(await balancer.process?.crash())?.toFixed(1)} s after it was killed`),
      );
      note(`${lost.length} of ${sent} datagrams were lost`);
      expect(lost.length < sent, 'the stream did not come back');
    },
  },
  {
    name: 'upgrade',
    title: 'an upgrade under load loses no connection, and packets wait for less than a second',
    topology: twoArms(),
    forwarding: { services: [web, echo, sessions] },
    needs: ['process'],
    async play({ client, balancer, note }) {
      const { sent, lost } = await replaceUnderLoad(client, upgrades, async () => balancer.process?.upgrade());
      note(`${lost.length} of ${sent} datagrams, a thousand a second, were lost in ${upgrades} upgrades`);
      expect(lost.length < upgrades * mostLostInUpgrade, `${lost.length} of ${sent} datagrams were lost`);
    },
  },
  {
    name: 'link-again',
    title: 'when a link of the balancer comes up again, requests are served and old sessions go on',
    topology: twoArms(),
    forwarding: { services: [web, sessions] },
    async play(stage) {
      const { client } = stage;
      const session = await Session.open(client, vip);
      await session.type();
      for (const device of ['eth1', 'eth0']) {
        await takeLinkAway(stage, device);
        await until(`requests are served over ${device}`, backMilliseconds, () => isServed(client, vip));
      }
      checkServices(await whoServes(client, vip, requests), 'ipv4', 'nat');
      await session.type();
    },
  },
  {
    name: 'link-made-anew',
    title: 'when an interface of the balancer is deleted and made again, requests are served and old sessions go on',
    topology: twoArms(),
    forwarding: { services: [web, sessions] },
    needs: ['process'],
    async play(stage) {
      const { client } = stage;
      const session = await Session.open(client, vip);
      await session.type();
      for (let time = 0; time < 2; time++) {
        await stage.host('balancer').must(['ip', 'link', 'delete', 'eth0']);
        expect(!(await isServed(client, vip)), 'requests are served without eth0');
        await makeUplink(stage);
        await until('requests are served over the new eth0', backMilliseconds, () => isServed(client, vip));
      }
      checkServices(await whoServes(client, vip, requests), 'ipv4', 'nat');
      await session.type();
    },
  },
  {
    name: 'stream',
    title: 'a balancer without disturbance loses and duplicates no datagram of a stream',
    topology: twoArms(),
    forwarding: { services: [{ ...echo, servers: [{ address: serverAddress('ipv4', 1) }] }] },
    async play(stage) {
      const stream = await Stream.open(stage.client, vip);
      await whoServes(stage.client, serverAddress('ipv4', 1), requests);
      await checkNothingLost(stage, stream);
    },
  },
];
