// SPDX-License-Identifier: Apache-2.0
// The firewall marks of a host without a firewall: rules of a net.yaml in the place of nftables'. The first rule that
// fits gives its mark.
import { type Family, parseAddress } from '../core/address.ts';
import { be16, type FrameHeaders, frameHeaders } from './frame-headers.ts';
import type { Surroundings } from './surroundings.ts';

/** A rule as packets are held against it. */
export interface MarkRule {
  readonly mark: number;
  /** The port's number. */
  readonly port: number | undefined;
  readonly source: MarkNetwork | undefined;
  readonly destination: MarkNetwork | undefined;
  readonly protocol: number | undefined;
  /** The destination port's first and last. */
  readonly ports: readonly [number, number] | undefined;
}

interface MarkNetwork {
  readonly family: Family;
  readonly bytes: Uint8Array;
  readonly prefix: number;
}

const protocolNumbers = { tcp: 6, udp: 17, sctp: 132 } as const;

/** The surroundings' rules, in their order. */
export function markRules({ marks, ports }: Surroundings): readonly MarkRule[] {
  return marks.map(rule => ({
    mark: rule.mark,
    port: rule.port === null ? undefined : ports.findIndex(port => port.name === rule.port),
    source: networkOf(rule.source),
    destination: networkOf(rule.destination),
    protocol: rule.protocol === null ? undefined : protocolNumbers[rule.protocol],
    ports: rule.ports ?? undefined,
  }));
}

/** The mark of a frame that came on a port; 0 where no rule fits. */
export function markOf(rules: readonly MarkRule[], port: number, frame: Uint8Array): number {
  if (rules.length === 0) return 0;
  const headers = frameHeaders(frame);
  if (headers === undefined) return 0;
  return rules.find(rule => fits(rule, port, frame, headers))?.mark ?? 0;
}

function fits(rule: MarkRule, port: number, frame: Uint8Array, headers: FrameHeaders): boolean {
  if (rule.port !== undefined && rule.port !== port) return false;
  if (rule.protocol !== undefined && rule.protocol !== headers.protocol) return false;
  if (rule.source !== undefined && !holds(rule.source, headers.family, headers.source)) return false;
  if (rule.destination !== undefined && !holds(rule.destination, headers.family, headers.destination)) return false;
  if (rule.ports === undefined) return true;
  // A later fragment has no ports.
  if (headers.l4 === undefined || !Object.values<number>(protocolNumbers).includes(headers.protocol)) return false;
  const destinationPort = be16(frame, headers.l4 + 2);
  return destinationPort >= rule.ports[0] && destinationPort <= rule.ports[1];
}

function holds({ family, bytes, prefix }: MarkNetwork, of: Family, address: Uint8Array): boolean {
  if (family !== of) return false;
  return bytes.every((byte, index) => {
    const kept = Math.max(0, Math.min(8, prefix - index * 8));
    const mask = (0xff00 >> kept) & 0xff;
    return (byte & mask) === ((address[index] ?? 0) & mask);
  });
}

// A network's text is canonical: an address, a slash and a prefix.
function networkOf(network: string | null): MarkNetwork | undefined {
  const [text = '', prefix = '0'] = (network ?? '').split('/');
  const address = parseAddress(text);
  if (address === undefined) return undefined;
  const bytes = new Uint8Array(address.words.length * 4);
  address.words.forEach((word, index) => {
    new DataView(bytes.buffer).setUint32(index * 4, word);
  });
  return { family: address.family, bytes, prefix: Number(prefix) };
}
