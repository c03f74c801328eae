// SPDX-License-Identifier: Apache-2.0
// Every forwarding mode, for every family and protocol: all servers are used, each sees the source that its mode promises,
// and content arrives unchanged.
import type { Mode, VirtualService } from '../balancers/balancer.ts';
import { whoEchoes } from '../drivers/udp-echo.ts';
import { download, whoServes } from '../drivers/web.ts';
import type { Service } from '../programs/service.ts';
import type { TopologyDescription } from '../topology/description.ts';
import { clientAddress, type Family, serverAddress, serverNames, virtualAddress } from './addresses.ts';
import { expect, type Scenario, type Stage } from './scenario.ts';
import { oneArm, twoArms } from './topologies.ts';

export const families: readonly Family[] = ['ipv4', 'ipv6'];
export const modes: readonly Mode[] = ['nat', 'fullnat', 'dr', 'tunnel'];
const protocols = ['tcp', 'udp'] as const;

/** Enough for a hash of ports to choose all three servers: one is missed in only one of ten thousand runs. */
const requests = 30;
const transferBytes = 10_000_000;
/** A datagram of this size fits into one packet on any link. */
const datagramBytes = 1000;

/** A service on all three servers; web or echo by its protocol. */
export function service(protocol: 'tcp' | 'udp', family: Family, mode: Mode, port = ports[protocol]): VirtualService {
  const servers = serverNames.map((_, index) => ({ address: serverAddress(family, index + 1) }));
  return { protocol, address: virtualAddress[family], port, mode, servers };
}

const ports = { tcp: 80, udp: 7 };

/** Fails unless all servers were reached and each saw the client's address, or in FULLNAT another address. */
export function checkServices(services: readonly Service[], family: Family, mode: Mode): void {
  const met = [...new Set(services.map(({ server }) => server))].sort();
  expect(met.join() === serverNames.join(), `of r1, r2 and r3 the client reached ${met.join(', ') || 'none'}`);
  for (const { server, client } of services) {
    const isClient = client === clientAddress[family];
    expect(isClient === (mode !== 'fullnat'), `in mode ${mode} ${server} saw ${client} as its client`);
  }
}

const plays: Record<(typeof protocols)[number], (stage: Stage, family: Family, mode: Mode) => Promise<void>> = {
  async tcp({ client }, family, mode) {
    checkServices(await whoServes(client, virtualAddress[family], requests), family, mode);
    await download(client, virtualAddress[family], transferBytes);
  },
  async udp({ client }, family, mode) {
    checkServices(await whoEchoes(client, virtualAddress[family], datagramBytes, requests), family, mode);
  },
};

const titles = {
  tcp: 'requests reach all servers, and 10 MB arrive unchanged',
  udp: 'datagrams reach all servers and come back unchanged',
};

const onHost: readonly Scenario[] = families.map(family => ({
  name: `address-on-host-${family}`,
  title: 'requests reach the servers, though the host of the balancer has the virtual address and serves the same port',
  topology: twoArms({ virtualAddressOnHost: true }),
  forwarding: { services: [service('tcp', family, 'nat')] },
  play: (stage: Stage) => plays.tcp(stage, family, 'nat'),
}));

export const topologies: Record<Mode, TopologyDescription> = {
  nat: twoArms(),
  fullnat: twoArms(),
  dr: oneArm(),
  tunnel: oneArm({ tunnels: true }),
};

/** The encapsulations other than IPIP, the default of mode tunnel. */
const otherTunnels: readonly Scenario[] = (['gre', 'gue'] as const).map(encapsulation => ({
  name: `tunnel-${encapsulation}`,
  title: titles.tcp,
  topology: topologies.tunnel,
  forwarding: { services: [{ ...service('tcp', 'ipv4', 'tunnel'), encapsulation }] },
  play: (stage: Stage) => plays.tcp(stage, 'ipv4', 'tunnel'),
}));

const everyMode: readonly Scenario[] = modes.flatMap(mode =>
  families.flatMap(family =>
    protocols.map(protocol => ({
      name: `${mode}-${family}-${protocol}`,
      title: titles[protocol],
      topology: topologies[mode],
      forwarding: { services: [service(protocol, family, mode)] },
      play: (stage: Stage) => plays[protocol](stage, family, mode),
    })),
  ),
);

export const modeScenarios: readonly Scenario[] = [...everyMode, ...otherTunnels, ...onHost];
