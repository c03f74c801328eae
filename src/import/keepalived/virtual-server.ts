// SPDX-License-Identifier: Apache-2.0
// The virtual_server block and its groups: what is read, with keepalived's defaults filled in. services.ts writes it.
import { type Address, addressOf, bitsOf, networkOf, parseAddress, parseInterfaceAddress } from '../../core/address.ts';
import type { SourcePlace } from '../report.ts';
import type { CheckerContext } from './checkers.ts';
import { flagKeywords, virtualServerLost } from './keywords.ts';
import { type RealServer, readEndpoint, readRealServer } from './real-server.ts';
import type { Statement } from './source.ts';
import { defaultDelayLoop, readTiming, type Timing } from './timing.ts';
import type { Node } from './tree.ts';
import { type Method, portIn, readMethod, type Values } from './values.ts';

/** What packets of a service have in common: an address with a port, or a mark. */
export type Matched =
  | { readonly address: Address; readonly port: number; readonly place: SourcePlace }
  | { readonly mark: number; readonly family: 4 | 6 | undefined; readonly place: SourcePlace };

export interface VirtualServer {
  readonly node: Node;
  readonly matched: readonly Matched[];
  readonly protocol: 'tcp' | 'udp' | 'sctp' | undefined;
  readonly scheduler: string | undefined;
  readonly flags: readonly Node[];
  readonly method: Method | undefined;
  readonly onePacket: Node | undefined;
  readonly persistence: number | undefined;
  readonly granularity: string | undefined;
  readonly family: 4 | 6 | undefined;
  readonly quorum: number;
  readonly hysteresis: number;
  readonly inhibit: boolean;
  readonly weight: number;
  readonly sorry:
    | { readonly address: Address; readonly port: number | undefined; readonly place: SourcePlace }
    | undefined;
  readonly sorryMethod: Method | undefined;
  readonly servers: readonly RealServer[];
}

export type ServiceContext = Omit<CheckerContext, 'timing' | 'serviceDelayLoop' | 'virtualHost'>;

/** As many services as one group may stand for. */
const mostOfRange = 4096;

const schedulers = ['rr', 'wrr', 'lc', 'wlc', 'lblc', 'lblcr', 'sh', 'mh', 'dh', 'fo', 'ovf', 'sed', 'nq', 'twos'];

