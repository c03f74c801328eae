// SPDX-License-Identifier: Apache-2.0
// The forwarders that are compared, and how each is started on the balancer's host.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { takeAddress } from '../../lab/balancers/kernel-ipvs.ts';
import { buildRawSocket } from '../../lab/drivers/inject.ts';
import { iperfPort } from '../../lab/drivers/iperf.ts';
import { hasIpvs } from '../../lab/kernel.ts';
import { LabError } from '../../lab/topology/lab-error.ts';
import type { Status } from '../../src/cli/status.ts';
import { projectRoot } from '../../tools/command.ts';
import {
  balancerAddress,
  floodAddress,
  floodMac,
  floodPort,
  localAddress,
  pinned,
  program,
  type ReplyPath,
  type Stage,
  serverAddress,
  virtualAddress,
  webPort,
} from './stage.ts';

export type Measure = 'packets' | 'bulk' | 'connections' | 'latency' | 'idle' | 'memory';

export interface Subject {
  readonly name: string;
  readonly replies: ReplyPath;
  readonly measures: readonly Measure[];
  /** The addresses to which clients send: TCP requests, and the flood of UDP. */
  readonly target: { readonly tcp: string; readonly udp: string };
  /** Additional arguments of the packet generator. */
  readonly flood?: readonly string[];
  /** Whether this machine supports it; always, if this function is missing. */
  isAvailable?(): boolean;
  /** Resolves when it forwards. The returned function stops it. */
  start(stage: Stage): Promise<() => Promise<void>>;
}

/** Limits the packets that are under way: the buffer of an ordinary socket holds only 277 small ones. */
const fewerUnderWay = ['window=128'];

const lastCpu = availableParallelism() - 1;
const sluice = [process.execPath, join(projectRoot, 'dist/cli/main.js')] as const;

async function startProgram(
  { balancer }: Stage,
  name: string,
  command: readonly [string, ...string[]],
  ready: { prints: string } | { listens: `tcp:${number}` },
): Promise<() => Promise<void>> {
  const running = await balancer.startService({ name, command: [...command], ready });
  return () => running.stop();
}

function file({ balancer }: Stage, name: string, content: string): string {
  const path = join(balancer.folder, name);
  writeFileSync(path, content);
  return path;
}

const bare: Subject = {
  name: 'bare forwarder',
  replies: 'through',
  measures: ['packets'],
  target: { tcp: serverAddress, udp: floodAddress },
  async start(stage) {
    await stage.balancer.must(['tee', '/proc/sys/net/ipv4/ip_forward'], { input: '0' });
    const forward = ['forward', 'in=eth0', `in_mac=${stage.clientMac}`, 'out=eth1', `out_mac=${floodMac}`] as const;
    const stop = await startProgram(stage, 'bare', pinned(lastCpu, [program('path_packets_bench'), ...forward]), {
      prints: 'ready',
    });
    return async () => {
      await stop();
      await stage.balancer.must(['tee', '/proc/sys/net/ipv4/ip_forward'], { input: '1' });
    };
  },
};

const kernel: Subject = {
  name: 'kernel forwarding',
  replies: 'through',
  measures: ['packets', 'bulk', 'connections', 'latency'],
  target: { tcp: serverAddress, udp: floodAddress },
  start: async () => async () => undefined,
};

const nftables: Subject = {
  name: 'nftables DNAT',
  replies: 'through',
  measures: ['packets', 'bulk', 'connections', 'latency'],
  target: { tcp: virtualAddress, udp: virtualAddress },
  async start({ balancer }) {
    const rules = `table ip bench {
  chain prerouting {
    type nat hook prerouting priority dstnat;
    ip daddr ${virtualAddress} udp dport ${floodPort} dnat to ${floodAddress}
    ip daddr ${virtualAddress} tcp dport { ${webPort}, ${iperfPort} } dnat to ${serverAddress}
  }
}
`;
    await balancer.must(['nft', '-f', '-'], { input: rules });
    return async () => {
      await balancer.must(['nft', 'delete', 'table', 'ip', 'bench']);
    };
  },
};

const ipvs: Subject = {
  name: 'kernel IPVS',
  replies: 'through',
  measures: ['packets', 'bulk', 'connections', 'latency'],
  target: { tcp: virtualAddress, udp: virtualAddress },
  isAvailable: hasIpvs,
  async start({ balancer }) {
    await takeAddress(balancer, virtualAddress);
    const rules = [
      ...[`-A -u ${virtualAddress}:${floodPort} -s rr`, `-a -u ${virtualAddress}:${floodPort} -r ${floodAddress} -m`],
      ...[webPort, iperfPort].flatMap(port => [
        `-A -t ${virtualAddress}:${port} -s rr`,
        `-a -t ${virtualAddress}:${port} -r ${serverAddress} -m`,
      ]),
    ];
    await balancer.must(['ipvsadm', '-R'], { input: `${rules.join('\n')}\n` });
    return async () => {
      await balancer.must(['ipvsadm', '-C']);
      await balancer.must(['ip', 'address', 'delete', `${virtualAddress}/32`, 'dev', 'lo']);
    };
  },
};

const haproxy: Subject = {
  name: 'HAProxy',
  replies: 'through',
  measures: ['connections'],
  target: { tcp: balancerAddress, udp: balancerAddress },
  start(stage) {
    const config = file(
      stage,
      'haproxy.cfg',
      `global
  maxconn 4096
  nbthread 1
defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen web
  bind ${balancerAddress}:${webPort}
  server real ${serverAddress}:${webPort}
`,
    );
    return startProgram(stage, 'haproxy', pinned(lastCpu, ['haproxy', '-db', '-f', config]), {
      listens: `tcp:${webPort}`,
    });
  },
};

