// SPDX-License-Identifier: Apache-2.0
// Makes a topology of network namespaces, one for each host or switch. Interfaces, addresses, routes and rules are made in
// these namespaces only, not in the machine's own, so that removing the namespaces removes everything.
//
// A link is a veth pair. A link with faults or a VLAN tag has a relay in its middle: a namespace with an interface of each
// half, between which a program (lab/relay) copies frames. Some kernels have netem for faults. The relay is used on all
// kernels: its random decisions repeat, and there is only one implementation to test.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { relayCommand } from '../relay/relay.ts';
import type { HostDescription, LinkDescription, LinkFaults, TopologyDescription } from './description.ts';
import { Host } from './host.ts';
import { LabError } from './lab-error.ts';
import { makeFolder, namespaceOf, newId, remove } from './run.ts';

/** Sysctls of every host, unless its description changes them. */
const hostSysctls: Sysctls = {
  // Without duplicate address detection addresses are usable at once. A new topology has no duplicates.
  'net/ipv6/conf/all/accept_dad': 0,
  'net/ipv6/conf/default/accept_dad': 0,
  'net/ipv6/conf/all/accept_ra': 0,
  'net/ipv6/conf/default/accept_ra': 0,
  // Virtual addresses make paths asymmetric on purpose.
  'net/ipv4/conf/all/rp_filter': 0,
  'net/ipv4/conf/default/rp_filter': 0,
  // A router with one interface forwards on purpose; redirects would make hosts avoid it.
  'net/ipv4/conf/all/send_redirects': 0,
  'net/ipv4/conf/default/send_redirects': 0,
};

const forwardingSysctls = { 'net/ipv4/ip_forward': 1, 'net/ipv6/conf/all/forwarding': 1 };
/** Switches and relays must not send packets of their own, such as those of IPv6. */
const silentSysctls = { 'net/ipv6/conf/all/disable_ipv6': 1, 'net/ipv6/conf/default/disable_ipv6': 1 };

const defaultMtu = 1500;
/** The relay's own interfaces must carry the longest frame of any link, with its tag. */
const relayMtu = 9216;

/** Bytes of a frame that a capture keeps: all headers, also those that an ICMP error quotes. */
const captureSnapLength = 256;
/** Each link has two capture files of this size in turn, so a long transfer keeps only its end. */
const captureMegabytes = 16;

interface LinkEnd {
  readonly node: string;
  readonly interface: string;
}

export class Topology {
  readonly id: string;
  readonly folder: string;
  readonly description: TopologyDescription;
  readonly #hosts = new Map<string, Host>();

  private constructor(description: TopologyDescription) {
    this.description = description;
    this.id = newId();
    this.folder = makeFolder(this.id);
  }

  /** Makes a topology and starts its services. Removes everything again when a step fails. */
  static async up(description: TopologyDescription): Promise<Topology> {
    if (process.getuid?.() !== 0) throw new LabError('network namespaces need root: run this with sudo');
    const topology = new Topology(description);
    try {
      await topology.#make();
    } catch (error) {
      await topology.down();
      throw error;
    }
    return topology;
  }

  host(name: string): Host {
    const host = this.#hosts.get(name);
    if (host === undefined || !(name in this.description.hosts)) throw new LabError(`the topology has no host ${name}`);
    return host;
  }

  get hostNames(): string[] {
    return Object.keys(this.description.hosts);
  }