export function readVirtualServer(
  node: Node,
  groups: ReadonlyMap<string, readonly Matched[]>,
  context: ServiceContext,
): VirtualServer | undefined {
  const matched = readHead(node, groups, context.values);
  const { values } = context;
  let read: Mutable<VirtualServer> = { ...nothingRead, node, matched: matched ?? [] };
  let timing: Timing = {};
  let virtualHost: string | undefined;
  const servers: Node[] = [];
  for (const child of node.children) {
    const time = readTiming(values, child, 1);
    if (time !== undefined) timing = { ...timing, ...time };
    else if (child.keyword === 'real_server') servers.push(child);
    else if (child.keyword === 'virtualhost') virtualHost = values.word(child) ?? virtualHost;
    else read = { ...read, ...readSetting(child, read, values) };
  }
  const serviceDelayLoop = timing.delayLoop ?? defaultDelayLoop;
  const inner = { ...context, timing, serviceDelayLoop, virtualHost };
  const reals = servers.map(server => readRealServer(server, inner)).filter(server => server !== undefined);
  if (matched === undefined || matched.length === 0) return undefined;
  if (servers.length === 0) return values.wrong(node, 'it has no real servers');
  return { ...read, servers: reals, hysteresis: bounded(read, values) };
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

const nothingRead: Omit<VirtualServer, 'node' | 'matched'> = {
  protocol: undefined,
  scheduler: undefined,
  flags: [],
  method: undefined,
  onePacket: undefined,
  persistence: undefined,
  granularity: undefined,
  family: undefined,
  quorum: 1,
  hysteresis: 0,
  inhibit: false,
  weight: 1,
  sorry: undefined,
  sorryMethod: undefined,
  servers: [],
};

function bounded({ quorum, hysteresis, node }: VirtualServer, { report }: Values): number {
  if (hysteresis < quorum) return hysteresis;
  report.ignored(node.place, `hysteresis ${hysteresis}: keepalived uses ${quorum - 1}, one less than the quorum`);
  return quorum - 1;
}

function readHead(
  node: Node,
  groups: ReadonlyMap<string, readonly Matched[]>,
  values: Values,
): readonly Matched[] | undefined {
  const [first, second] = node.words;
  values.report.carried(node.place);
  if (first === 'group') {
    return groups.get(second ?? '') ?? values.wrong(node, 'there is no virtual_server_group of this name');
  }
  if (first === 'fwmark') {
    const mark = /^\d+$/.test(second ?? '') ? Number(second) : 0;
    if (mark >= 1 && mark <= 0xffff_ffff) return [{ mark, family: undefined, place: node.place }];
    return values.wrong(node, 'not a mark from 1 to 4294967295');
  }
  const address = parseAddress(first ?? '');
  const port = second === undefined ? 0 : portIn(second);
  if (address === undefined || port === undefined) return values.wrong(node, 'not an address with a port');
  return [{ address, port, place: node.place }];
}

function readSetting(node: Node, read: VirtualServer, values: Values): Partial<VirtualServer> {
  const { keyword } = node;
  if (flagKeywords.has(keyword)) {
    values.report.carried(node.place);
    return { flags: [...read.flags, node] };
  }
  switch (keyword) {
    case 'lb_algo':
    case 'lvs_sched':
      return readScheduler(node, values);
    case 'lb_kind':
    case 'lvs_method':
      return { method: readMethod(values, node) ?? read.method };
    case 'sorry_server_lvs_method':
      return { sorryMethod: readMethod(values, node) ?? read.sorryMethod };
    case 'protocol':
      return readProtocol(node, values);
    case 'ip_family':
      return readFamily(node, values);
    case 'ops':
      values.report.carried(node.place);
      return { onePacket: node };
    case 'persistence_timeout':
      return readPersistence(node, values);
    case 'persistence_granularity':
      return { granularity: values.word(node) ?? read.granularity };
    case 'quorum':
      return { quorum: values.number(node, 1) ?? 1 };
    case 'hysteresis':
      return { hysteresis: values.number(node, 0) ?? 0 };
    case 'weight':
      return { weight: values.number(node, 0) ?? 1 };
    case 'inhibit_on_failure':
      return { inhibit: values.truth(node) };
    case 'sorry_server': {
      const endpoint = readEndpoint(node, values);
      return endpoint === undefined ? {} : { sorry: { ...endpoint, place: node.place } };
    }
    default:
      readWithoutMeaning(node, read, values);
      return {};
  }
}

function readWithoutMeaning(node: Node, { sorry, matched }: VirtualServer, values: Values): void {
  const [first] = matched;
  switch (node.keyword) {
    case 'hashed':
      values.wrong(node, 'keepalived refuses it; sh-port is meant');
      return;
    case 'sorry_server_inhibit':
      if (sorry === undefined) values.wrong(node, 'no sorry_server stands before it');
      else values.lost(node, 'see that clients may lose their connections to the sorry server when it leaves');
      return;
    case 'ha_suspend':
      if (matched.length > 1 || first === undefined || 'mark' in first) {
        values.wrong(node, 'it has no effect with fwmark or a group');
      } else values.lost(node, 'checks run on every host: there is no VRRP whose state could stop them');
      return;
    default:
      values.lost(node, virtualServerLost[node.keyword] ?? 'remove it');
  }
}

function readScheduler(node: Node, values: Values): Partial<VirtualServer> {
  const word = values.word(node);
  if (word === undefined) return {};
  if (schedulers.includes(word)) return { scheduler: word };
  values.wrong(node, 'not a scheduler of keepalived');
  return {};
}

function readProtocol(node: Node, values: Values): Partial<VirtualServer> {
  const word = values.word(node)?.toLowerCase();
  if (word === undefined) return {};
  if (word === 'tcp' || word === 'udp' || word === 'sctp') return { protocol: word };
  values.wrong(node, 'not TCP, UDP or SCTP');
  return {};
}

function readFamily(node: Node, values: Values): Partial<VirtualServer> {
  const word = values.word(node);
  if (word === undefined) return {};
  if (word === 'inet' || word === 'inet6') return { family: word === 'inet' ? 4 : 6 };
  values.wrong(node, 'not inet or inet6');
  return {};
}

/** What persistence_timeout alone means, in keepalived as in ipvsadm. */
export const barePersistence = 360;
const longestPersistence = 31 * 24 * 3600;

function readPersistence(node: Node, values: Values): Partial<VirtualServer> {
  if (node.words.length === 0) {
    values.report.carried(node.place);
    values.report.explicit(node.place, `persistence_timeout: ${barePersistence} seconds, as keepalived by default`);
    return { persistence: barePersistence };
  }
  const seconds = values.number(node, 1);
  if (seconds === undefined) return {};
  if (seconds <= longestPersistence) return { persistence: seconds };
  values.lost(node, `the longest timeout is ${longestPersistence}, which is written`);
  return { persistence: longestPersistence };
}

/** Reads the entries of a virtual_server_group. */
export function readGroup(node: Node, values: Values): Matched[] {
  values.report.carried(node.place);
  return node.values.flatMap(entry => readEntry(entry, values));
}

function readEntry({ words, text, place }: Statement, values: Values): Matched[] {
  const wrong = (why: string): Matched[] => {
    values.report.ignored(place, `${text}: ${why}`);
    return [];
  };
  values.report.carried(place);
  const [first = '', second, third] = words;
  if (first === 'fwmark') {
    const mark = /^\d+$/.test(second ?? '') ? Number(second) : 0;
    if (mark < 1 || mark > 0xffff_ffff) return wrong('not a mark from 1 to 4294967295');
    return [{ mark, family: third === 'inet6' ? 6 : third === 'inet' ? 4 : undefined, place }];
  }
  const port = second === undefined ? 0 : portIn(second);
  const addresses = addressesOf(first);
  if (port === undefined) return wrong('not a port');
  if (addresses === undefined) return wrong('neither an address nor a range of addresses');
  if (addresses === 'too many') {
    values.report.lost(place, text, `split it: a range may have ${mostOfRange} addresses`);
    return [];
  }
  return addresses.map(address => ({ address, port, place }));
}

function addressesOf(text: string): Address[] | 'too many' | undefined {
  const [from = '', to] = text.split('-');
  if (to !== undefined) {
    const first = parseAddress(from);
    const last = parseAddress(to) ?? withLastGroup(first, to);
    return first === undefined || last === undefined ? undefined : between(first, last);
  }
  const network = parseInterfaceAddress(text);
  if (network === undefined) return undefined;
  const { address, prefix } = network;
  const size = 2 ** (bitsOf(address.family) - prefix);
  if (size > mostOfRange) return 'too many';
  return Array.from({ length: size }, (_, index) => plus(networkOf(address, prefix).first, index));
}

// The end of `10.0.0.1-9` and of `ae00::2-9`: the last number of the address.
function withLastGroup(first: Address | undefined, last: string): Address | undefined {
  if (first === undefined) return undefined;
  const separator = first.family === 4 ? '.' : ':';
  return parseAddress(first.text.slice(0, first.text.lastIndexOf(separator) + 1) + last);
}

function between(first: Address, last: Address): Address[] | 'too many' | undefined {
  const size = lastWord(last) - lastWord(first) + 1;
  const isOneBlock = first.family === last.family && first.words.slice(0, -1).join() === last.words.slice(0, -1).join();
  if (!isOneBlock || size < 1) return undefined;
  return size > mostOfRange ? 'too many' : Array.from({ length: size }, (_, index) => plus(first, index));
}

function lastWord(address: Address): number {
  return address.words.at(-1) ?? 0;
}

function plus(address: Address, count: number): Address {
  return addressOf(address.family, [...address.words.slice(0, -1), (lastWord(address) + count) >>> 0]);
}
