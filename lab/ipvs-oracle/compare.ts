// SPDX-License-Identifier: Apache-2.0
// Compares what a director did in a scenario with what the kernel did: frames byte for byte, tables line for line.
// docs/oracle.md lists what is not determined and therefore normalised here, with the reasons.

import { etherType, internetChecksum, protocol, pseudoHeader, toHex, view } from './packet.ts';
import type { Outcome, Recording } from './recording.ts';
import { portNames, type Scenario, type ShowView, type Step } from './scenario.ts';
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

// The director's own packets: errors and echo replies that no input carried, and outer headers of tunnels.
function isMade(packet: Uint8Array, inputs: readonly Uint8Array[]): boolean {
  const tunnels: readonly number[] = [protocol.ipip, protocol.ipv6, protocol.gre];
  const proto = packet[ipv4ProtocolAt] ?? 0;
  if (tunnels.includes(proto)) return true;
  if (proto === protocol.udp) return isGue(packet.subarray(ipv4HeaderLength(packet)));
  // An ICMP message that is passed on comes from an input of the same type; one that is made answers another packet.
  return proto === protocol.icmp && !inputs.some(input => sameIcmpType(input.subarray(ethernetLength), packet));
}

function sameIcmpType(input: Uint8Array, packet: Uint8Array): boolean {
  return input[ipv4ProtocolAt] === protocol.icmp && input[ipv4HeaderLength(input)] === packet[ipv4HeaderLength(packet)];
}

function isGue(datagram: Uint8Array): boolean {
  return datagram.length >= 12 && view(datagram).getUint16(2) === guePort;
}

// GUE's source port is a hash of the flow under a key that the host draws at random.
function clearGueSource(addresses: Uint8Array, datagram: Uint8Array): void {
  const fields = view(datagram);
  if (!isGue(datagram) || fields.getUint16(4) !== datagram.length) return;
  const half = addresses.length / 2;
  const right =
    fields.getUint16(6) === 0 || internetChecksum(pseudoHeaderOf(addresses, half, datagram), datagram) === 0;
  fields.setUint16(0, 0);
  if (fields.getUint16(6) !== 0 && right) fields.setUint16(6, 0xffff);
}

function pseudoHeaderOf(addresses: Uint8Array, half: number, datagram: Uint8Array): Uint8Array {
  return pseudoHeader(addresses.subarray(0, half), addresses.subarray(half), protocol.udp, datagram.length);
}

function normaliseIpv4(packet: Uint8Array, inputs: readonly Uint8Array[]): void {
  if (!isMade(packet, inputs)) return;
  const dontFragment = ((packet[6] ?? 0) & 0x40) !== 0;
  const proto = packet[ipv4ProtocolAt];
  if (proto === protocol.udp) clearGueSource(packet.subarray(12, 20), packet.subarray(ipv4HeaderLength(packet)));
  if (!dontFragment) setIpv4Id(packet, 0);
}

function normaliseIpv6(packet: Uint8Array): void {
  const next = packet[6];
  if (next === protocol.fragment && packet.length >= 48) view(packet).setUint32(44, 0);
  if (next === protocol.udp) clearGueSource(packet.subarray(8, 40), packet.subarray(40));
}

function normalise(frame: Uint8Array, inputs: readonly Uint8Array[]): Uint8Array {
  const copy = Uint8Array.from(frame);
  const packet = copy.subarray(ethernetLength);
  if (isIpv4(copy)) normaliseIpv4(packet, inputs);
  else if (isIpv6(copy)) normaliseIpv6(packet);
  return copy;
}

// What the host only routes: an input with other MAC addresses and a TTL one less. It is none of the director's business.
function isRouted(frame: Uint8Array, inputs: readonly Uint8Array[]): boolean {
  return inputs.some(input => {
    if (!isIpv4(input) && !isIpv6(input)) return false;
    const expected = Uint8Array.from(input.subarray(ethernetLength));
    const ttlAt = isIpv4(input) ? 8 : 7;
    expected[ttlAt] = (expected[ttlAt] ?? 0) - 1;
    if (isIpv4(input)) setIpv4Id(expected, view(expected).getUint16(4));
    return toHex(expected) === toHex(frame.subarray(ethernetLength));
  });
}

interface NormalFrame {
  readonly port: string;
  readonly hex: string;
  readonly text: string;
}

// `dropRouted` is false in a scenario with DR, where a forwarded packet looks like a routed one.
function normalFrames(
  frames: readonly SubjectFrame[],
  inputs: readonly Uint8Array[],
  dropRouted: boolean,
): NormalFrame[] {
  const heard = dropRouted ? frames.filter(({ frame }) => !isRouted(frame, inputs)) : frames;
  return portNames.flatMap(port =>
    heard
      .filter(sent => sent.port === port)
      .map(({ frame }) => {
        const plain = normalise(frame, inputs);
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
  return expected.join('\n') === actual.join('\n');
}

function inputsOf(step: Step): readonly Uint8Array[] {
  return step.action.kind === 'frames' ? step.action.frames : [];
}

function usesDirectRouting(scenario: Scenario): boolean {
  return scenario.steps.some(
    ({ action }) =>
      action.kind === 'command' && /^ipvsadm -[ae] /.test(action.command) && !/ -[mi]( |$)/.test(action.command),
  );
}

function compareStep(
  step: Step,
  kernel: Outcome,
  subject: SubjectOutcome,
  dropRouted: boolean,
): [string[], string[]] | undefined {
  const inputs = inputsOf(step);
  const expected = normalFrames(kernel.transmitted, inputs, dropRouted);
  const actual = normalFrames(subject.transmitted, inputs, dropRouted);
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
  const dropRouted = !usesDirectRouting(scenario);
  return scenario.steps.flatMap((step, index) => {
    const kernel = recording.outcomes[index];
    const subject = outcomes[index];
    if (!kernel || !subject || step.deviation !== undefined) return [];
    const difference = compareStep(step, kernel, subject, dropRouted);
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
