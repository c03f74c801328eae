// SPDX-License-Identifier: Apache-2.0
// Compares what a director did in a scenario with what the kernel did: frames byte for byte, tables line for line.
// Fields whose value is random are normalised first (normalise.ts).

import { toHex } from '../../src/wire/ip-packet.ts';
import { type Context, contextOf, isRouted, normalise } from './normalise.ts';
import type { Outcome, Recording } from './recording.ts';
import { portNames, type Scenario, type ScenarioTopology, type ShowView, type Step } from './scenario.ts';
import type { SubjectFrame, SubjectOutcome } from './subject.ts';
import { summarize } from './summary.ts';

export interface Difference {
  readonly scenario: string;
  readonly line: number; // of the scenario
  readonly step: string;
  readonly expected: readonly string[];
  readonly actual: readonly string[];
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

// A connection's remaining time may differ by this. Both sides round down to seconds, at slightly different instants.
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
  // The kernel walks a hash table with a random seed, so the order of the lines has no meaning.
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
  // A recording has no blanks at the ends of lines.
  const text = (lines: readonly string[]) => lines.map(line => line.trimEnd()).join('\n');
  return text(expected) === text(actual);
}

function compareStep(
  step: Step,
  topology: ScenarioTopology,
  kernel: Outcome,
  subject: SubjectOutcome,
): [string[], string[]] | undefined {
  const context = contextOf(step, topology);
  // The director left the packet to the host's stack, so the stack's answer is not compared.
  const isHostsAnswer = subject.isHosts && subject.transmitted.length === 0;
  const expected = isHostsAnswer ? [] : normalFrames(kernel.transmitted, context);
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

// The steps in which the subject behaved differently from the kernel. Steps with a deviation are not compared.
export function compare(scenario: Scenario, recording: Recording, outcomes: readonly SubjectOutcome[]): Difference[] {
  if (scenario.deviation !== undefined) return [];
  return scenario.steps.flatMap((step, index) => {
    const kernel = recording.outcomes[index];
    const subject = outcomes[index];
    if (!kernel || !subject || step.deviation !== undefined) return [];
    const difference = compareStep(step, scenario.topology, kernel, subject);
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
