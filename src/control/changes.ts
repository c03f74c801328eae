// SPDX-License-Identifier: Apache-2.0
// What people ask of the configuration: apply a document, read the files again, go back, confirm, compare. Control brings
// the snapshots into force, and the history keeps them.
//
// A change that asks for a confirmation is undone when nobody confirms it in time, also when control has crashed or was
// stopped meanwhile:
//
//   apply ──▶ in force, waits ──confirm──▶ stays
//                  │ time is over, or rollback
//                  └──▶ the snapshot before is in force again
//
// While a change waits, other changes are refused: nobody would know what the way back leads to.
import type { Clock, Timer } from '../core/clock.ts';
import type { DocumentFormat, Sections, Snapshot } from '../core/config/snapshot.ts';
import { HistoryError, UsageError } from '../core/errors.ts';
import type { Tell } from '../core/events/event.ts';
import { given } from '../core/given.ts';
import type { Logger } from '../core/logger.ts';
import { ChangeOutcomes } from './change-outcomes.ts';
import type { Applied, Control, Next } from './control.ts';
import { appliedEvent, confirmedEvent, refusedEvent } from './events/change-events.ts';
import type { Entry, Note } from './history/entry.ts';
import type { History } from './history/history.ts';

export interface ChangesOptions<S extends Sections> {
  readonly control: Control<S>;
  readonly format: DocumentFormat<S>;
  readonly history: History;
  /** Reads the files of the command line. Throws what is wrong with them; undefined: there are none. */
  readonly read: (() => Promise<Snapshot<S>>) | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Is told of all changes but those that were only tried, and those after which nothing is different. */
  readonly tell: Tell;
}

/** Who asks for a change and why. */
export interface Author {
  readonly author: string;
  readonly reason?: string | undefined;
}

export interface ChangeOptions extends Author {
  /** The change is undone unless it is confirmed within so many seconds. */
  readonly confirmSeconds?: number | undefined;
  /** Only try: nothing changes. */
  readonly dryRun?: boolean | undefined;
  /** The change is refused unless the snapshot of this id is in force. */
  readonly expect?: string | undefined;
}

/** A change that was made or tried. */
export interface Changed extends Applied {
  /** The number of the entry in the history; undefined where nothing was added. */
  readonly entry?: number;
  readonly confirmBefore?: string;
}

/** What control does by itself has this author. */
const ownAuthor = 'sluice';

/** After a rollback that a plane refused. */
const retryMilliseconds = 1000;

export class Changes<S extends Sections> {
  readonly #options: ChangesOptions<S>;
  readonly #control: Control<S>;
  readonly #history: History;
  /** What became of the changes that were asked for, except of those that were only tried. */
  readonly outcomes = new ChangeOutcomes();
  #expiry: Timer | undefined;

  constructor(options: ChangesOptions<S>) {
    this.#options = options;
    this.#control = options.control;
    this.#history = options.history;
  }

  /** Goes on waiting for a confirmation that the process before waited for. */
  resume(): void {
    this.#watchPending();
  }

  /** Brings a document into force: a plain value, as `DocumentFormat.write` makes it. */
  apply(document: unknown, options: ChangeOptions): Promise<Changed> {
    return this.#change(() => this.#options.format.from(document), { action: 'apply' }, options);
  }

  /** Brings what `make` makes of the snapshot in force into force: a command that changes a part of it. */
  edit(make: (before: Snapshot<S>) => Snapshot<S> | Promise<Snapshot<S>>, options: ChangeOptions): Promise<Changed> {
    return this.#change(before => make(before ?? this.#options.format.snapshot({})), { action: 'command' }, options);
  }

  /** Brings the first snapshot into force. */
  start(first: () => Promise<Snapshot<S>>, author: string): Promise<Applied> {
    return this.#told(first, { action: 'start', author });
  }

  /** Reads the files of the command line again. */
  reload(options: ChangeOptions): Promise<Changed> {
    return this.#change(() => this.#fromFiles(), { action: 'reload' }, options);
  }

  /** Goes back to the snapshot of an entry; unless one is named, to the one before the snapshot in force. */
  async rollback(which: string | undefined, options: ChangeOptions): Promise<Changed> {
    const { pending } = this.#history;
    const entry = which === undefined ? this.#before() : this.#history.find(which);
    const note = { action: 'rollback', back: entry.number } as const;
    return await this.#change(() => this.#snapshotOf(entry), note, options, pending);
  }

  /** The snapshot in force stays, though it was applied for a time. */
  async confirm(): Promise<Entry> {
    const { pending } = this.#history;
    const { logger, tell } = this.#options;
    if (pending === undefined) {
      throw new UsageError('no change waits for a confirmation', { remedy: 'sluice history shows what was done' });
    }
    await this.#history.confirm(pending);
    this.#expiry?.cancel();
    logger.info({ entry: pending.number, snapshot: pending.id }, 'the change is confirmed');
    tell(confirmedEvent(pending));
    return pending;
  }

  /** The changes that lead from the snapshot in force to the other one, a line each. */
  compareWith(other: Snapshot<S>): readonly string[] {
    const { format } = this.#options;
    const { snapshot } = this.#control;
    return snapshot === undefined ? [] : format.describe(format.compare(snapshot, other));
  }

