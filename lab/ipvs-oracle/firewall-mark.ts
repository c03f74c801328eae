// SPDX-License-Identifier: Apache-2.0
// The firewall mark that a scenario's rules give to a packet. In the virtual machine, nftables rules give the same mark.
import { etherType, parseAddress, protocol, view } from '../../src/wire/ip-packet.ts';
import type { FirewallMark } from './scenario.ts';

const ethernetLength = 14;
const protocols: Readonly<Record<string, number>> = { tcp: protocol.tcp, udp: protocol.udp, sctp: protocol.sctp };

/** 0 when no rule matches. The last matching rule wins, since every matching rule sets the mark. */
export function markOf(frame: Uint8Array, rules: readonly FirewallMark[]): number {
  return rules.filter(rule => fits(frame, rule)).at(-1)?.mark ?? 0;
}

function fits(frame: Uint8Array, rule: FirewallMark): boolean {
  const type = view(frame).getUint16(12);
  if (type !== etherType.ipv4 && type !== etherType.ipv6) return false;
  const packet = frame.subarray(ethernetLength);
  const isIpv4 = type === etherType.ipv4;
  const headerLength = isIpv4 ? ((packet[0] ?? 0) & 15) * 4 : 40;
  const proto = packet[isIpv4 ? 9 : 6] ?? 0;
  if (rule.protocol !== undefined && protocols[rule.protocol] !== proto) return false;
  const destination = isIpv4 ? packet.subarray(16, 20) : packet.subarray(24, 40);
  if (!isWithin(destination, rule.destination)) return false;
  if (rule.ports === undefined) return true;
  const [first = 0, last = first] = rule.ports.split('-').map(Number);
  const port = view(packet).getUint16(headerLength + 2);
  return port >= first && port <= last;
}

function isWithin(address: Uint8Array, network: string): boolean {
  const [text = '', length] = network.split('/');
  const parsed = parseAddress(text);
  if (parsed === undefined || parsed.bytes.length !== address.length) return false;
  const bits = length === undefined ? address.length * 8 : Number(length);
  return address.every((byte, index) => {
    const kept = Math.max(0, Math.min(8, bits - index * 8));
    const mask = (0xff00 >> kept) & 0xff;
    return (byte & mask) === ((parsed.bytes[index] ?? 0) & mask);
  });
}
