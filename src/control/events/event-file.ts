// SPDX-License-Identifier: Apache-2.0
// Events on disk, in the folder of the history: events.jsonl, and events.old.jsonl with those before. A line is written as
// in the history (lines.ts). A line that is torn or damaged is left out; those before and after it are read.
import { type FileHandle, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { Value } from 'typebox/value';
import { eventSchema, type SluiceEvent } from '../../core/events/event.ts';
import { readLine, writeLine } from '../history/lines.ts';

const newName = 'events.jsonl';
const oldName = 'events.old.jsonl';

export class EventFile {
  readonly #folder: string;
  readonly #mostLines: number;
  #lines = 0;
  /** What was written last may have no end of line. */
  #isTorn = true;

  /** Each of the two files has so many lines at most. */
  constructor(folder: string, mostLines: number) {
    this.#folder = folder;
    this.#mostLines = mostLines;
  }

  /** The oldest comes first. Throws when there are files and they cannot be read. */
  async read(): Promise<SluiceEvent[]> {
    const old = await this.#readFile(oldName);
    const latest = await this.#readFile(newName);
    this.#lines = latest.length;
    const events: SluiceEvent[] = [];
    for (const event of [...old, ...latest].map(readLine)) {
      if (Value.Check(eventSchema, event) && event.number > (events.at(-1)?.number ?? 0)) events.push(event);
    }
    return events;
  }

  /** Throws when it cannot. The same events may be written again then: a number that is read twice counts once. */
  async write(events: readonly SluiceEvent[]): Promise<void> {
    if (this.#lines >= this.#mostLines) {
      await rename(join(this.#folder, newName), join(this.#folder, oldName));
      this.#lines = 0;
    }
    const file: FileHandle = await open(join(this.#folder, newName), 'a', 0o600);
    try {
      const text = events.map(writeLine).join('');
      const begin = this.#isTorn && (await file.stat()).size > 0 ? '\n' : '';
      this.#isTorn = true;
      await file.appendFile(`${begin}${text}`);
      this.#isTorn = false;
      this.#lines += events.length;
    } finally {
      await file.close();
    }
  }

  async #readFile(name: string): Promise<string[]> {
    try {
      const text = await readFile(join(this.#folder, name), 'utf8');
      return text.split('\n').filter(line => line !== '');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
      throw error;
    }
  }
}
