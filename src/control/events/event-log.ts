// SPDX-License-Identifier: Apache-2.0
// All events of this Sluice: control gives them their numbers, keeps the latest, and writes them to disk. Telling an event
// does not wait for the disk. A disk that refuses stops nothing: events stay in memory, an event, the log and
// `sluice status` say so, and what is still kept is written as soon as the disk takes it.
import { type Clock, sleep } from '../../core/clock.ts';
import type { EventFacts, SluiceEvent, Tell, ToldEvent } from '../../core/events/event.ts';
import { EventRing } from '../../core/events/ring.ts';
import type { Logger } from '../../core/logger.ts';
import { cut } from './cut.ts';
import { EventFile } from './event-file.ts';

export interface EventLogOptions {
  /** The folder, by the path that the process can use and by the one that people know. */
  readonly folder: { readonly path: string; readonly shown: string };
  readonly clock: Clock;
  readonly logger: Logger;
  readonly mostKept?: number;
}

/** Which events are wanted. */
export interface Wanted {
  readonly after?: number | undefined;
  /** A time in ISO 8601. */
  readonly since?: string | undefined;
  /** Kinds, or what their names begin with up to a dot. */
  readonly kind?: readonly string[] | undefined;
  /** Of those that fit, the latest. */
  readonly most?: number | undefined;
}

/** What a reader gets: an event, or the number of events that came before and are not kept any more. */
export type Read = SluiceEvent | { readonly missed: number };

/** An event takes some 500 bytes, one of a change with many parts some 10 KB (cut.ts): 1 MB usually, 20 MB at worst. */
const usualKept = 2000;

/** Between two attempts to write to a disk that refuses. */
const retryMilliseconds = 5000;

/** The kinds that say that the disk refuses, and that it takes events again. */
export const unsavedKind = 'events.unsaved';
const savedKind = 'events.saved';

export class EventLog {
  readonly #options: EventLogOptions;
  readonly #file: EventFile;
  readonly #ring: EventRing<SluiceEvent>;
  readonly #stop = new AbortController();
  #savedTo: number;
  #saving: Promise<void> | undefined;
  #failure: string | undefined;

  private constructor(options: EventLogOptions, file: EventFile, events: readonly SluiceEvent[]) {
    this.#options = options;
    this.#file = file;
    this.#ring = new EventRing(options.mostKept ?? usualKept, events);
    this.#savedTo = this.#ring.last;
  }

  /** Reads what the process before has left. */
  static async open(options: EventLogOptions): Promise<EventLog> {
    const file = new EventFile(options.folder.path, options.mostKept ?? usualKept, options.clock);
    try {
      return new EventLog(options, file, await file.read());
    } catch (err) {
      options.logger.warn(
        { err, folder: options.folder.shown },
        'the events of before cannot be read: their files are moved aside',
      );
      return new EventLog(options, file, []);
    }
  }

  /** The oldest comes first. */
  get events(): readonly SluiceEvent[] {
    return this.#ring.events;
  }

  get last(): number {
    return this.#ring.last;
  }

  /** Events from before this time may be forgotten; undefined while all are kept. */
  get forgottenBefore(): string | undefined {
    const [oldest] = this.#ring.events;
    return oldest === undefined || oldest.number === 1 ? undefined : oldest.at;
  }

  /** Why events are not on disk; undefined while they are. */
  get failure(): string | undefined {
    return this.#failure;
  }

  readonly tell: Tell = facts => this.tellAt(new Date(this.#options.clock.now()).toISOString(), facts);

  /** Tells what is known later than it happened. */
  tellAt(at: string, facts: EventFacts): void {
    this.#add({ at, ...facts });
  }

  /** Takes over what the process of a plane has told. */
  take(plane: string, instance: string, events: readonly ToldEvent[]): void {
    for (const { number, ...event } of events) this.#add({ ...event, source: { plane, instance, number } });
  }

  /** Resolves when there is an event after this number, or the signal is aborted. */
  added(number: number, signal: AbortSignal): Promise<void> {
    return this.#ring.added(number, signal);
  }

  /** Those that are wanted, and how many of those after `after` are not kept any more. */
  select({ after = 0, since, kind, most }: Wanted): {
    readonly events: readonly SluiceEvent[];
    readonly missed: number;
  } {
    // A reader that knows a higher number has read events of which the disk knows nothing: numbers have begun again.
    const { events, missed } = this.#ring.after(after > this.#ring.last ? 0 : after);
    const wanted = events.filter(event => isWanted(event, { since, kind }));
    return { events: most === undefined ? wanted : wanted.slice(-most), missed: after === 0 ? 0 : missed };
  }

  /** Those that are wanted, and then each that comes, until the signal is aborted. */
  async *follow(wanted: Wanted, signal: AbortSignal): AsyncGenerator<Read> {
    const { events, missed } = this.select(wanted);
    let at = this.#ring.last;
    if (missed > 0) yield { missed };
    yield* events;
    while (!signal.aborted) {
      await this.#ring.added(at, signal);
      const next = this.#ring.after(at);
      at = this.#ring.last;
      if (next.missed > 0) yield { missed: next.missed };
      yield* next.events.filter(event => isWanted(event, { kind: wanted.kind }));
    }
  }

  /** Writes what is not written yet, as far as the disk takes it. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#saving;
    if (this.#failure === undefined) await this.#save();
  }

  #add(event: Omit<SluiceEvent, 'number'>): void {
    this.#ring.add(number => ({ number, ...cut(event) }));
    if (!this.#stop.signal.aborted) this.#saving ??= this.#saveAll();
  }

  async #saveAll(): Promise<void> {
    const { signal } = this.#stop;
    while (this.#savedTo < this.#ring.last) {
      if (await this.#save()) continue;
      if (signal.aborted) break;
      await sleep(this.#options.clock, retryMilliseconds, signal).catch(() => undefined);
    }
    this.#saving = undefined;
  }

  /** Whether the disk has taken all that there was. */
  async #save(): Promise<boolean> {
    const { logger, folder } = this.#options;
    const { events } = this.#ring.after(this.#savedTo);
    const last = events.at(-1)?.number;
    if (last === undefined) return true;
    try {
      await this.#file.write(events);
      this.#savedTo = last;
      if (this.#failure === undefined) return true;
      this.#failure = undefined;
      logger.info('events are on disk again');
      this.tell({ kind: savedKind, severity: 'info', subject: 'events', text: 'events are on disk again' });
      return true;
    } catch (err) {
      const reason = err instanceof Error ? err.message : String(err);
      if (this.#failure === undefined) {
        const text = `events cannot be written to ${folder.shown}: they are lost when control ends`;
        this.#failure = `${text} (${reason})`;
        logger.warn({ err, folder: folder.shown }, 'events cannot be written: trying again');
        this.tell({ kind: unsavedKind, severity: 'warning', subject: 'events', text, fields: { reason } });
      }
      return false;
    }
  }
}

function isWanted(event: SluiceEvent, { since, kind }: Pick<Wanted, 'since' | 'kind'>): boolean {
  if (since !== undefined && Date.parse(event.at) < Date.parse(since)) return false;
  return kind === undefined || kind.some(one => event.kind === one || event.kind.startsWith(`${one}.`));
}