  /** Stops all programs and removes the topology. */
  async down(): Promise<void> {
    for (const host of [...this.#hosts.values()].toReversed()) await host.stopPrograms();
    remove(this.id);
  }

  /** Lets this process end while the topology and its programs keep running. */
  release(): void {
    for (const host of this.#hosts.values()) host.release();
  }

  /** Captures every link into files of the topology's folder, until the topology is removed. */
  async capture(): Promise<void> {
    await Promise.all(this.description.links.map(link => this.#captureLink(link)));
  }

  async #captureLink({ between }: LinkDescription): Promise<void> {
    // At the end that is a host, as a host's name says more than a switch's.
    const side = between[0].includes(':') ? 0 : 1;
    const { node, interface: device } = this.#end(between[side], between);
    const file = join(this.folder, `${node}-${device}.pcap`);
    await this.#node(node).startService({
      name: `tcpdump-${device}`,
      command: [
        ...(['tcpdump', '-n', '-U', '--immediate-mode', '-Z', 'root', '-i', device, '-w', file] as const),
        ...['-s', String(captureSnapLength), '-C', String(captureMegabytes), '-W', '2'],
      ],
      ready: { prints: 'listening on' },
    });
  }

  async #make(): Promise<void> {
    const { hosts, switches = [], links } = this.description;
    for (const [name, host] of Object.entries(hosts)) {
      const settings = { ...hostSysctls, ...(host.forwards && forwardingSysctls), ...host.sysctls };
      await this.#addNode(
        name,
        choose(settings, path => !isOfInterface(path)),
      );
    }
    for (const name of switches) {
      await this.#addNode(name, silentSysctls);
      await this.#ip(name, ['link add bridge type bridge stp_state 0 mcast_snooping 0', 'link set bridge up']);
    }
    for (const [index, link] of links.entries()) await this.#addLink(link, index);
    await Promise.all(Object.entries(hosts).map(([name, host]) => this.#configure(name, host)));
    await Promise.all(Object.entries(hosts).map(([name, host]) => this.#startServices(name, host)));
  }

  async #startServices(name: string, { services = [] }: HostDescription): Promise<void> {
    for (const service of services) await this.host(name).startService(service);
  }

  async #addNode(name: string, sysctls: Sysctls): Promise<void> {
    if (!/^[\w~-]+$/.test(name)) throw new LabError(`"${name}" cannot name a host: use letters, digits and hyphens`);
    if (this.#hosts.has(name)) throw new LabError(`two hosts or switches are called ${name}`);
    const made = spawnSync('ip', ['netns', 'add', namespaceOf(this.id, name)], { encoding: 'utf8' });
    if (made.status !== 0) throw new LabError(`the namespace of ${name} cannot be made: ${made.stderr}`);
    this.#hosts.set(name, new Host(this.id, name, this.folder));
    await this.#ip(name, ['link set lo up']);
    await this.#setSysctls(name, sysctls);
  }

  async #addLink(link: LinkDescription, index: number): Promise<void> {
    const first = this.#end(link.between[0], link.between);
    const second = this.#end(link.between[1], link.between);
    const mtu = link.mtu ?? defaultMtu;
    if (link.faults === undefined && link.vlan === undefined) {
      await this.#addVeth(first, second, mtu);
    } else {
      const relay = `relay~${index}`;
      await this.#addNode(relay, silentSysctls);
      await this.#addVeth(first, { node: relay, interface: 'first' }, mtu);
      // The hosts keep `mtu`; only the relay's interfaces need room for the tag.
      await this.#addVeth({ node: relay, interface: 'second' }, second, mtu);
      for (const device of ['first', 'second']) await this.#ip(relay, [`link set ${device} mtu ${relayMtu}`]);
      await this.#startRelay(relay, link);
      if (link.faults !== undefined) await this.#segment([first, second]);
    }
    for (const { node, interface: device } of [first, second]) {
      if (this.description.switches?.includes(node)) await this.#ip(node, [`link set ${device} master bridge`]);
    }
  }

  async #startRelay(node: string, { faults, vlan }: LinkDescription): Promise<void> {
    await this.#node(node).startService({
      name: 'relay',
      command: [relayCommand(), ...relayWords(faults, vlan)],
      ready: { prints: 'ready' },
    });
  }

  /** Without segmentation offload a faulty link loses single packets, not segments of 64 kB. */
  async #segment(ends: readonly LinkEnd[]): Promise<void> {
    for (const { node, interface: device } of ends) {
      await this.#node(node).must(['ethtool', '-K', device, 'tso', 'off', 'gso', 'off']);
    }
  }

  async #addVeth(one: LinkEnd, other: LinkEnd, mtu: number): Promise<void> {
    const peer = `peer name ${other.interface} mtu ${mtu} netns ${namespaceOf(this.id, other.node)}`;
    await this.#ip(one.node, [
      `link add ${one.interface} mtu ${mtu} type veth ${peer}`,
      `link set ${one.interface} up`,
    ]);
    await this.#ip(other.node, [`link set ${other.interface} up`]);
  }

  async #configure(name: string, host: HostDescription): Promise<void> {
    await this.#setSysctls(name, choose(host.sysctls ?? {}, isOfInterface));
    const addresses = Object.entries(host.interfaces).flatMap(([device, list]) =>
      list.map(address => `addr add ${address} dev ${device}${address.includes(':') ? ' nodad' : ''}`),
    );
    const routes = (host.routes ?? []).map(({ to, via }) => {
      const prefix = to === 'default6' ? 'default' : to;
      return `${via.includes(':') ? '-6 ' : ''}route add ${prefix} via ${via}`;
    });
    await this.#ip(name, addresses);
    await this.#ipEach(name, routes);
  }

  #node(name: string): Host {
    const node = this.#hosts.get(name);
    if (node === undefined) throw new LabError(`the topology has no host or switch ${name}`);
    return node;
  }

  #end(text: string, between: LinkDescription['between']): LinkEnd {
    const [node = '', device] = text.split(':');
    this.#node(node);
    // A switch has one port for each link, named after the node at the other end.
    const [far = ''] = (between[0] === text ? between[1] : between[0]).split(':');
    return { node, interface: device ?? far.slice(0, 15) };
  }

  async #ip(node: string, commands: readonly string[]): Promise<void> {
    if (commands.length === 0) return;
    await this.#node(node).must(['ip', '-batch', '-'], { input: `${commands.join('\n')}\n` });
  }

  /** For commands with an option before the object, such as -6: `ip -batch` does not take those. */
  async #ipEach(node: string, commands: readonly string[]): Promise<void> {
    for (const command of commands) await this.#node(node).must(['ip', ...command.split(' ')]);
  }

  async #setSysctls(node: string, sysctls: Sysctls): Promise<void> {
    const rows = Object.entries(sysctls).map(([path, value]) => `${path} ${value}\n`);
    if (rows.length === 0) return;
    const script = 'while read -r path value; do echo "$value" > "/proc/sys/$path" || exit 1; done';
    await this.#node(node).must(['sh', '-c', script], { input: rows.join('') });
  }
}

