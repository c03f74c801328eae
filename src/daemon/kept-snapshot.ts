// SPDX-License-Identifier: Apache-2.0
// The snapshot in force, for the next process of control: in the history on disk, and in the memory that the supervisor
// holds. The history is written first. So the entry that is last in the history is in force, or comes into force now; the
// memory serves where the disk refuses, or has lost lines.
import type { Note } from '../control/history/entry.ts';
import type { History } from '../control/history/history.ts';
import type { DocumentFormat, Sections, Snapshot } from '../core/config/snapshot.ts';
import { HostError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { type KeptMemory, KeptValue } from './kept-value.ts';

/** What the memory holds. */
interface Kept {
  /** The entry of the history; 0 where there is none. */
  readonly number: number;
  readonly document: unknown;
}

export class KeptSnapshot<S extends Sections> {
  readonly #format: DocumentFormat<S>;
  readonly #memory: KeptValue;
  readonly #history: History;
  readonly #logger: Logger;

  constructor(format: DocumentFormat<S>, memory: KeptMemory, history: History, logger: Logger) {
    this.#format = format;
    this.#memory = new KeptValue(memory);
    this.#history = history;
    this.#logger = logger;
  }

  /** What the process before has left, which this process keeps from now on; undefined at the first start. */
  take(): Snapshot<S> | undefined {
    try {
      const kept = this.#memory.take() as Kept | undefined;
      if (kept === undefined) return undefined;
      const { last } = this.#history;
      const newest = last !== undefined && last.entry.number >= kept.number ? last.document : kept.document;
      const snapshot = this.#format.from(newest);
      this.#keepInMemory(this.#format.write(snapshot));
      return snapshot;
    } catch (err) {
      this.#logger.warn({ err }, 'the snapshot in force cannot be read any more: beginning as at the first start');
      return undefined;
    }
  }

  /** Throws when it cannot, and then the snapshot must not come into force. */
  async keep(snapshot: Snapshot<S>, note: Note): Promise<void> {
    const { unavailable, last, pending } = this.#history;
    const isNew = last?.entry.id !== snapshot.id || pending !== undefined;
    const document = this.#format.write(snapshot);
    if (unavailable === undefined && isNew) await this.#history.add(snapshot.id, document, note);
    if (this.#keepInMemory(document)) return;
    const problem = 'no memory to keep the snapshot in force';
    if (unavailable !== undefined) throw new HostError(problem, { remedy: 'free memory and try again' });
    this.#logger.warn(`${problem}: after a crash of control the history alone has it`);
  }

  #keepInMemory(document: unknown): boolean {
    const number = this.#history.last?.entry.number ?? 0;
    const kept: Kept = { number, document };
    return this.#memory.keep(kept);
  }
}
