// SPDX-License-Identifier: Apache-2.0
// The hosts between which the path is measured:
//
//   client ── eth0 balancer eth1 ── server          through: replies come back through the balancer
//      └─────────── direct ───────────┘             direct: replies take this link, as in DR and TUN
import { join } from 'node:path';
import { iperfServer } from '../../lab/drivers/iperf.ts';
import type { HostDescription, TopologyDescription } from '../../lab/topology/description.ts';
import type { Host } from '../../lab/topology/host.ts';
import { Topology } from '../../lab/topology/topology.ts';
import { projectRoot } from '../../tools/command.ts';
import { buildFolder } from '../programs.ts';

export const virtualAddress = '192.0.2.10';
export const balancerAddress = '10.1.0.1';
export const serverAddress = '10.2.0.11';
/** The source address of FULLNAT. */
export const localAddress = '10.2.0.200';
/**
 * The destination of floods. Its MAC address belongs to no host: the server's interface receives the packets and its stack
 * drops them at once. So receiving costs little, and the same for every subject.
 */
export const floodAddress = '10.2.0.99';
const nobodyMac = '02:00:00:00:00:99';

export const floodPort = 9000;
export const webPort = 80;

/** Clients and servers run on the first CPU. A balancer that is a process runs on the last. */
export const endsCpu = 0;

export type ReplyPath = 'through' | 'direct';

export function program(name: string): string {
  return join(projectRoot, 'out', buildFolder, 'native', name);
}

export function pinned(cpu: number, command: readonly [string, ...string[]]): [string, ...string[]] {
  return ['taskset', '-c', String(cpu), ...command];
}

/** Thousands of short connections need thousands of ports. */
const manyPorts = { 'net/ipv4/ip_local_port_range': '1024 65535' };

function server(replies: ReplyPath): HostDescription {
  return {
    interfaces: {
      eth0: [`${serverAddress}/24`],
      direct: ['10.3.0.11/24'],
      ...(replies === 'direct' && { lo: [`${virtualAddress}/32`] }),
    },
    routes: [{ to: 'default', via: replies === 'direct' ? '10.3.0.2' : '10.2.0.1' }],
    services: [
      iperfServer,
      {
        name: 'web',
        command: pinned(endsCpu, [program('path_web_bench'), 'serve', `port=${webPort}`]),
        ready: { prints: 'ready' },
      },
    ],
  };
}

function description(replies: ReplyPath): TopologyDescription {
  return {
    hosts: {
      client: {
        interfaces: { eth0: ['10.1.0.2/24'], direct: ['10.3.0.2/24'] },
        routes: [{ to: 'default', via: balancerAddress }],
        sysctls: manyPorts,
      },
      balancer: {
        interfaces: { eth0: [`${balancerAddress}/24`], eth1: ['10.2.0.1/24'] },
        sysctls: manyPorts,
        forwards: true,
      },
      server: server(replies),
    },
    links: [
      { between: ['client:eth0', 'balancer:eth0'] },
      { between: ['balancer:eth1', 'server:eth0'] },
      { between: ['client:direct', 'server:direct'] },
    ],
  };
}

export interface Stage {
  readonly client: Host;
  readonly balancer: Host;
  readonly server: Host;
  /** The MAC address of the balancer's interface to the client. */
  readonly gatewayMac: string;
  readonly clientMac: string;
  down(): Promise<void>;
}

export async function macOf(host: Host, device: string): Promise<string> {
  const [link]: { address: string }[] = JSON.parse(await host.must(['ip', '-json', 'link', 'show', device]));
  return link?.address ?? '';
}

export const floodMac = nobodyMac;

export async function raise(replies: ReplyPath): Promise<Stage> {
  const topology = await Topology.up(description(replies));
  const [client, balancer, real] = ['client', 'balancer', 'server'].map(name => topology.host(name));
  if (client === undefined || balancer === undefined || real === undefined) throw new Error('a host is missing');
  const neighbour = [
    'ip',
    'neigh',
    'add',
    floodAddress,
    'lladdr',
    nobodyMac,
    'dev',
    'eth1',
    'nud',
    'permanent',
  ] as const;
  await balancer.must([...neighbour]);
  return {
    ...{ client, balancer, server: real },
    gatewayMac: await macOf(balancer, 'eth0'),
    clientMac: await macOf(client, 'eth0'),
    down: () => topology.down(),
  };
}