type Sysctls = Readonly<Record<string, number | string>>;

/**
 * Whether a sysctl belongs to one interface. Such sysctls are set when the interface exists. All others are set before any
 * interface exists, so that new interfaces take their defaults.
 */
function isOfInterface(path: string): boolean {
  return /\/(conf|neigh)\/(?!all\/|default\/)/.test(path);
}

function choose(sysctls: Sysctls, wanted: (path: string) => boolean): Sysctls {
  return Object.fromEntries(Object.entries(sysctls).filter(([path]) => wanted(path)));
}

function relayWords(faults: LinkFaults = {}, vlan?: number): string[] {
  const percent = (value = 0): string => String(Math.round(value * 10_000));
  return [
    ...['first', 'second'],
    ...['--delay-us', String(Math.round((faults.delayMilliseconds ?? 0) * 1000))],
    ...['--loss-ppm', percent(faults.lossPercent)],
    ...['--reorder-ppm', percent(faults.reorderPercent)],
    ...['--duplicate-ppm', percent(faults.duplicatePercent)],
    ...['--rate-kbit', String(Math.round((faults.rateMegabits ?? 0) * 1000))],
    ...['--seed', String(faults.seed ?? 1)],
    ...(vlan === undefined ? [] : ['--vlan', String(vlan)]),
  ];
}
