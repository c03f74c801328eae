// SPDX-License-Identifier: Apache-2.0
// The snapshots that were in force: a journal on disk, or, where the disk refuses, the reason why there is none. Without
// a history nothing may change: whatever runs is known to the history. What runs already goes on.
import type { Clock } from '../../core/clock.ts';
import { HistoryError, type SluiceError, UsageError } from '../../core/errors.ts';
import type { Entry, Note } from './entry.ts';
import { Journal, type Version } from './journal.ts';

/** An id is named by so many of its characters at least. */
const shortestPrefix = 4;

export class History {
  readonly #journal: Journal | undefined;
  readonly #clock: Clock;
  /** Why there is no history; undefined where there is one. */
  readonly unavailable: SluiceError | undefined;

  private constructor(journal: Journal | undefined, unavailable: SluiceError | undefined, clock: Clock) {
    this.#journal = journal;
    this.#clock = clock;
    this.unavailable = unavailable;
  }

  /** `shown`: the folder as people know it. `warn` is told what is damaged. */
  static async open(
    folder: { readonly path: string; readonly shown: string },
    clock: Clock,
    warn: (problem: string) => void,
  ): Promise<History> {
    try {
      return new History(await Journal.open(folder.path, { warn, shown: folder.shown }), undefined, clock);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const error = new HistoryError(`there is no history, so nothing may change: ${reason}`, {
        remedy: 'mend the folder or name another one with --state, and restart sluice',
        cause,
      });
      return new History(undefined, error, clock);
    }
  }

  /** The oldest entry comes first. */
  get entries(): readonly Entry[] {
    return this.#journal?.entries ?? [];
  }

  get last(): Version | undefined {
    return this.#journal?.last;
  }

  /** The last entry while it waits for a confirmation. */
  get pending(): Entry | undefined {
    const entry = this.last?.entry;
    return entry?.confirmBefore === undefined || this.#journal?.isConfirmed(entry.number) ? undefined : entry;
  }

  /** Adds the snapshot that comes into force now. When this resolves, the entry is on disk. */
  async add(id: string, document: unknown, note: Note): Promise<Entry> {
    const at = new Date(this.#clock.now()).toISOString();
    return await this.#writable().add({ id, at, ...note }, document);
  }

  async confirm(entry: Entry): Promise<void> {
    await this.#writable().confirm(entry.number);
  }

  /** The document of an entry. Throws where the entry is not kept any more. */
  async document(entry: Entry): Promise<unknown> {
    const document = await this.#journal?.document(entry.number);
    if (document !== undefined) return document;
    throw new HistoryError('the history does not have this snapshot any more', { value: entry.number });
  }

  /** The latest entry of that name: a number, or the beginning of an id. */
  find(which: string): Entry {
    const found = this.entries.filter(({ number, id }) =>
      /^\d{1,8}$/.test(which) ? number === Number(which) : which.length >= shortestPrefix && id.startsWith(which),
    );
    const latest = found.at(-1);
    if (latest === undefined) {
      throw new UsageError('the history has no such snapshot', {
        value: which,
        remedy: `give the number of an entry or at least ${shortestPrefix} characters of an id, as sluice history shows them`,
      });
    }
    const other = found.find(({ id }) => id !== latest.id);
    if (other === undefined) return latest;
    throw new UsageError('several snapshots begin like this', {
      value: which,
      remedy: `give more characters: ${other.id.slice(0, which.length + 8)}… or ${latest.id.slice(0, which.length + 8)}…`,
    });
  }

  async close(): Promise<void> {
    await this.#journal?.close();
  }

  #writable(): Journal {
    if (this.#journal !== undefined) return this.#journal;
    throw this.unavailable ?? new HistoryError('there is no history');
  }
}
