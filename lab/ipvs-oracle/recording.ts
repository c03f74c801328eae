// SPDX-License-Identifier: Apache-2.0
// What the kernel did in a scenario. It is read from the virtual machine's transcript and kept in a text file.
//
// A recording has one section for each step, in the order of the scenario:
//   ## LINE TIME TEXT                      the step: its line in the scenario, its time in seconds
//   PORT < SUMMARY                         a frame that the director transmitted, in words
//     HEX                                  and in bytes
//   PORT < +DELAY SUMMARY                  the same, but DELAY seconds after the step
//   | TEXT                                 a line that a command printed
//   ! STATUS                               the command's exit status, unless it was 0
// Random fields have fixed values (normalise.ts), so a renewed recording differs only where the behaviour differs.
// Frames are grouped by port, since two ports give no order between their frames.

import { toHex } from '../../src/wire/ip-packet.ts';
import { type Context, contextOf, normalise } from './normalise.ts';
import { type PortName, portNames, type Scenario, type Step } from './scenario.ts';
import { summarize } from './summary.ts';

export interface Transmitted {
  readonly port: PortName;
  readonly frame: Uint8Array;
  readonly delayNs: bigint; // since the step
}

export interface Outcome {
  readonly transmitted: readonly Transmitted[];
  readonly output: readonly string[];
  readonly status: number;
}

export interface Recording {
  readonly kernel: string;
  readonly outcomes: readonly Outcome[]; // one for each step
}

// A delay below this is recorded as none: the machine's clock counts instructions, and the kernel's work takes some.
const instantNs = 10_000_000n;

interface OpenOutcome {
  transmitted: Transmitted[];
  output: string[];
  status: number;
  startNs: bigint;
}

export class TranscriptError extends Error {
  readonly code = 'TRANSCRIPT_INVALID';
}

function portOf(text: string): PortName {
  const port = portNames.find(name => name === text);
  if (!port) throw new TranscriptError(`the transcript names an unknown port "${text}"`);
  return port;
}

function addTranscriptLine(line: string, current: OpenOutcome): void {
  const [word = '', ...rest] = line.split(' ');
  if (word === 'tx') {
    const [port = '', time = '0', hex = ''] = rest;
    const delayNs = BigInt(time) - current.startNs;
    const frame = Uint8Array.from(Buffer.from(hex, 'hex'));
    current.transmitted.push({ port: portOf(port), frame, delayNs: delayNs < instantNs ? 0n : delayNs });
  } else if (word === 'out') {
    current.output.push(line.slice('out '.length));
  } else if (word === 'status') {
    current.status = Number(rest[0]);
  }
}

// The lines of a transcript by scenario. A scenario in which the machine stopped is left out.
export function splitTranscript(text: string): Map<string, string[]> {
  const sections = new Map<string, string[]>();
  let lines: string[] | undefined;
  for (const line of text.split('\n')) {
    if (line.startsWith('scenario ')) {
      lines = [];
      sections.set(line.slice('scenario '.length), lines);
    } else if (line === 'end') {
      lines = undefined;
    } else {
      lines?.push(line);
    }
  }
  const unfinished = lines && [...sections.keys()].at(-1);
  if (unfinished !== undefined) sections.delete(unfinished);
  return sections;
}

export function readTranscript(
  scenario: Scenario,
  lines: readonly string[] | undefined,
  kernel: string,
): Recording | TranscriptError {
  if (!lines) return new TranscriptError('the virtual machine stopped before the end of this scenario');
  const outcomes = scenario.steps.map<OpenOutcome>(() => ({ transmitted: [], output: [], status: 0, startNs: 0n }));
  let current: OpenOutcome | undefined;
  for (const [index, line] of lines.entries()) {
    if (line.startsWith('fault ')) {
      const said = lines.slice(0, index).filter(earlier => earlier.startsWith('out '));
      return new TranscriptError([`in the virtual machine: ${line.slice('fault '.length)}`, ...said].join('\n'));
    }
    if (line.startsWith('step ')) {
      const [, step = '', time = '0'] = line.split(' ');
      current = outcomes[Number(step)];
      if (current) current.startNs = BigInt(time);
    } else if (current) {
      addTranscriptLine(line, current);
    }
  }
  return { kernel, outcomes: outcomes.map(byPort) };
}

