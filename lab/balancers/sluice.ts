// SPDX-License-Identifier: Apache-2.0
// Sluice as a balancer, started as an administrator starts it: `sluice run` in the balancer's namespace.
import { existsSync, writeFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Status } from '../../src/cli/status.ts';
import type { TargetAnswer } from '../../src/health/api.ts';
import { sluiceCommand as sluice } from '../drivers/decap.ts';
import type { Host } from '../topology/host.ts';
import { LabError } from '../topology/lab-error.ts';
import type { Program } from '../topology/program.ts';
import { until } from '../topology/until.ts';
import type {
  Balancer,
  BalancerProcess,
  Encapsulation,
  Forwarding,
  RunningBalancer,
  VirtualService,
} from './balancer.ts';

const addon = process.env.SLUICE_ADDON ?? join(import.meta.dirname, '../../build/Release/sluice.node');

/** The sources of FULLNAT: addresses on the servers' side that are free in every topology. */
const localAddresses: readonly string[] = ['10.2.0.200', 'fd00:2::200'];

const endpoint = (address: string, port: number): string => `${isIPv6(address) ? `[${address}]` : address}:${port}`;

/** IANA's port for GUE; `sluice decap` listens on it. */
const guePort = 6080;

function tunnelDocument(type: Encapsulation): object {
  return type === 'gue' ? { type, port: guePort } : { type };
}

/** The firewall mark of a service of grouped ports. A scenario has at most one such service for each family. */
const groupMark = 1;

const namesService = ({ protocol, address, port, groupedPorts }: VirtualService): object =>
  groupedPorts === undefined
    ? { [protocol]: endpoint(address, port) }
    : { mark: groupMark, family: isIPv6(address) ? 'ipv6' : 'ipv4', persistence: 300 };

function serviceDocument(service: VirtualService): object {
  const { mode, servers, encapsulation, tellsClient, proxyProtocol, synProxy, health } = service;
  const takesPool = [mode, ...servers.map(server => server.mode)].includes('fullnat');
  return {
    ...namesService(service),
    scheduler: 'wrr',
    mode,
    ...(takesPool && { pool: 'local' }),
    ...(tellsClient && { client_address: 'toa' }),
    ...(proxyProtocol && { proxy_protocol: 'v2' }),
    ...(synProxy && { syn_proxy: 'on' }),
    ...(health !== undefined && { health }),
    servers: servers.map(server => ({
      server: server.address,
      weight: server.weight ?? 1,
      ...(server.mode !== undefined && { mode: server.mode }),
      ...(encapsulation !== undefined && { tunnel: tunnelDocument(encapsulation) }),
    })),
  };
}

function marksOf({ groupedPorts = [], address, protocol }: VirtualService): object[] {
  return groupedPorts.map(ports => ({ mark: groupMark, destination: address, protocol, ports }));
}

/** A sluice.yaml for these devices. */
export function sluiceDocument(forwarding: Forwarding, devices: readonly string[]): string {
  const { services, sourceNat, uplinkVlan, xdp = [], checks } = forwarding;
  const port = (device: string) => ({
    ...(device === 'eth0' && uplinkVlan !== undefined && { vlan: uplinkVlan }),
    ...(xdp.includes(device) && { type: 'xdp' }),
  });
  const pools = {
    local: localAddresses,
    ...(sourceNat !== undefined && { public: [sourceNat.address] }),
  };
  return stringify({
    ...(checks !== undefined && { health: { checks } }),
    director: {
      ports: Object.fromEntries(devices.map(device => [device, port(device)])),
      services: services.map(serviceDocument),
      marks: services.flatMap(marksOf),
      pools,
      ...(sourceNat !== undefined && { egress: { inside: { sources: [sourceNat.inside], pool: 'public' } } }),
    },
  });
}

async function devicesOf(host: Host): Promise<string[]> {
  const links: { ifname: string }[] = JSON.parse(await host.must(['ip', '-json', 'link']));
  return links.map(link => link.ifname).filter(name => name !== 'lo');
}

/** The supervisor gives its processes half of it. */
const stopMilliseconds = 60_000;

/** `sluice run`. */
class SluiceProcess implements RunningBalancer, BalancerProcess {
  readonly process = this;
  readonly #host: Host;
  readonly #devices: readonly string[];
  readonly #file: string;
  readonly #socket: string;
  readonly #program: Program;
  /** The supervisor that has taken over from the program. */
  #next: number | undefined;

