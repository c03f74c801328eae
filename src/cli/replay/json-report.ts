// SPDX-License-Identifier: Apache-2.0
// A replay as one JSON document, written while it goes on: one packet a line, so that a capture of any length can be
// followed without holding it.
//
//   { "packets": […], "summary": {…}, "connections": […], "errors": […] }
//
// What was not asked for is left out.
import { type SluiceError, serializeError } from '../../core/errors.ts';
import type { Connection } from '../../director/forwarding-core.ts';
import type { Explanation } from './scribe.ts';
import type { ReplaySummary } from './session.ts';

export class JsonReport {
  readonly #print: (text: string) => void;
  #packets = 0;

  constructor(print: (text: string) => void) {
    this.#print = print;
  }

  /** The keys of verdicts.jsonl, and the packet, the steps and what was sent. */
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
