// SPDX-License-Identifier: Apache-2.0
// What an import has to say besides the document: three kinds of lines, each about one place of what was read.
import { formatPlace } from '../core/errors.ts';

export interface SourcePlace {
  readonly file: string;
  readonly line: number;
}

/**
 * lost: Sluice cannot do it, and the document does not say it. ignored: the program that the file was written for does
 * nothing with it either. explicit: the file says nothing about it, or says it differently, and the document writes it out.
 */
export type EntryKind = 'lost' | 'ignored' | 'explicit';

export interface Entry {
  readonly kind: EntryKind;
  readonly place: SourcePlace;
  readonly what: string;
  /** lost: what to do. */
  readonly remedy?: string;
}

const titles: Readonly<Record<EntryKind, string>> = {
  lost: 'not carried over',
  ignored: 'ignored',
  explicit: 'made explicit',
};

export class Report {
  readonly #entries = new Map<string, Entry>();
  readonly #carried = new Set<string>();
  readonly #covered = new Set<string>();

  lost(place: SourcePlace, what: string, remedy: string): void {
    this.#add({ kind: 'lost', place, what, remedy });
  }

  ignored(place: SourcePlace, what: string): void {
    this.#add({ kind: 'ignored', place, what });
  }

  explicit(place: SourcePlace, what: string): void {
    this.#add({ kind: 'explicit', place, what });
  }

  /** The document says what this line says. */
  carried(place: SourcePlace): void {
    this.#carried.add(formatPlace(place));
  }

  /** The line belongs to a block that an entry is about. */
  covered(place: SourcePlace): void {
    this.#covered.add(formatPlace(place));
  }

  /** Whether the import says anything about the line: the document has it, or an entry. */
  explains(place: SourcePlace): boolean {
    const key = formatPlace(place);
    if (this.#carried.has(key) || this.#covered.has(key)) return true;
    return this.entries().some(entry => formatPlace(entry.place) === key);
  }

  // A line in a loop or in a group is read several times.
  #add(entry: Entry): void {
    const key = `${formatPlace(entry.place)} ${entry.kind} ${entry.what}`;
    if (!this.#entries.has(key)) this.#entries.set(key, entry);
  }

  /** In the order of their places; of files in the order in which they were read. */
  entries(): Entry[] {
    const files = [...new Set([...this.#entries.values()].map(({ place }) => place.file))];
    return [...this.#entries.values()].sort(
      (a, b) => files.indexOf(a.place.file) - files.indexOf(b.place.file) || a.place.line - b.place.line,
    );
  }

  /** The lines that the document carries, as FILE:LINE. */
  carriedLines(): string[] {
    return [...this.#carried];
  }

  get hasLost(): boolean {
    return [...this.#entries.values()].some(({ kind }) => kind === 'lost');
  }
}

/** A line for a person: `web.conf:12: not carried over: quorum_up … (remedy)`. */
export function entryText({ kind, place, what, remedy }: Entry): string {
  const advice = remedy === undefined ? '' : ` (${remedy})`;
  return `${formatPlace(place)}: ${titles[kind]}: ${what}${advice}`;
}
