// SPDX-License-Identifier: Apache-2.0
// Writes the decisions of a director: a line of JSON for every received frame, the sent frames into the captures of their
// ports, and explanations on request.
import { type BatchDecisions, reasons, type Verdict } from '../../director/forwarding-core.ts';
import { hostPort } from '../../director/verdict.ts';
import type { NativeParties, ReasonRow } from '../../native/director.ts';
import { describeFrame } from '../../wire/describe.ts';
import type { MergedBatch } from './merge.ts';
import { type Outputs, SentFrames } from './outputs.ts';

/** The explanation of one packet. */
export interface Explanation {
  /** Its line in verdicts.jsonl, without the line end. */
  readonly line: string;
  readonly n: number;
  readonly port: string;
  /** Seconds with nine decimals. */
  readonly time: string;
  /** The frame as one line of text. */
  readonly packet: string;
  readonly verdict: Verdict;
  readonly reason: string;
  readonly meaning: string;
  readonly service?: string;
  readonly server?: string;
  readonly mode?: string;
  readonly steps: readonly string[];
  readonly sent: readonly { readonly port: string; readonly n: number; readonly packet: string }[];
  /** Frames that timers sent before the packet arrived. They belong to no packet, so verdicts.jsonl does not have them. */
  readonly timers: readonly {
    readonly port: string;
    readonly n: number;
    readonly time: string;
    readonly packet: string;
  }[];
}

/** A reason and how many frames had it. */
export type CountedReason = ReasonRow & { readonly frames: number };

/** Numbers for each row of NativeDecisions.decisions and .sentFrames. */
const [fieldsPerDecision, fieldsPerSent] = [4, 2] as const;

export class DecisionWriter {
  /** Number of frames so far. */
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

  /** The reasons that occurred. */
  reasons(): CountedReason[] {
    return this.#reasons
      .map((row, index) => ({ ...row, frames: this.#counts[index] ?? 0 }))
      .filter(row => row.frames > 0);
  }

  write(batch: MergedBatch, part: BatchDecisions): void {
    const { first, next, decisions, sentFrames } = part;
    const parties = ['', ...part.parties.map(partiesText)];
    const sent = new SentFrames(part.sent, sentFrames);
    const lines: string[] = [];
    let [nextSent, nextTimer] = [0, 0];
    const take = (time: bigint): SentFrame => {
      const [port = 0, length = 0] = [sentFrames[nextSent], sentFrames[nextSent + 1]];
      nextSent += fieldsPerSent;
      const begin = sent.add(port, length, time);
      return { port: this.#ports[port] ?? hostPort, n: this.#outputs.number(port), begin, length };
    };
    for (let index = first; index < next; index += 1) {
      const row = (index - first) * fieldsPerDecision;
      const [reason = 0, party = 0, sentCount = 0, timerCount = 0] = decisions.subarray(row, row + fieldsPerDecision);
      const stamp = batch.stamps[index] ?? 0n;
      const timers = Array.from({ length: timerCount }, () => {
        const time = part.timerTimes[nextTimer++] ?? 0n;
        return { time: timeText(time), ...take(time) };
      });
      const out = Array.from({ length: sentCount }, () => take(stamp));
      this.frames += 1;
      this.#counts[reason] = (this.#counts[reason] ?? 0) + 1;
      const came = `"port":"${this.#ports[batch.frames.portOf(index)]}","time":${timeText(stamp)}`;
      const decision = `${this.#verdictTexts[reason]}${parties[party]}`;
      const line = `{"n":${this.frames},${came}${decision},"out":[${out.map(outText).join(',')}]}`;
      lines.push(line, '\n');
      this.#explain?.({
        line,
        ...this.#received(batch, part, index),
        ...this.#decision(part, reason, party, out),
        timers: timers.map(({ port, n, time, ...frame }) => ({ port, n, time, packet: packetText(part, frame) })),
      });
    }
    this.#outputs.writeVerdicts(lines.join(''));
    this.#outputs.writeFrames(sent);
  }

  #received({ frames, stamps }: MergedBatch, { first, steps }: BatchDecisions, index: number) {
    return {
      n: this.frames,
      port: this.#ports[frames.portOf(index)] ?? '',
      time: timeText(stamps[index] ?? 0n),
      packet: describeFrame(frames.frame(index)),
      steps: steps[index - first] ?? [],
    };
  }

  #decision(part: BatchDecisions, reason: number, party: number, out: readonly SentFrame[]) {
    const row = this.#reasons[reason];
    if (row === undefined) throw new RangeError(`the native module has no reason ${reason}`);
    const sent = out.map(({ port, n, ...frame }) => ({ port, n, packet: packetText(part, frame) }));
    // Parties are numbered from 1.
    return { verdict: row.verdict, reason: row.name, meaning: row.meaning, ...part.parties[party - 1], sent };
  }
}

interface SentFrame {
  readonly port: string;
  readonly n: number;
  /** Offset in the buffer of sent frames. */
  readonly begin: number;
  readonly length: number;
}

function packetText(part: BatchDecisions, { begin, length }: Pick<SentFrame, 'begin' | 'length'>): string {
  return describeFrame(part.sent.subarray(begin, begin + length));
}

function outText({ port, n }: SentFrame): string {
  return `{"port":"${port}","n":${n}}`;
}

// Names of services and servers have no characters that JSON would escape.
function partiesText({ service, server, mode }: NativeParties): string {
  const known = Object.entries({ service, server, mode }).filter(([, value]) => value !== undefined);
  return known.map(([key, value]) => `,"${key}":"${value}"`).join('');
}

const nanosecondsPerSecond = 1_000_000_000n;

/** Seconds with nine decimals, as `tcpdump -tt` prints them. */
function timeText(nanoseconds: bigint): string {
  const seconds = nanoseconds / nanosecondsPerSecond;
  const fraction = Number(nanoseconds - seconds * nanosecondsPerSecond);
  return `${seconds}.${String(fraction).padStart(9, '0')}`;
}
