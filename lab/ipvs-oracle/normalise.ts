// SPDX-License-Identifier: Apache-2.0
// Sets the fields of a transmitted frame that the kernel chooses at random to fixed values: in recordings, and before a
// comparison. docs/oracle.md lists these fields with the reasons.

import {
  etherType,
  internetChecksum,
  parseAddress,
  protocol,
  pseudoHeader,
  toHex,
  view,
} from '../../src/wire/ip-packet.ts';
import type { ScenarioTopology, Step } from './scenario.ts';
import { guePort } from './summary.ts';

const ethernetLength = 14;
const ipv4ProtocolAt = 9;

function isIpv4(frame: Uint8Array): boolean {
  return frame.length >= ethernetLength + 20 && view(frame).getUint16(12) === etherType.ipv4;
}

function isIpv6(frame: Uint8Array): boolean {
  return frame.length >= ethernetLength + 40 && view(frame).getUint16(12) === etherType.ipv6;
}

function ipv4HeaderLength(packet: Uint8Array): number {
  return ((packet[0] ?? 0) & 15) * 4;
}

function setIpv4Id(packet: Uint8Array, id: number): void {
  const header = packet.subarray(0, ipv4HeaderLength(packet));
  view(header).setUint16(4, id);
  view(header).setUint16(10, 0);
  view(header).setUint16(10, internetChecksum(header));
}

// What the normalisation of a frame depends on: what the director received in the step, and its topology.
export interface Context {
  readonly inputs: readonly Uint8Array[];
  readonly topology: ScenarioTopology;
}

function bitsOf(bytes: Uint8Array): string {
  return [...bytes].map(byte => byte.toString(2).padStart(8, '0')).join('');
}

function isWithin(address: Uint8Array, prefix: string): boolean {
  const [text = '', length = '0'] = prefix.split('/');
  const network = parseAddress(text)?.bytes;
  return (
    network?.length === address.length &&
    bitsOf(network).slice(0, Number(length)) === bitsOf(address).slice(0, Number(length))
  );
}

export function contextOf(step: Step, topology: ScenarioTopology): Context {
  return { inputs: step.action.kind === 'frames' ? step.action.frames : [], topology };
}

// Whether the director made the packet itself, rather than passed it on. The outer header of a tunnel has the address of a
// port, which no virtual service has. An ICMP message that was passed on has the identification of an input.
function isMade(packet: Uint8Array, { inputs, topology }: Context): boolean {
  const source = packet.subarray(12, 16);
  const ofPorts = topology.addresses.filter(({ prefix }) => !prefix.endsWith('/32'));
  if (ofPorts.some(({ prefix }) => isWithin(source, `${prefix.split('/')[0]}/32`))) return true;
  const proto = packet[ipv4ProtocolAt];
  return proto === protocol.icmp && !inputs.some(input => isSameIcmp(input.subarray(ethernetLength), packet));
}

// An ICMP message with the type and identification of an input is that input, passed on.
function isSameIcmp(input: Uint8Array, packet: Uint8Array): boolean {
  return (
    input[ipv4ProtocolAt] === protocol.icmp &&
    input[ipv4HeaderLength(input)] === packet[ipv4HeaderLength(packet)] &&
    view(input).getUint16(4) === view(packet).getUint16(4)
  );
}

function isGue(datagram: Uint8Array): boolean {
  return datagram.length >= 12 && view(datagram).getUint16(2) === guePort;
}

// GUE's source port is a hash of the flow with a random key, and the UDP checksum covers it. A correct checksum is set to
// all ones; so is the checksum of a first fragment, which cannot be verified.
function clearGueSource(addresses: Uint8Array, datagram: Uint8Array): void {
  if (!isGue(datagram)) return;
  const fields = view(datagram);
  const half = addresses.length / 2;
  const length = fields.getUint16(4);
  const pseudo = pseudoHeader(addresses.subarray(0, half), addresses.subarray(half), protocol.udp, length);
  const summed = fields.getUint16(6) !== 0;
  const right = length !== datagram.length || internetChecksum(pseudo, datagram) === 0;
  fields.setUint16(0, 0);
  if (summed && right) fields.setUint16(6, 0xffff);
}

function normaliseIpv4(packet: Uint8Array, context: Context): void {
  if (!isMade(packet, context)) return;
  const dontFragment = ((packet[6] ?? 0) & 0x40) !== 0;
  const proto = packet[ipv4ProtocolAt];
  const isFirst = (view(packet).getUint16(6) & 0x1fff) === 0;
  if (proto === protocol.udp && isFirst)
    clearGueSource(packet.subarray(12, 20), packet.subarray(ipv4HeaderLength(packet)));
  if (!dontFragment) setIpv4Id(packet, 0);
}

function normaliseIpv6(packet: Uint8Array): void {
  const isFragment = packet[6] === protocol.fragment && packet.length >= 48;
  if (isFragment) view(packet).setUint32(44, 0);
  const isFirst = !isFragment || (view(packet).getUint16(42) & 0xfff8) === 0;
  const next = isFragment ? packet[40] : packet[6];
  if (next === protocol.udp && isFirst) clearGueSource(packet.subarray(8, 40), packet.subarray(isFragment ? 48 : 40));
}

export function normalise(frame: Uint8Array, context: Context): Uint8Array {
  const copy = Uint8Array.from(frame);
  const packet = copy.subarray(ethernetLength);
  if (isIpv4(copy)) normaliseIpv4(packet, context);
  else if (isIpv6(copy)) normaliseIpv6(packet);
  return copy;
}

// Whether the host only routed the frame and the director had no part in it: the frame is an input to a foreign address,
// with other MAC addresses and a TTL that is one less.
export function isRouted(frame: Uint8Array, { inputs, topology }: Context): boolean {
  const own = [
    ...topology.addresses.map(({ prefix }) => prefix.replace(/\/\d+$/, prefix.includes(':') ? '/128' : '/32')),
    ...topology.locals,
  ];
  return inputs.some(input => {
    const v4 = isIpv4(input);
    if (!v4 && !isIpv6(input)) return false;
    const expected = Uint8Array.from(input.subarray(ethernetLength));
    const destination = v4 ? expected.subarray(16, 20) : expected.subarray(24, 40);
    if (own.some(prefix => isWithin(destination, prefix))) return false;
    const ttlAt = v4 ? 8 : 7;
    expected[ttlAt] = (expected[ttlAt] ?? 0) - 1;
    if (v4) setIpv4Id(expected, view(expected).getUint16(4));
    return toHex(expected) === toHex(frame.subarray(ethernetLength));
  });
}
