// SPDX-License-Identifier: Apache-2.0
// A replay: frames of captures through a director, what it sends and decides into files.
import type { SluiceError } from '../../core/errors.ts';
import { type BatchDecisions, type Connection, Director, reasons, type Verdict } from '../../lvs/director.ts';
import type { Layer4 } from '../../lvs/model.ts';
import type { Surroundings } from '../../lvs/surroundings.ts';
import type { NativeParties, ReasonRow } from '../../native/director.ts';
import { describeFrame } from '../../wire/describe.ts';
import { type MergedBatch, MergedCaptures } from './merge.ts';
import { Outputs, SentFrames } from './outputs.ts';

export interface ReplayInput {
  readonly port: string;
  readonly file: string;
}

/** One packet's decision, for those who asked for its steps. */
export interface Explanation {
  /** Its line in verdicts.jsonl, without the line end. */
  readonly line: string;
  readonly n: number;
  readonly port: string;
  /** Seconds with nine decimals. */
  readonly time: string;
  /** The frame in a line. */
  readonly packet: string;
  readonly verdict: Verdict;
  readonly reason: string;
  readonly meaning: string;
  readonly service?: string;
  readonly server?: string;
  readonly mode?: string;
  readonly steps: readonly string[];
  readonly sent: readonly { readonly port: string; readonly n: number; readonly packet: string }[];
}

export interface ReplayOptions {
  readonly surroundings: Surroundings;
  readonly model: Layer4;
  /** In the order in which they were given. */
  readonly inputs: readonly ReplayInput[];
  readonly folder: string;
  /** Is told of every packet, in order. */
  readonly explain?: ((explanation: Explanation) => void) | undefined;
  /** Is told now and then how many frames were taken. */
  readonly progress?: ((frames: number) => void) | undefined;
}

export interface ReplaySummary {
  readonly frames: number;
  readonly inputs: readonly { readonly port: string; readonly file: string; readonly frames: number }[];
  readonly outputs: readonly { readonly port: string; readonly frames: number }[];
  /** What was decided how often: the reasons that occurred, in the order of the table of reasons. */
  readonly reasons: readonly (ReasonRow & { readonly frames: number })[];
  /** Frames that the capture holds only the beginning of. */
  readonly cutFrames: number;
  /** Frames stamped earlier than one before them. */
  readonly lateFrames: number;
}

export interface ReplayResult {
  readonly summary: ReplaySummary;
  /** The table when the last frame had been taken. */
  readonly connections: readonly Connection[];
  /** Captures that could not be read to their end. */
  readonly failures: readonly SluiceError[];
}

/** Throws what keeps it from beginning or its files from being written. */
export async function replay(options: ReplayOptions): Promise<ReplayResult> {
  const ports = options.surroundings.ports.map(port => port.name);
  const captures = new MergedCaptures(options.inputs.map(({ port, file }) => ({ port: ports.indexOf(port), file })));
  const { surroundings, model, folder, progress } = options;
  const director = new Director({ surroundings, model, start: captures.start });
  const inputs = options.inputs.map(input => input.file);
  const outputs = new Outputs({ folder, ports, precision: captures.precision, inputs });
  const scribe = new Scribe(ports, outputs, options.explain);
  let now = captures.start;
  for (const batch of captures.batches()) {
    for (const part of director.receiveBatch(batch.frames, options.explain !== undefined)) scribe.write(batch, part);
    now = batch.frames.times[batch.frames.length - 1] ?? now;
    progress?.(scribe.frames);
    await afterSignals();
  }
  outputs.close();
  const { cutFrames, lateFrames, failures } = captures;
  const read = captures.counts;
  const summary = {
    frames: scribe.frames,
    inputs: options.inputs.map(({ port, file }, index) => ({ port, file, frames: read[index] ?? 0 })),
    outputs: ports.map((port, index) => ({ port, frames: outputs.counts[index] ?? 0 })),
    reasons: scribe.reasons(),
    cutFrames,
    lateFrames,
  };
  return { summary, connections: director.connections(now), failures };
}

// Lets the process hear signals and the reader's end of a pipe close between two batches.
function afterSignals(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}

