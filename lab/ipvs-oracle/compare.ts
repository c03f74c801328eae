// SPDX-License-Identifier: Apache-2.0
// Compares what a director did in a scenario with what the kernel did: frames byte for byte, tables line for line.
// docs/oracle.md lists what is not determined and therefore normalised here, with the reasons.

import { etherType, internetChecksum, parseAddress, protocol, pseudoHeader, toHex, view } from './packet.ts';
import type { Outcome, Recording } from './recording.ts';
import { portNames, type Scenario, type ShowView, type Step, type Surroundings } from './scenario.ts';
import type { SubjectFrame, SubjectOutcome } from './subject.ts';
import { guePort, summarize } from './summary.ts';

export interface Difference {
  readonly scenario: string;
  readonly line: number; // of the scenario
  readonly step: string;
  readonly expected: readonly string[];
  readonly actual: readonly string[];
}

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

// What a frame is judged by: what the director received in the step, and where it stands.
interface Context {
  readonly inputs: readonly Uint8Array[];
  readonly surroundings: Surroundings;
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

// The director's own packets: an outer header of a tunnel bears the address of a port, which no virtual service has; an
// ICMP message that is passed on keeps its identification.
function isMade(packet: Uint8Array, { inputs, surroundings }: Context): boolean {
  const source = packet.subarray(12, 16);
  const ofPorts = surroundings.addresses.filter(({ prefix }) => !prefix.endsWith('/32'));
  if (ofPorts.some(({ prefix }) => isWithin(source, `${prefix.split('/')[0]}/32`))) return true;
  const proto = packet[ipv4ProtocolAt];
  return proto === protocol.icmp && !inputs.some(input => isSameIcmp(input.subarray(ethernetLength), packet));
}

// With the input's type and identification: the same message, on its way.
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

// GUE's source port is a hash of the flow under a key that the host draws at random, and the checksum covers it. A right
// checksum becomes all ones; so does that of a first fragment, which cannot be checked.
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

function normalise(frame: Uint8Array, context: Context): Uint8Array {
  const copy = Uint8Array.from(frame);
  const packet = copy.subarray(ethernetLength);
  if (isIpv4(copy)) normaliseIpv4(packet, context);
  else if (isIpv6(copy)) normaliseIpv6(packet);
  return copy;
}

// What the host only routes, none of the director's business: an input to somebody else's address, with other MAC
// addresses and a TTL one less.
function isRouted(frame: Uint8Array, { inputs, surroundings }: Context): boolean {
  const own = [
    ...surroundings.addresses.map(({ prefix }) => prefix.replace(/\/\d+$/, prefix.includes(':') ? '/128' : '/32')),
    ...surroundings.locals,
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

interface NormalFrame {
  readonly port: string;
  readonly hex: string;
  readonly text: string;
}

function normalFrames(frames: readonly SubjectFrame[], context: Context): NormalFrame[] {
  const heard = frames.filter(({ frame }) => !isRouted(frame, context));
  return portNames.flatMap(port =>
    heard
      .filter(sent => sent.port === port)
      .map(({ frame }) => {
        const plain = normalise(frame, context);
        return { port, hex: toHex(plain), text: `${port} < ${summarize(plain)}` };
      }),
  );
}

// A connection's remaining time may differ by so much: both round it down to seconds, from times that differ by moments.
const expiryToleranceSeconds = 2;

function expirySeconds(line: string): number {
  const match = /^\S+\s+(\d+):(\d+)/.exec(line);
  return Number(match?.[1] ?? 0) * 60 + Number(match?.[2] ?? 0);
}

const withoutExpiry = (line: string) =>
  line
    .replace(/^(\S+\s+)\d+:\d+/, '$1')
    .replace(/\s+/g, ' ')
    .trim();

function sameConnections(expected: readonly string[], actual: readonly string[]): boolean {
  // The kernel walks a hash table whose seed is random: the order of the lines says nothing.
  const order = (a: string, b: string) => (withoutExpiry(a) < withoutExpiry(b) ? -1 : 1);
  const left = [...expected].sort(order);
  const right = [...actual].sort(order);
  return (
    left.length === right.length &&
    left.every((line, i) => {
      const other = right[i] ?? '';
      const apart = Math.abs(expirySeconds(line) - expirySeconds(other));
      return withoutExpiry(line) === withoutExpiry(other) && apart <= expiryToleranceSeconds;
    })
  );
}

function sameOutput(showing: ShowView | undefined, expected: readonly string[], actual: readonly string[]): boolean {
  if (showing === 'connections') return sameConnections(expected, actual);
  // A recording's text has lost the blanks at the ends of its lines.
  const text = (lines: readonly string[]) => lines.map(line => line.trimEnd()).join('\n');
  return text(expected) === text(actual);
}

function compareStep(
  step: Step,
  surroundings: Surroundings,
  kernel: Outcome,
  subject: SubjectOutcome,
): [string[], string[]] | undefined {
  const context = { inputs: step.action.kind === 'frames' ? step.action.frames : [], surroundings };
  const expected = normalFrames(kernel.transmitted, context);
  const actual = normalFrames(subject.transmitted, context);
  if (expected.map(frame => frame.port + frame.hex).join() !== actual.map(frame => frame.port + frame.hex).join()) {
    const lines = (frames: NormalFrame[]) => frames.flatMap(frame => [frame.text, `  ${frame.hex}`]);
    return [lines(expected), lines(actual)];
  }
  const { action } = step;
  if (action.kind === 'command' && (kernel.status !== 0) !== subject.failed) {
    return [[`status ${kernel.status}`, ...kernel.output], [subject.failed ? 'refused' : 'accepted']];
  }
  const showing = action.kind === 'show' ? action.view : undefined;
  if (showing && !sameOutput(showing, kernel.output, subject.output)) return [[...kernel.output], subject.output];
  return undefined;
}

// Every step in which the subject did something else than the kernel. Steps with a deviation are left out.
export function compare(scenario: Scenario, recording: Recording, outcomes: readonly SubjectOutcome[]): Difference[] {
  if (scenario.deviation !== undefined) return [];
  return scenario.steps.flatMap((step, index) => {
    const kernel = recording.outcomes[index];
    const subject = outcomes[index];
    if (!kernel || !subject || step.deviation !== undefined) return [];
    const difference = compareStep(step, scenario.surroundings, kernel, subject);
    if (!difference) return [];
    const [expected, actual] = difference;
    return [{ scenario: scenario.name, line: step.line, step: step.text, expected, actual }];
  });
}

export function formatDifference(difference: Difference): string {
  const section = (name: string, lines: readonly string[]) => [
    `  ${name}:`,
    ...(lines.length > 0 ? lines : ['nothing']).map(line => `    ${line}`),
  ];
  return [
    `${difference.scenario}:${difference.line}: ${difference.step}`,
    ...section('the kernel', difference.expected),
    ...section('the director', difference.actual),
  ].join('\n');
}
