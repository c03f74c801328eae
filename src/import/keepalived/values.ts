// SPDX-License-Identifier: Apache-2.0
// The values of keywords: numbers, times, truth, addresses, tunnels. A value that keepalived refuses is reported as
// ignored, because keepalived runs with its default.
import { type Address, parseAddress } from '../../core/address.ts';
import type { ServerDocument } from '../../director/schema.ts';
import type { Report } from '../report.ts';
import type { Node } from './tree.ts';

const intMax = 2_147_483_647;

export class Values {
  readonly report: Report;

  constructor(report: Report) {
    this.report = report;
  }

  /** keepalived refuses the whole file when a keyword that needs a word has none. */
  word(node: Node): string | undefined {
    const [word] = node.words;
    if (word === undefined) {
      this.report.ignored(node.place, `${node.keyword}: its value is missing, and keepalived refuses the whole file`);
      return undefined;
    }
    this.report.carried(node.place);
    return word;
  }

  number(node: Node, minimum: number, maximum = intMax): number | undefined {
    const word = this.word(node);
    if (word === undefined) return undefined;
    const value = /^[+-]?\d+$/.test(word) ? Number(word) : Number.NaN;
    if (value >= minimum && value <= maximum) return value;
    return this.wrong(node, `not a whole number from ${minimum} to ${maximum}`);
  }

  /** Seconds, with a fraction. */
  seconds(node: Node, minimum = 0): number | undefined {
    const word = this.word(node);
    if (word === undefined) return undefined;
    const value = /^\+?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,2})?$/i.test(word) ? Number(word) : Number.NaN;
    if (value >= minimum && value <= 4294.967295 * 1e3) return value;
    return this.wrong(node, 'not a time in seconds');
  }

  /** A keyword alone means true. */
  truth(node: Node): boolean {
    const [word] = node.words;
    this.report.carried(node.place);
    if (word === undefined || ['on', 'true', 'yes'].includes(word)) return true;
    if (['off', 'false', 'no'].includes(word)) return false;
    this.wrong(node, 'not on, off, true, false, yes or no');
    return true;
  }

  address(node: Node): Address | undefined {
    const word = this.word(node);
    if (word === undefined) return undefined;
    return parseAddress(word) ?? this.wrong(node, 'not an IP address');
  }

  /** What keepalived ignores, with the words of the line. */
  wrong(node: Node, why: string): undefined {
    this.report.ignored(node.place, `${shown(node)}: ${why}`);
    return undefined;
  }

  lost(node: Node, remedy: string): void {
    this.report.lost(node.place, shown(node), remedy);
  }
}

/** The keyword with its words, as a report shows it. */
export function shown({ text }: Node): string {
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

export type Tunnel = NonNullable<Exclude<ServerDocument, string>['tunnel']>;

/** The forwarding mode, with the encapsulation of tunnels. */
export interface Method {
  readonly mode: 'nat' | 'dr' | 'tunnel';
  readonly tunnel?: Tunnel;
}

/** `NAT`, `DR`, or `TUN [type ipip|gue port N|gre] [nocsum|csum|remcsum]`. */
export function readMethod(values: Values, node: Node): Method | undefined {
  const word = values.word(node);
  const mode = { NAT: 'nat', DR: 'dr', TUN: 'tunnel' } as const;
  if (word === undefined) return undefined;
  if (!Object.hasOwn(mode, word)) return values.wrong(node, 'not NAT, DR or TUN');
  const method = mode[word as keyof typeof mode];
  return method === 'tunnel' ? readTunnel(values, node) : { mode: method };
}

const checksums = { nocsum: 'none', csum: 'full', remcsum: 'remote' } as const;

function readTunnel(values: Values, node: Node): Method | undefined {
  const words = node.words.slice(1);
  let type: 'ipip' | 'gue' | 'gre' = 'ipip';
  let port: number | undefined;
  let checksum: 'none' | 'full' | 'remote' = 'none';
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === 'type') {
      const name = words.shift() ?? '';
      if (name !== 'ipip' && name !== 'gue' && name !== 'gre') return values.wrong(node, 'not a type of tunnels');
      type = name;
    } else if (word === 'port') port = Number(words.shift());
    else if (Object.hasOwn(checksums, word)) checksum = checksums[word as keyof typeof checksums];
    else return values.wrong(node, `${word} is no option of tunnels`);
  }
  if (type === 'gue' && !(Number.isInteger(port) && Number(port) >= 1 && Number(port) <= 65_535)) {
    return values.wrong(node, 'gue needs a port');
  }
  if (type !== 'gue' && port !== undefined) values.wrong(node, `a port has no meaning for ${type}`);
  if (type === 'ipip' && checksum === 'none') return { mode: 'tunnel' };
  const possible = type === 'gue' || checksum === 'none' || (type === 'gre' && checksum === 'full');
  if (!possible) values.wrong(node, `${type} has no such checksum`);
  const tunnel = {
    type,
    ...(type === 'gue' ? { port: Number(port) } : {}),
    ...(possible && checksum !== 'none' ? { checksum } : {}),
  };
  return { mode: 'tunnel', tunnel: type === 'gre' && tunnel.checksum === undefined ? 'gre' : tunnel };
}

/** The port in the word; undefined where there is none, or none that keepalived takes. */
export function portIn(word: string | undefined): number | undefined {
  return word !== undefined && /^\d{1,5}$/.test(word) && Number(word) <= 65_535 ? Number(word) : undefined;
}

export function endpointText(address: string, port: number | undefined): string {
  if (port === undefined || port === 0) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
