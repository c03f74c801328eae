// SPDX-License-Identifier: Apache-2.0
// A real server that is the balancer's own host (LocalNode), by the modes that translate: as the only server, and as
// the last one, the sorry server. Whoever reaches the same program without the balancer notices nothing of it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Mode, VirtualService } from '../balancers/balancer.ts';
import { Session } from '../drivers/session.ts';
import { udpError, whoEchoes } from '../drivers/udp-echo.ts';
import { download, finishDownload, startDownload, upload, whoServes } from '../drivers/web.ts';
import { content } from '../programs/content.ts';
import { balancerAddress, clientAddress, type Family, virtualAddress } from './addresses.ts';
import { checkServices, families, service } from './modes.ts';
import { expect, type Scenario, type Stage } from './scenario.ts';
import { twoArms } from './topologies.ts';

const requests = 10;
const smallTransfer = 64 * 1024;
/** More than the buffers on the way hold: the transfer is still there when something has changed. */
const largeTransfer = 50_000_000;
/** One packet, and several fragments. */
const datagramBytes = [1000, 8000];

const topology = twoArms({ balancerEchoes: true });

type Translating = Extract<Mode, 'nat' | 'fullnat'>;
const translating: readonly Translating[] = ['nat', 'fullnat'];

/** The service on the balancer's host alone. */
function local(protocol: 'tcp' | 'udp', family: Family, mode: Mode, port?: number): VirtualService {
  return { ...service(protocol, family, mode, port), servers: [{ address: balancerAddress[family] }] };
}

function servicesOf(family: Family, mode: Mode): VirtualService[] {
  return [local('tcp', family, mode), local('tcp', family, mode, 7), local('udp', family, mode)];
}

async function checkLocal({ client }: Stage, family: Family, mode: Mode): Promise<void> {
  for (const { server, client: seen } of await whoServes(client, virtualAddress[family], requests)) {
    expect(server === 'balancer', `served by ${server}`);
    expect((seen === clientAddress[family]) === (mode === 'nat'), `in mode ${mode} the server saw ${seen}`);
  }
  for (const { server, client: seen } of await whoServes(client, balancerAddress[family], requests)) {
    expect(server === 'balancer' && seen === clientAddress[family], `without the balancer ${server} saw ${seen}`);
  }
}

async function transferBothWays({ client }: Stage, address: string): Promise<void> {
  const file = join(client.folder, 'content');
  writeFileSync(file, Buffer.concat([...content(smallTransfer)]));
  await download(client, address, smallTransfer);
  await upload(client, address, file, smallTransfer);
}

async function playAlone(stage: Stage, family: Family, mode: Mode): Promise<void> {
  const { client, balancer, note } = stage;
  const addresses = [virtualAddress[family], balancerAddress[family]];
  await checkLocal(stage, family, mode);
  for (const address of addresses) {
    await transferBothWays(stage, address);
    for (const bytes of datagramBytes) await whoEchoes(client, address, bytes, requests);
  }
  const sessions = await Promise.all(addresses.map(address => Session.open(client, address)));
  const transfers = addresses.map(address => startDownload(client, address, largeTransfer));
  for (const session of sessions) await session.type();
  note(`forwards ${(await balancer.process?.crash())?.toFixed(1)} s after it was killed`);
  for (const session of sessions) await session.type();
  for (const transfer of transfers) await finishDownload(transfer, largeTransfer);
  await checkLocal(stage, family, mode);
  for (const address of addresses) await transferBothWays(stage, address);
}

async function playLast(stage: Stage, mode: Mode): Promise<void> {
  const usual = service('tcp', 'ipv4', mode);
  const met = async () => whoServes(stage.client, virtualAddress.ipv4, 3 * requests);
  checkServices(await met(), 'ipv4', mode);
  const session = await Session.open(stage.client, balancerAddress.ipv4);
  await stage.balancer.change({ services: [local('tcp', 'ipv4', mode)] });
  await checkLocal(stage, 'ipv4', mode);
  await session.type();
  await stage.balancer.change({ services: [usual] });
  checkServices(await met(), 'ipv4', mode);
  await session.type();
}

const alone: readonly Scenario[] = translating.flatMap(mode =>
  families.map(family => ({
    name: `local-${mode}-${family}`,
    title:
      'the host of the balancer is the only server: transfers, datagrams and fragments arrive, connections outlive ' +
      'kill -9, and who asks the same program directly notices nothing',
    topology,
    forwarding: { services: servicesOf(family, mode), workers: 2 },
    needs: ['process'] as const,
    play: (stage: Stage) => playAlone(stage, family, mode),
  })),
);

const last: readonly Scenario[] = translating.map(mode => ({
  name: `local-${mode}-sorry`,
  title: 'the host of the balancer takes over when no other server is left, and gives way again',
  topology,
  forwarding: { services: [service('tcp', 'ipv4', mode)] },
  needs: ['change', 'process'] as const,
  play: (stage: Stage) => playLast(stage, mode),
}));

/** Nobody listens to the port. */
const unreachable: readonly Scenario[] = translating.flatMap(mode =>
  families.map(family => ({
    name: `local-${mode}-unreachable-${family}`,
    title: "what the host's stack says of a port without a program reaches the client, from the virtual address",
    topology: twoArms(),
    forwarding: { services: [local('udp', family, mode)] },
    needs: ['process'] as const,
    async play({ client }: Stage) {
      const error = await udpError(client, virtualAddress[family]);
      expect(error === 'ECONNREFUSED', `the client heard ${error ?? 'nothing'} instead of ECONNREFUSED`);
    },
  })),
);

export const localNodeScenarios: readonly Scenario[] = [...alone, ...last, ...unreachable];
