// SPDX-License-Identifier: Apache-2.0
// The lab of the demo:
//
//   client ── eth0 balancer eth1 ── lan ── r1, r2, r3
//      └───────────── lan
//
// The client has two addresses. Servers send replies to the near address through the balancer, as NAT needs it, and replies
// to the far address directly, as with DR and tunnels.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { nodeProgram } from '../../lab/drivers/node-program.ts';
import { realServer } from '../../lab/drivers/real-server.ts';
import type { HostDescription, TopologyDescription } from '../../lab/topology/description.ts';
import type { Host } from '../../lab/topology/host.ts';
import type { Program } from '../../lab/topology/program.ts';
import type { Topology } from '../../lab/topology/topology.ts';
import { projectRoot } from '../../tools/command.ts';

const near = '10.1.0.2';
const far = '10.4.0.2';

export const services = [
  { mode: 'nat', address: '192.0.2.10', client: near },
  { mode: 'fullnat', address: '192.0.2.11', client: near },
  { mode: 'dr', address: '192.0.2.12', client: far },
  { mode: 'tunnel', address: '192.0.2.13', client: far },
] as const;

const addressOf = (mode: (typeof services)[number]['mode']): string =>
  services.find(service => service.mode === mode)?.address ?? '';

export const failingServer = 'r1';
const servers = [failingServer, 'r2', 'r3'];
const serverAddress = (index: number): string => `10.2.0.${11 + index}`;

const sluice = [process.execPath, join(projectRoot, 'dist/cli/main.js')] as const;

function serverHost(name: string, index: number): HostDescription {
  return {
    interfaces: { lo: [`${addressOf('dr')}/32`], eth0: [`${serverAddress(index)}/24`] },
    routes: [
      { to: 'default', via: '10.2.0.1' },
      { to: '10.4.0.0/24', via: '10.2.0.2' },
    ],
    sysctls: { 'net/ipv4/conf/all/arp_ignore': 1, 'net/ipv4/conf/all/arp_announce': 2 },
    services: [
      realServer(name, []),
      {
        name: 'decap',
        command: [...sluice, 'decap', '--address', `${addressOf('tunnel')}/32`, '--from', 'eth0'],
        ready: { prints: '"msg":"ready"' },
      },
    ],
  };
}

export const description: TopologyDescription = {
  hosts: {
    client: {
      interfaces: { lo: [`${far}/32`], eth0: [`${near}/24`], eth1: ['10.2.0.2/24'] },
      routes: [{ to: '192.0.2.0/24', via: '10.1.0.1' }],
    },
    balancer: {
      interfaces: { eth0: ['10.1.0.1/24'], eth1: ['10.2.0.1/24'] },
      routes: [{ to: '10.4.0.0/24', via: near }],
      forwards: true,
    },
    ...Object.fromEntries(servers.map((name, index) => [name, serverHost(name, index)])),
  },
  switches: ['lan'],
  links: [
    { between: ['client:eth0', 'balancer:eth0'] },
    { between: ['client:eth1', 'lan'] },
    { between: ['balancer:eth1', 'lan'] },
    ...servers.map(name => ({ between: [`${name}:eth0`, 'lan'] as const })),
  ],
};

const sluiceDocument = stringify({
  health: { checks: { web: { http: '/who', interval: 1, retry_interval: 0.5, timeout: 1, fall: 2, rise: 1 } } },
  director: {
    services: services.map(({ mode, address }) => ({
      tcp: `${address}:80`,
      scheduler: 'wlc',
      mode,
      health: 'web',
      ...(mode === 'fullnat' && { pool: 'local' }),
      servers: servers.map((_, index) => ({ server: serverAddress(index) })),
    })),
    pools: { local: ['10.2.0.200'] },
  },
});

export interface Running {
  /** The admin socket. */
  readonly socket: string;
  /** Sends requests to all services; prints how many were answered. */
  readonly requests: Program;
  /** The program of the first real server takes no connections any more, or again. */
  setFailing(isFailing: boolean): Promise<unknown>;
}

/** Starts `sluice run`, then the clients. */
export async function start(topology: Topology): Promise<Running> {
  const balancer: Host = topology.host('balancer');
  const config = join(topology.folder, 'sluice.yaml');
  const socket = join(topology.folder, 'sluice.sock');
  writeFileSync(config, sluiceDocument);
  await balancer.startService({
    name: 'sluice',
    command: [...sluice, 'run', '-c', config, '--socket', socket, '--state', join(topology.folder, 'state')],
    ready: { prints: '"msg":"ready"' },
  });
  const pairs = services.map(({ client, address }) => `${client}@${address}`);
  const requests = topology.host('client').start('requests', nodeProgram('requests', ...pairs, ...pairs));
  const failing = topology.host(failingServer);
  const setFailing = (isFailing: boolean): Promise<unknown> =>
    failing.must(['curl', '-sS', `http://127.0.0.1:8006/fault?kind=${isFailing ? 'refuse' : 'none'}`]);
  return { socket, requests, setFailing };
}