/** Puts decisions into words and files. */
class Scribe {
  frames = 0;
  readonly #ports: readonly string[];
  readonly #outputs: Outputs;
  readonly #explain: ((explanation: Explanation) => void) | undefined;
  readonly #reasons = reasons();
  readonly #counts = this.#reasons.map(() => 0);
  readonly #verdictTexts = this.#reasons.map(({ verdict, name }) => `,"verdict":"${verdict}","reason":"${name}"`);

  constructor(ports: readonly string[], outputs: Outputs, explain: ((explanation: Explanation) => void) | undefined) {
    this.#ports = ports;
    this.#outputs = outputs;
    this.#explain = explain;
  }

  reasons(): ReplaySummary['reasons'] {
    return this.#reasons
      .map((row, index) => ({ ...row, frames: this.#counts[index] ?? 0 }))
      .filter(row => row.frames > 0);
  }

  write({ frames, stamps }: MergedBatch, part: BatchDecisions): void {
    const { first, next, decisions, sentFrames } = part;
    const parties = ['', ...part.parties.map(partiesText)];
    const sent = new SentFrames(part.sent);
    const lines: string[] = [];
    let nextSent = 0;
    for (let index = first; index < next; index += 1) {
      const row = (index - first) * 3;
      const [reason = 0, party = 0, sentCount = 0] = [decisions[row], decisions[row + 1], decisions[row + 2]];
      const stamp = stamps[index] ?? 0n;
      const numbers: SentNumber[] = [];
      for (let left = sentCount; left > 0; left -= 1, nextSent += 2) {
        const [port = 0, length = 0] = [sentFrames[nextSent], sentFrames[nextSent + 1]];
        const begin = sent.add(port, length, stamp);
        numbers.push({ port: this.#ports[port] ?? '', n: this.#outputs.number(port), begin, length });
      }
      this.frames += 1;
      this.#counts[reason] = (this.#counts[reason] ?? 0) + 1;
      const port = this.#ports[frames.portOf(index)] ?? '';
      const time = timeText(stamp);
      const out = numbers.map(({ port: name, n }) => `{"port":"${name}","n":${n}}`).join(',');
      const decision = `${this.#verdictTexts[reason]}${parties[party]}`;
      const line = `{"n":${this.frames},"port":"${port}","time":${time}${decision},"out":[${out}]}`;
      lines.push(line, '\n');
      this.#explain?.({
        line,
        n: this.frames,
        port,
        time,
        packet: describeFrame(frames.frame(index)),
        ...this.#reasonOf(reason),
        ...part.parties[party - 1],
        steps: part.steps[index - first] ?? [],
        sent: numbers.map(({ port: name, n, begin, length }) => ({
          port: name,
          n,
          packet: describeFrame(part.sent.subarray(begin, begin + length)),
        })),
      });
    }
    this.#outputs.writeVerdicts(lines.join(''));
    this.#outputs.writeFrames(sent);
  }

  #reasonOf(number: number): Pick<Explanation, 'verdict' | 'reason' | 'meaning'> {
    const row = this.#reasons[number];
    if (row === undefined) throw new RangeError(`the native module has no reason ${number}`);
    return { verdict: row.verdict, reason: row.name, meaning: row.meaning };
  }
}

interface SentNumber {
  readonly port: string;
  readonly n: number;
  /** In the buffer of what was sent. */
  readonly begin: number;
  readonly length: number;
}

// Names of services and servers have no characters that JSON would escape.
function partiesText({ service, server, mode }: NativeParties): string {
  const known = Object.entries({ service, server, mode }).filter(([, value]) => value !== undefined);
  return known.map(([key, value]) => `,"${key}":"${value}"`).join('');
}

const nanosecondsPerSecond = 1_000_000_000n;

/** Seconds with nine decimals, as `tcpdump -tt` prints them. */
export function timeText(nanoseconds: bigint): string {
  const seconds = nanoseconds / nanosecondsPerSecond;
  const fraction = Number(nanoseconds - seconds * nanosecondsPerSecond);
  return `${seconds}.${String(fraction).padStart(9, '0')}`;
}
