// SPDX-License-Identifier: Apache-2.0
// The real_server block.
import { type Address, isServerAddress, parseAddress } from '../../core/address.ts';
import type { SourcePlace } from '../report.ts';
import { type CheckerContext, type ReadChecker, readChecker } from './checkers.ts';
import { checkerGrammars, realServerLost } from './keywords.ts';
import { readTiming, type Timing } from './timing.ts';
import type { Node } from './tree.ts';
import { type Method, portIn, readMethod, shown, type Values } from './values.ts';

export interface RealServer {
  readonly place: SourcePlace;
  readonly node: Node;
  readonly address: Address;
  /** Undefined: that of the service. */
  readonly port: number | undefined;
  readonly method: Method | undefined;
  readonly weight: number | undefined;
  readonly upper: number;
  readonly lower: number;
  readonly inhibit: boolean;
  readonly checkers: readonly ReadChecker[];
}

/** Undefined where keepalived ignores the block, or no director can reach the server. */
export function readRealServer(
  node: Node,
  context: Omit<CheckerContext, 'serviceDelayLoop'> & { serviceDelayLoop: number },
): RealServer | undefined {
  const { values } = context;
  const endpoint = readEndpoint(node, values);
  if (endpoint === undefined) return undefined;
  let server: RealServer = {
    place: node.place,
    node,
    ...endpoint,
    method: undefined,
    weight: undefined,
    upper: 0,
    lower: 0,
    inhibit: false,
    checkers: [],
  };
  let timing: Timing = context.timing;
  let virtualHost = context.virtualHost;
  const checkers: Node[] = [];
  for (const child of node.children) {
    const time = readTiming(values, child, 1);
    if (time !== undefined) timing = { ...timing, ...time };
    else if (Object.hasOwn(checkerGrammars, child.keyword)) checkers.push(child);
    else if (child.keyword === 'virtualhost') virtualHost = values.word(child) ?? virtualHost;
    else server = { ...server, ...readSetting(child, values) };
  }
  const read = checkers.map(checker => readChecker(checker, { ...context, timing, virtualHost }));
  return { ...withThresholds(server, values), checkers: read.filter(checker => checker !== undefined) };
}

/** The address and port after the keyword, of real servers and sorry servers. */
export function readEndpoint(node: Node, values: Values): { address: Address; port: number | undefined } | undefined {
  const word = values.word(node);
  if (word === undefined) return undefined;
  const address = parseAddress(word);
  const port = portIn(node.words[1]);
  if (address === undefined) return values.wrong(node, 'not an IP address');
  if (port === undefined && node.words.length > 1) return values.wrong(node, 'not a port');
  if (!isServerAddress(address)) {
    values.lost(node, 'use the address of one host: not multicast, broadcast, zero or link-local');
    return undefined;
  }
  return { address, port: port === 0 ? undefined : port };
}

function readSetting(node: Node, values: Values): Partial<RealServer> {
  switch (node.keyword) {
    case 'weight':
      return defined({ weight: values.number(node, 0) });
    case 'uthreshold':
      return defined({ upper: values.number(node, 0) });
    case 'lthreshold':
      return defined({ lower: values.number(node, 0) });
    case 'inhibit_on_failure':
      return { inhibit: values.truth(node) };
    case 'lb_kind':
    case 'lvs_method':
      return defined({ method: readMethod(values, node) });
    default:
      values.lost(node, realServerLost[node.keyword] ?? 'remove it');
      return {};
  }
}

function defined<Part extends object>(part: Part): Partial<{ [Key in keyof Part]: Exclude<Part[Key], undefined> }> {
  return Object.fromEntries(Object.entries(part).filter(([, value]) => value !== undefined)) as never;
}

function withThresholds(server: RealServer, values: Values): RealServer {
  if (server.lower <= server.upper) return server;
  const what = `${shown(server.node)}: lthreshold ${server.lower} above uthreshold ${server.upper}`;
  values.report.lost(server.place, what, 'use at most uthreshold: IPVS refuses the server');
  return { ...server, lower: 0 };
}