  /** What the files of the command line say at this moment. */
  async #fromFiles(): Promise<Snapshot<S>> {
    const { read } = this.#options;
    if (read !== undefined) return await read();
    throw new UsageError('this sluice was started without a file', {
      remedy: 'name the file: sluice diff FILE, sluice apply FILE',
    });
  }

  /** The snapshot that is asked for by a document, by a name of the history, or by the files of the command line. */
  async named({ document, which }: { document?: unknown; which?: string | undefined }): Promise<Snapshot<S>> {
    if (document !== undefined) return this.#options.format.from(document);
    return which === undefined ? await this.#fromFiles() : await this.#snapshotOf(this.#history.find(which));
  }

  async #snapshotOf(entry: Entry): Promise<Snapshot<S>> {
    const snapshot = this.#options.format.from(await this.#history.document(entry));
    if (snapshot.id === entry.id) return snapshot;
    throw new HistoryError('the snapshot means something else to this version of sluice', {
      value: entry.number,
      remedy: 'look at it with sluice show, and apply what you want as a file',
    });
  }

  /** The entry whose snapshot was in force before the last change. */
  #before(): Entry {
    const { snapshot } = this.#control;
    const entry = this.#history.entries.findLast(({ id }) => id !== snapshot?.id);
    if (entry !== undefined) return entry;
    throw new UsageError('there is no snapshot to go back to', { remedy: 'sluice history shows those that are kept' });
  }

  /** `undoes`: the entry that may wait for its confirmation because this change undoes it. */
  async #change(
    next: Next<S>,
    what: Pick<Note, 'action' | 'back'>,
    { author, reason, confirmSeconds, dryRun = false, expect }: ChangeOptions,
    undoes?: Entry,
  ): Promise<Changed> {
    const checked = (before: Snapshot<S> | undefined): Snapshot<S> | Promise<Snapshot<S>> => {
      this.#checkExpected(before, expect);
      this.#checkOpen(undoes);
      return next(before);
    };
    if (dryRun) return await this.#control.attempt(checked);
    const before = this.#history.last?.entry.number;
    const confirmBefore = confirmSeconds === undefined ? undefined : this.#timeAfter(confirmSeconds);
    const note = { ...what, author, ...given({ reason, confirmBefore }) };
    const applied = await this.outcomes.of(what.action, this.#told(checked, note));
    const entry = this.#history.last?.entry;
    this.#watchPending();
    const { logger } = this.#options;
    logger.info(
      { snapshot: applied.id, changes: applied.changes.slice(0, mostLogged), ...note },
      'configuration applied',
    );
    if (entry === undefined || entry.number === before) return applied;
    return { ...applied, entry: entry.number, ...given({ confirmBefore: entry.confirmBefore }) };
  }

  /** Makes the change, and tells how it ended. */
  async #told(next: Next<S>, note: Note): Promise<Applied> {
    const { tell } = this.#options;
    let before = this.#control.snapshot?.id;
    try {
      const applied = await this.#control.change(inForce => {
        before = inForce?.id;
        return next(inForce);
      }, note);
      if (applied.id !== before) tell(appliedEvent({ note, before }, applied, this.#history.last?.entry));
      return applied;
    } catch (error) {
      tell(refusedEvent({ note, before }, error));
      throw error;
    }
  }

  #timeAfter(seconds: number): string {
    return new Date(this.#options.clock.now() + seconds * 1000).toISOString();
  }

  #checkExpected(before: Snapshot<S> | undefined, expect: string | undefined): void {
    if (expect === undefined || before?.id === this.#history.find(expect).id) return;
    throw new UsageError('another snapshot is in force than the one that the change expects', {
      value: before?.id,
      remedy: 'look at sluice diff, and try again',
    });
  }

  #checkOpen(undoes: Entry | undefined): void {
    const { pending, unavailable } = this.#history;
    if (unavailable !== undefined) throw unavailable;
    if (pending === undefined || pending.number === undoes?.number) return;
    throw new UsageError(`change ${pending.number} by ${pending.author} waits for its confirmation`, {
      value: `until ${pending.confirmBefore}`,
      remedy: 'keep it with sluice confirm, or undo it with sluice rollback',
    });
  }

  /** Sets the timer for the change that waits for a confirmation, if one does. */
  #watchPending(): void {
    this.#expiry?.cancel();
    const { pending } = this.#history;
    if (pending?.confirmBefore === undefined) return;
    const milliseconds = Date.parse(pending.confirmBefore) - this.#options.clock.now();
    this.#expiry = this.#options.clock.after(Math.max(0, milliseconds), () => void this.#expire(pending));
  }

  async #expire(entry: Entry): Promise<void> {
    if (this.#history.pending?.number !== entry.number) return;
    const { logger, clock } = this.#options;
    const to = this.#before();
    logger.warn({ entry: entry.number, to: to.number }, 'nobody has confirmed the change in time: going back');
    const note = { action: 'expired', back: to.number } as const;
    const reason = `nobody confirmed change ${entry.number} in time`;
    try {
      await this.#change(() => this.#snapshotOf(to), note, { author: ownAuthor, reason }, entry);
    } catch (err) {
      logger.error({ err, entry: entry.number }, 'the change could not be undone: trying again');
      this.#expiry = clock.after(retryMilliseconds, () => void this.#expire(entry));
    }
  }
}

/** A line of the log has so many changes at most. */
const mostLogged = 100;
