// SPDX-License-Identifier: Apache-2.0
// Scenarios: the text that a person writes, and what it means. docs/oracle.md describes the grammar.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { ConfigError } from '../../src/core/errors.ts';
import { ethernetFrame, etherType, formatAddress, parseAddress, parseMac } from '../../src/wire/ip-packet.ts';
import { type Described, takePacket } from '../../src/wire/packet-language.ts';
import { type Place, Words } from '../../src/wire/words.ts';

export const portNames = ['c0', 's0'] as const;
export type PortName = (typeof portNames)[number];

export interface Port {
  mac: string;
  mtu: number;
}

export interface FirewallMark {
  readonly mark: number;
  readonly protocol: string | undefined;
  readonly destination: string;
  readonly ports: string | undefined; // "80" or "80-90"
}

// The network around the director: its ports and addresses, its neighbours, the host's routes, firewall marks and sysctls.
export interface ScenarioTopology {
  readonly ports: Record<PortName, Port>;
  addresses: { readonly port: PortName; readonly prefix: string }[];
  neighbours: { readonly port: PortName; readonly address: string; readonly mac: string }[];
  routes: { readonly to: string; readonly via: string | undefined; readonly port: PortName }[];
  locals: string[]; // prefixes that the host delivers to itself
  marks: FirewallMark[];
  sysctls: { readonly name: string; readonly value: string }[];
  // True: Sluice's host has the virtual addresses, too. False: only the director has them. The kernel's host always has them.
  isShared: boolean;
}

export const showCommands = {
  connections: 'ipvsadm -Lnc',
  services: 'ipvsadm -Ln',
  stats: 'ipvsadm -Ln --stats',
  thresholds: 'ipvsadm -Ln --thresholds',
  persistence: 'ipvsadm -Ln --persistent-conn',
  timeouts: 'ipvsadm -Ln --timeout',
  rules: 'ipvsadm -Sn',
} as const;
export type ShowView = keyof typeof showCommands;

export type Action =
  | { readonly kind: 'frames'; readonly port: PortName; readonly frames: readonly Uint8Array[] }
  | { readonly kind: 'command'; readonly command: string }
  | { readonly kind: 'sysctl'; readonly name: string; readonly value: string }
  | { readonly kind: 'show'; readonly view: ShowView }
  | { readonly kind: 'wait' };

export interface Step {
  readonly line: number;
  readonly text: string;
  readonly timeNs: bigint; // when the step happens; a wait ends at this time
  readonly action: Action;
  readonly deviation: string | undefined;
}

export interface Scenario {
  readonly name: string; // AREA/NAME
  readonly title: string; // the first line of the header comment
  readonly deviation: string | undefined;
  readonly topology: ScenarioTopology;
  readonly steps: readonly Step[];
}

// A step without a time comes this long after the step before. A command takes some 7 ms of the virtual machine's clock.
const stepGapNs = 20_000_000n;
// The kernel adds up its counters every two seconds.
const statisticsDelayNs = 2_100_000_000n;

export const scenariosFolder = join(import.meta.dirname, 'scenarios');
const topologyFile = join(import.meta.dirname, 'default-topology');

function emptyTopology(): ScenarioTopology {
  return {
    ports: { c0: { mac: '02:00:00:01:00:01', mtu: 1500 }, s0: { mac: '02:00:00:02:00:01', mtu: 1500 } },
    addresses: [],
    neighbours: [],
    routes: [],
    locals: [],
    marks: [],
    sysctls: [],
    isShared: false,
  };
}

function takePort(words: Words): PortName {
  const text = words.take('port');
  const port = portNames.find(name => name === text);
  if (!port) throw words.complain(`a port is ${portNames.join(' or ')}, not "${text}"`);
  return port;
}

function takePrefix(words: Words): string {
  const text = words.take('prefix');
  const [address = '', length] = text.split('/');
  const parsed = parseAddress(address);
  if (!parsed || !/^\d+$/.test(length ?? '') || Number(length) > parsed.bytes.length * 8) {
    throw words.complain(`expected ADDRESS/LENGTH, not "${text}"`);
  }
  return text;
}

function takeAddressText(words: Words, what: string): string {
  const text = words.take(what);
  const parsed = parseAddress(text);
  if (!parsed) throw words.complain(`${what} must be an address, not "${text}"`);
  return formatAddress(parsed.bytes);
}

function takeMac(words: Words): string {
  const text = words.take('MAC address');
  if (!parseMac(text)) throw words.complain(`"${text}" is no MAC address`);
  return text.toLowerCase();
}

function describePort(words: Words, topology: ScenarioTopology): void {
  const port = topology.ports[takePort(words)];
  if (words.takeIf('mac')) port.mac = takeMac(words);
  if (words.takeIf('mtu')) port.mtu = words.takeInteger('mtu', 68, 65521);
}

