// SPDX-License-Identifier: Apache-2.0
// Events on disk, in the folder of the history: events.jsonl, and events.old.jsonl with those before. A line is written as
// in the history (lines.ts). A line that is torn or damaged is left out; those before and after it are read. Files that
// cannot be read are moved aside before anything is written: the new numbers begin at 1, and behind higher numbers a reader
// would leave them out.
import { type FileHandle, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { Value } from 'typebox/value';
import type { Clock } from '../../core/clock.ts';
import { eventSchema, type SluiceEvent } from '../../core/events/event.ts';
import { readLine, writeLine } from '../history/lines.ts';

const newName = 'events.jsonl';
const oldName = 'events.old.jsonl';

export class EventFile {
  readonly #folder: string;
  readonly #fullLines: number;
  readonly #clock: Clock;
  #lines = 0;
  /** What was written last may have no end of line. */
  #isTorn = true;
  /** The files that are there could not be read. */
  #isUnread = false;

  /**
   * A file with so many lines is full: the next events begin a new one. Events that are written at once stay together, so a
   * file may have more lines, by fewer than are written at once.
   */
  constructor(folder: string, fullLines: number, clock: Clock) {
    this.#folder = folder;
    this.#fullLines = fullLines;
    this.#clock = clock;
  }

  /** The oldest comes first. Throws when there are files and they cannot be read; `write` moves them aside then. */
  async read(): Promise<SluiceEvent[]> {
    this.#isUnread = true;
    const old = await this.#readFile(oldName);
    const latest = await this.#readFile(newName);
    this.#isUnread = false;
    this.#lines = latest.length;
    const events: SluiceEvent[] = [];
    for (const event of [...old, ...latest].map(readLine)) {
      if (Value.Check(eventSchema, event) && event.number > (events.at(-1)?.number ?? 0)) events.push(event);
    }
    return events;
  }

  /** Throws when it cannot. The same events may be written again then: a number that is read twice counts once. */
  async write(events: readonly SluiceEvent[]): Promise<void> {
    if (this.#isUnread) await this.#moveAside();
    if (this.#lines >= this.#fullLines) {
      await this.#rename(newName, oldName);
      this.#lines = 0;
    }
    const file: FileHandle = await open(join(this.#folder, newName), 'a', 0o600);
    try {
      const text = events.map(writeLine).join('');
      const { size } = await file.stat();
      const begin = this.#isTorn && size > 0 ? '\n' : '';
      this.#isTorn = true;
      try {
        await file.appendFile(`${begin}${text}`);
      } catch (error) {
        // Else attempts that fail again and again would fill the disk. If this fails, too, the next event begins on a new line.
        await file.truncate(size).catch(() => undefined);
        throw error;
      }
      this.#isTorn = false;
      this.#lines += events.length;
    } finally {
      await file.close();
    }
  }

  async #moveAside(): Promise<void> {
    const time = new Date(this.#clock.now()).toISOString();
    for (const name of [oldName, newName]) await this.#rename(name, `events.unread-${time}-${name}`);
    this.#isUnread = false;
  }

  /** Nothing to rename is no failure: somebody has removed the file. */
  async #rename(from: string, to: string): Promise<void> {
    try {
      await rename(join(this.#folder, from), join(this.#folder, to));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  async #readFile(name: string): Promise<string[]> {
    try {
      const text = await readFile(join(this.#folder, name), 'utf8');
      return text.split('\n').filter(line => line !== '');
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