  constructor(host: Host, devices: readonly string[], forwarding: Forwarding) {
    this.#host = host;
    this.#devices = devices;
    this.#file = join(host.folder, `${host.name}-sluice.yaml`);
    this.#write(forwarding);
    // Not the default path: network namespaces share the machine's file system.
    this.#socket = join(host.folder, `${host.name}-sluice.sock`);
    const words = ['-c', this.#file, '--socket', this.#socket, '--workers', String(forwarding.workers ?? 1)];
    const { stealing } = forwarding;
    const way = stealing === undefined ? [] : ['--stealing', stealing];
    this.#program = host.start('sluice', [
      ...sluice,
      'run',
      ...words,
      ...way,
      '--state',
      join(host.folder, `${host.name}-state`),
    ]);
  }

  async ready(): Promise<void> {
    await this.#program.ready({ prints: '"msg":"ready"' });
  }

  async change(forwarding: Forwarding): Promise<void> {
    this.#write(forwarding);
    const from = this.#program.stderr.length;
    this.#program.kill('SIGHUP');
    await this.#program.logs('"msg":"configuration applied"', from);
  }

  cpuSeconds(): number {
    return this.#program.cpuSeconds();
  }

  async portTypes(): Promise<Record<string, string>> {
    const { director } = await this.#status();
    const ports = director?.ports ?? [];
    return Object.fromEntries(ports.map(({ device, type }) => [device, type]));
  }

  async killProcess(name: string): Promise<void> {
    const { processes } = await this.#status();
    const pid = processes.find(each => each.name === name)?.pid;
    if (pid === undefined) throw new LabError(`sluice status names no process of ${name}`);
    process.kill(pid, 'SIGKILL');
  }

  async down(): Promise<Record<string, string>> {
    const printed = await this.#host.must([...sluice, 'health', '--down', '--json', '--socket', this.#socket]);
    const rows: TargetAnswer[] = JSON.parse(printed);
    return Object.fromEntries(
      rows.map(({ target, checks }) => [target, checks.map(({ last }) => last?.detail ?? '').join('; ')]),
    );
  }

  async crash(): Promise<number> {
    const from = this.#program.stderr.length;
    const began = performance.now();
    await this.killProcess('director');
    await this.#program.logs('"msg":"ready"', from);
    return (performance.now() - began) / 1000;
  }

  async upgrade(): Promise<void> {
    const printed = await this.#host.must([...sluice, 'upgrade', '--json', '--socket', this.#socket]);
    this.#next = Number(JSON.parse(printed).pid);
    await this.#ended();
  }

  async stop(): Promise<void> {
    const next = this.#next;
    if (next === undefined) {
      this.#program.kill('SIGTERM');
      await this.#ended();
      return;
    }
    process.kill(next, 'SIGTERM');
    await until('the supervisor ends', stopMilliseconds, () => !existsSync(`/proc/${next}`));
  }

  async #ended(): Promise<void> {
    const { status } = await this.#program.ending;
    if (status !== 0) throw new LabError(`sluice run ended with ${status}`);
  }

  async kill(): Promise<void> {
    // A stopped parent cannot start a child again meanwhile.
    this.#program.kill('SIGSTOP');
    for (const pid of this.#program.children()) process.kill(pid, 'SIGKILL');
    this.#program.kill('SIGKILL');
    await this.#program.ending;
  }

  async clean(): Promise<void> {
    await this.#host.must([...sluice, 'clean']);
  }

  async #status(): Promise<Status> {
    return JSON.parse(await this.#host.must([...sluice, 'status', '--json', '--socket', this.#socket]));
  }

  #write(forwarding: Forwarding): void {
    writeFileSync(this.#file, sluiceDocument(forwarding, this.#devices));
  }
}

export const sluiceBalancer: Balancer = {
  name: 'sluice',
  modes: ['nat', 'fullnat', 'dr', 'tunnel'],
  abilities: [
    'change',
    'snat',
    'fragments',
    'icmpv6-errors',
    'vlan',
    'mixed',
    'answers',
    'toa',
    'proxy-protocol',
    'syn-proxy',
    'process',
    'groups',
    'health',
  ],
  unavailable: () => ([addon, sluice[1]].every(existsSync) ? undefined : 'it is not built: run `npm run build`'),
  async start(host, forwarding) {
    const running = new SluiceProcess(host, await devicesOf(host), forwarding);
    await running.ready();
    return running;
  },
};