function describeNeighbour(words: Words, topology: ScenarioTopology): void {
  const port = takePort(words);
  const address = takeAddressText(words, 'neighbour');
  const others = topology.neighbours.filter(known => known.address !== address);
  topology.neighbours = words.takeIf('none') ? others : [...others, { port, address, mac: takeMac(words) }];
}

function describeRoute(words: Words, topology: ScenarioTopology): void {
  const to = takePrefix(words);
  const via = words.takeIf('via') ? takeAddressText(words, 'gateway') : undefined;
  if (words.takeIf('none')) {
    topology.routes = topology.routes.filter(route => route.to !== to);
    return;
  }
  words.expect('port');
  topology.routes.push({ to, via, port: takePort(words) });
}

function describeMark(words: Words, topology: ScenarioTopology): void {
  const mark = words.takeInteger('mark', 1, 0xffffffff);
  const protocol = ['tcp', 'udp', 'sctp'].find(name => words.takeIf(name));
  const destination = words.peek()?.includes('/') ? takePrefix(words) : takeAddressText(words, 'destination');
  const ports = protocol && !words.done ? words.take('ports') : undefined;
  if (ports !== undefined && !/^\d+(-\d+)?$/.test(ports)) throw words.complain(`ports are 80 or 80-90, not "${ports}"`);
  topology.marks.push({ mark, protocol, destination, ports });
}

function takeSysctl(words: Words): { name: string; value: string } {
  const name = words.take('name of a sysctl');
  if (!/^net\.[\w.]+$/.test(name)) throw words.complain(`a sysctl here begins with "net.", not "${name}"`);
  const values = [words.take('value')];
  while (!words.done) values.push(words.take('value'));
  return { name, value: values.join(' ').replaceAll('"', '') };
}

const descriptions: Record<string, (words: Words, topology: ScenarioTopology) => void> = {
  port: describePort,
  neighbour: describeNeighbour,
  route: describeRoute,
  fwmark: describeMark,
  address: (words, topology) => {
    const port = takePort(words);
    const prefix = takePrefix(words);
    const others = topology.addresses.filter(known => known.prefix !== prefix);
    topology.addresses = words.takeIf('none') ? others : [...others, { port, prefix }];
  },
  local: (words, topology) => {
    topology.locals.push(takePrefix(words));
  },
};

// Reads one file into `topology`: first the default topology's, then the scenario's, whose lines change it.
class Reader {
  readonly #file: string;
  readonly #topology: ScenarioTopology;
  readonly #steps: Step[] = [];
  #clockNs = 0n;
  #nextNs = 0n;
  #deviation: string | undefined;
  #scenarioDeviation: string | undefined;

  constructor(file: string, topology: ScenarioTopology) {
    this.#file = file;
    this.#topology = topology;
  }

  read(text: string): void {
    for (const [index, line] of text.split('\n').entries()) {
      const trimmed = line.trim();
      if (trimmed !== '' && !trimmed.startsWith('#')) this.#readLine({ file: this.#file, line: index + 1 }, line);
    }
  }

  finish(name: string, title: string): Scenario {
    return {
      name,
      title,
      deviation: this.#scenarioDeviation,
      topology: this.#topology,
      steps: this.#steps,
    };
  }