function byPort(outcome: OpenOutcome): Outcome {
  const { output, status } = outcome;
  const transmitted = portNames.flatMap(port => outcome.transmitted.filter(frame => frame.port === port));
  return { transmitted, output, status };
}

function seconds(ns: bigint): string {
  return (Number(ns) / 1e9).toFixed(3);
}

// Sorts a listing of connections: the kernel walks a hash table with a random seed.
function printedLines(step: Step, output: readonly string[]): readonly string[] {
  if (step.action.kind !== 'show' || step.action.view !== 'connections') return output;
  return [...output.slice(0, connectionHeadLines), ...output.slice(connectionHeadLines).sort(byEnds)];
}

const connectionHeadLines = 2;

// Compares two lines without their expiry: by protocol, state, client and the rest.
function byEnds(a: string, b: string): number {
  const key = (line: string) => line.replace(/^(\S+)\s+\S+/, '$1');
  return key(a) < key(b) ? -1 : 1;
}

function outcomeLines(step: Step, outcome: Outcome, context: Context): string[] {
  const lines: string[] = [];
  for (const { port, frame, delayNs } of outcome.transmitted) {
    const delay = delayNs > 0n ? `+${(Number(delayNs) / 1e9).toFixed(1)} ` : '';
    const plain = normalise(frame, context);
    lines.push(`${port} < ${delay}${summarize(plain)}`, `  ${toHex(plain)}`);
  }
  lines.push(...printedLines(step, outcome.output).map(line => `| ${line}`.trimEnd()));
  if (outcome.status !== 0) lines.push(`! ${outcome.status}`);
  return lines;
}

export function formatRecording(scenario: Scenario, recording: Recording): string {
  const lines = [
    `# ${scenario.title}`,
    `# What the kernel ${recording.kernel} did; renewed by: npm run lab -- oracle --record ${scenario.name}`,
  ];
  for (const [index, step] of scenario.steps.entries()) {
    const outcome = recording.outcomes[index];
    lines.push(
      '',
      `## ${step.line} ${seconds(step.timeNs)} ${step.text}`,
      ...(outcome ? outcomeLines(step, outcome, contextOf(step, scenario.topology)) : []),
    );
  }
  return `${lines.join('\n')}\n`;
}

interface Section {
  readonly head: string;
  readonly outcome: Outcome;
}

function parseSection(lines: readonly string[]): Section {
  const transmitted: Transmitted[] = [];
  const output: string[] = [];
  let status = 0;
  for (const [index, line] of lines.entries()) {
    const frame = /^([cs]0) < (?:\+([\d.]+) )?/.exec(line);
    if (frame) {
      const hex = lines[index + 1]?.trim() ?? '';
      const delayNs = BigInt(Math.round(Number(frame[2] ?? 0) * 10)) * 100_000_000n;
      transmitted.push({ port: portOf(frame[1] ?? ''), frame: Uint8Array.from(Buffer.from(hex, 'hex')), delayNs });
    } else if (line.startsWith('|')) {
      output.push(line.slice(2));
    } else if (line.startsWith('! ')) {
      status = Number(line.slice(2));
    }
  }
  return { head: lines[0] ?? '', outcome: { transmitted, output, status } };
}

// Reads a recording. Fails when its steps differ from those of the scenario: then it must be renewed.
export function parseRecording(scenario: Scenario, text: string): Recording {
  const sections = text
    .split(/^## /m)
    .slice(1)
    .map(section => parseSection(section.split('\n')));
  const matches = sections.map(section => section.head.replace(/^\d+ [\d.]+ /, ''));
  const expected = scenario.steps.map(step => step.text);
  if (matches.length !== expected.length || !expected.every((step, i) => step === matches[i])) {
    throw new Error(
      `${scenario.name}: the scenario has changed since its recording; renew it: npm run lab -- oracle --record ${scenario.name}`,
    );
  }
  return {
    kernel: /What the kernel (\S+) did/.exec(text)?.[1] ?? '',
    outcomes: sections.map(section => section.outcome),
  };
}
