// SPDX-License-Identifier: Apache-2.0
// Prints a replay as one JSON document. It is printed while the replay runs, with one packet on each line, so that a long
// capture needs no memory.
//
//   { "packets": […], "summary": {…}, "connections": […], "errors": […] }
//
// Keys that were not requested are left out.
import { type SluiceError, serializeError } from '../../core/errors.ts';
import type { Connection } from '../../director/forwarding-core.ts';
import type { Explanation } from './decision-writer.ts';
import type { ReplaySummary } from './session.ts';

export class JsonReport {
  readonly #print: (text: string) => void;
  #packets = 0;

  constructor(print: (text: string) => void) {
    this.#print = print;
  }

  /** Prints a packet: the keys of verdicts.jsonl, and the packet, the meaning, the steps and the sent packets. */
  packet({ line, packet, meaning, steps, sent, timers }: Explanation): void {
    const timed = timers.length === 0 ? {} : { timers };
    const more = JSON.stringify({ packet, meaning, steps, sent: sent.map(frame => frame.packet), ...timed });
    this.#print(`${this.#packets === 0 ? '{"packets":[\n' : ',\n'}${line.slice(0, -1)},${more.slice(1)}`);
    this.#packets += 1;
  }

  finish(
    summary: ReplaySummary,
    connections: readonly Connection[] | undefined,
    failures: readonly SluiceError[],
  ): void {
    this.#print(`${this.#packets === 0 ? '{' : '\n],'}"summary":${JSON.stringify(summary)}`);
    if (connections !== undefined) this.#print(`,"connections":${JSON.stringify(connections)}`);
    if (failures.length > 0) this.#print(`,"errors":${JSON.stringify(failures.map(serializeError))}`);
    this.#print('}\n');
  }
}