const nginx: Subject = {
  name: 'nginx stream',
  replies: 'through',
  flood: fewerUnderWay,
  measures: ['packets', 'connections'],
  target: { tcp: balancerAddress, udp: balancerAddress },
  start(stage) {
    const config = file(
      stage,
      'nginx.conf',
      `load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
pid ${join(stage.balancer.folder, 'nginx.pid')};
error_log stderr warn;
worker_processes 1;
events { worker_connections 8192; }
stream {
  server { listen ${balancerAddress}:${webPort} backlog=4096; proxy_pass ${serverAddress}:${webPort}; }
  server { listen ${balancerAddress}:${floodPort} udp; proxy_pass ${floodAddress}:${floodPort}; proxy_timeout 5s; }
}
`,
    );
    return startProgram(stage, 'nginx', pinned(lastCpu, ['nginx', '-c', config]), { listens: `tcp:${webPort}` });
  },
};

const rawSocket: Subject = {
  name: 'raw-socket (npm)',
  replies: 'through',
  measures: ['packets'],
  target: { tcp: balancerAddress, udp: balancerAddress },
  start(stage) {
    buildRawSocket();
    const script = fileURLToPath(new URL('naive-forwarder.ts', import.meta.url));
    const words = [script, balancerAddress, String(floodPort), floodAddress];
    const command = [process.execPath, `--import=${import.meta.resolve('tsx')}`, ...words] as const;
    return startProgram(stage, 'raw-socket', pinned(lastCpu, [...command]), { prints: 'ready' });
  },
};

export function adminSocket({ balancer }: Stage): string {
  return join(balancer.folder, 'sluice.sock');
}

/** After this time the standby process has loaded its code; it runs on the same CPU. */
const settlingMilliseconds = 3000;

type Mode = 'nat' | 'fullnat' | 'dr' | 'tunnel';

type PortType = 'packet' | 'xdp';

function sluiceDocument(mode: Mode, type: PortType): string {
  const service = (protocol: 'tcp' | 'udp', port: number, server: string) => ({
    [protocol]: `${virtualAddress}:${port}`,
    scheduler: 'rr',
    mode,
    ...(mode === 'fullnat' && { pool: 'local' }),
    servers: [{ server }],
  });
  return stringify({
    director: {
      ports: { eth0: { type }, eth1: { type } },
      services: [
        service('udp', floodPort, floodAddress),
        service('tcp', webPort, serverAddress),
        service('tcp', iperfPort, serverAddress),
      ],
      pools: { local: [localAddress] },
    },
  });
}

interface SluiceOptions {
  readonly workers?: 1 | 2;
  readonly ports?: PortType;
}

async function startSluice(
  stage: Stage,
  mode: Mode,
  { workers = 1, ports = 'packet' }: SluiceOptions,
): Promise<() => Promise<void>> {
  const config = file(stage, `sluice-${mode}.yaml`, sluiceDocument(mode, ports));
  const words = ['run', '-c', config, '--socket', adminSocket(stage), '--workers', String(workers)];
  const command = [...sluice, ...words] as const;
  // Sluice pins several workers itself.
  const stop = await startProgram(stage, 'sluice', workers === 1 ? pinned(lastCpu, [...command]) : [...command], {
    prints: '"msg":"ready"',
  });
  await delay(settlingMilliseconds);
  if (mode !== 'tunnel') return stop;
  const decap = await stage.server.startService({
    name: 'decap',
    command: [...sluice, 'decap', '--address', `${virtualAddress}/32`, '--from', 'eth0'],
    ready: { prints: '"msg":"ready"' },
  });
  return async () => {
    await decap.stop();
    await stop();
  };
}

function sluiceSubject(name: string, mode: Mode, measures: readonly Measure[], options: SluiceOptions = {}): Subject {
  return {
    name,
    replies: mode === 'dr' || mode === 'tunnel' ? 'direct' : 'through',
    measures,
    target: { tcp: virtualAddress, udp: virtualAddress },
    start: stage => startSluice(stage, mode, options),
  };
}

/** In the order of a round: subjects that are compared with each other follow each other. */
export const subjects: readonly Subject[] = [
  bare,
  sluiceSubject('Sluice NAT', 'nat', ['packets', 'bulk', 'connections', 'latency', 'idle', 'memory']),
  ipvs,
  nftables,
  kernel,
  sluiceSubject('Sluice FULLNAT', 'fullnat', ['packets', 'bulk', 'connections']),
  haproxy,
  nginx,
  sluiceSubject('Sluice DR', 'dr', ['packets', 'bulk', 'connections']),
  sluiceSubject('Sluice TUN', 'tunnel', ['packets', 'bulk', 'connections']),
  sluiceSubject('Sluice NAT, two workers', 'nat', ['packets'], { workers: 2 }),
  sluiceSubject('Sluice NAT, AF_XDP', 'nat', ['packets', 'bulk', 'latency'], { ports: 'xdp' }),
  rawSocket,
];

/** The number of the director's process, which forwards. */
export function directorPid(stage: Stage): number {
  const asked = spawnSync(sluice[0], [sluice[1], 'status', '--json', '--socket', adminSocket(stage)], {
    encoding: 'utf8',
    maxBuffer: Number.POSITIVE_INFINITY,
  });
  const { processes }: Status = JSON.parse(asked.stdout);
  const pid = processes.find(({ name }) => name === 'director')?.pid;
  if (pid === undefined) throw new LabError('sluice status names no process of the director');
  return pid;
}