  #readLine(place: Place, line: string): void {
    if (line.startsWith('deviation:')) {
      this.#noteDeviation(line.slice('deviation:'.length).trim());
      return;
    }
    const loop = /^(\s*for\s+)(\d+)\.\.(\d+)\s+/.exec(line);
    if (!loop) {
      this.#readStep(place, new Words(place, line), line);
      return;
    }
    const [head, , first, last] = loop;
    // Blanks replace the loop's head, so that columns in messages are those of the file.
    for (let value = Number(first); value <= Number(last); value++) {
      const body = line.slice(head.length).replaceAll('%', String(value));
      this.#readStep(place, new Words(place, ' '.repeat(head.length) + body), body);
    }
  }

  #noteDeviation(why: string): void {
    if (this.#steps.length === 0) this.#scenarioDeviation = why;
    else this.#deviation = why;
  }

  #readStep(place: Place, words: Words, line: string): void {
    const describe = descriptions[words.peek() ?? ''];
    if (describe) {
      if (this.#steps.length > 0) throw words.error('lines of the topology come before the first step');
      words.take('directive');
      describe(words, this.#topology);
      words.finish();
      return;
    }
    if (words.peek() === 'sysctl' && this.#steps.length === 0) {
      words.take('directive');
      this.#topology.sysctls.push(takeSysctl(words));
      return;
    }
    const timed = words.peek()?.startsWith('@') === true;
    if (timed) this.#takeTime(words);
    const text = line.trim();
    const action = this.#takeAction(words, text.replace(/^@\S+\s+/, ''));
    words.finish();
    this.#push(place, text, action);
  }

  #takeTime(words: Words): void {
    const time = words.take('time').slice(1);
    const at = time.startsWith('+')
      ? this.#clockNs + words.parseSeconds(time.slice(1), 'time')
      : words.parseSeconds(time, 'time');
    if (at < this.#clockNs) throw words.complain('this time is before that of the step before');
    this.#nextNs = at;
  }

  #takeAction(words: Words, text: string): Action {
    const first = words.take('step');
    switch (first) {
      case 'ipvsadm':
        while (!words.done) words.take('argument');
        return { kind: 'command', command: text.replace(/\s+#.*$/, '') };
      case 'sysctl':
        return { kind: 'sysctl', ...takeSysctl(words) };
      case 'wait':
        this.#nextNs = this.#clockNs + words.takeSeconds('duration');
        return { kind: 'wait' };
      case 'show':
        return { kind: 'show', view: this.#takeView(words) };
    }
    const port = portNames.find(name => name === first);
    if (!port)
      throw words.complain(`"${first}" begins no step: ${portNames.join(', ')}, ipvsadm, sysctl, wait or show`);
    words.expect('>');
    const described = takePacket(words);
    return { kind: 'frames', port, frames: this.#frames(port, described, words) };
  }

  #takeView(words: Words): ShowView {
    const text = words.take('what to show');
    if (!Object.hasOwn(showCommands, text)) {
      throw words.complain(`show one of ${Object.keys(showCommands).join(', ')}, not "${text}"`);
    }
    const view = text as ShowView;
    if (view === 'stats') this.#nextNs += statisticsDelayNs;
    return view;
  }

  #frames(port: PortName, described: Described, words: Words): Uint8Array[] {
    if (described.frame) return [...described.packets];
    const { mac } = this.#topology.ports[port];
    const destination = described.destinationMac ?? parseMac(mac);
    const source = parseMac(this.#senderMac(port, described, words));
    if (!destination || !source) throw words.complain('no MAC address for this frame');
    const type = described.family === 4 ? etherType.ipv4 : etherType.ipv6;
    return described.packets.map(packet => ethernetFrame(destination, source, type, packet));
  }

  // The neighbour that has the source address, else the port's router.
  #senderMac(port: PortName, described: Described, words: Words): string {
    const neighbours = this.#topology.neighbours.filter(known => known.port === port);
    const text = described.source ? formatAddress(described.source.bytes) : '';
    const found =
      neighbours.find(known => known.address === text) ?? neighbours.find(known => known.mac.endsWith(':fe'));
    if (!found)
      throw words.complain(`${port} has neither the neighbour ${text} nor a router (a MAC address ending in fe)`);
    return found.mac;
  }

  #push(place: Place, text: string, action: Action): void {
    this.#clockNs = this.#nextNs;
    this.#nextNs += stepGapNs;
    this.#steps.push({ line: place.line, text, timeNs: this.#clockNs, action, deviation: this.#deviation });
    this.#deviation = undefined;
  }
}

export function parseScenario(file: string, name: string, text: string): Scenario {
  const title = /^#\s*(.+)$/m.exec(text.split('\n')[0] ?? '')?.[1];
  if (title === undefined)
    throw new ConfigError('SLUICE_CONFIG_SYNTAX', 'a scenario begins with a comment that states the behaviour', {
      place: { file, line: 1, column: 1 },
    });
  const topology = emptyTopology();
  if (!/^topology empty$/m.test(text)) new Reader(topologyFile, topology).read(readFileSync(topologyFile, 'utf8'));
  const reader = new Reader(file, topology);
  topology.isShared = /^topology shared$/m.test(text);
  reader.read(text.replace(/^topology (empty|shared)$/gm, ''));
  return reader.finish(name, title);
}

export function scenarioFile(name: string): string {
  return join(scenariosFolder, `${name}.scenario`);
}

export function recordingFile(name: string): string {
  return join(scenariosFolder, `${name}.recording`);
}

export function readScenario(name: string): Scenario {
  const file = scenarioFile(name);
  return parseScenario(relative(process.cwd(), file), name, readFileSync(file, 'utf8'));
}

// The names of the scenarios that `wanted` selects: AREA/NAME, an AREA, or a NAME. All scenarios when it is empty.
export function scenarioNames(wanted: readonly string[] = []): string[] {
  const all = readdirSync(scenariosFolder, { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.scenario'))
    .map(path => path.slice(0, -'.scenario'.length))
    .sort();
  if (wanted.length === 0) return all;
  return wanted.flatMap(word => {
    const clean = word.replace(/\.(scenario|recording)$/, '').replace(/^.*ipvs-oracle\/scenarios\//, '');
    if (existsSync(scenarioFile(clean))) return [clean];
    const found = all.filter(name => name.startsWith(`${clean}/`) || basename(name) === clean);
    if (found.length === 0)
      throw new Error(`there is no scenario "${word}" in ${relative(process.cwd(), scenariosFolder)}`);
    return found;
  });
}
