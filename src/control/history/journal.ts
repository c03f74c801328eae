// SPDX-License-Identifier: Apache-2.0
// The history on disk. Its files are chapters:
//
//   00000001.jsonl   {"version":1}
//                    {"entry":{"number":1,…},"document":{…}}      a whole document
//                    {"entry":{"number":2,…},"edits":[…]}         what is different from the entry before
//                    {"confirmed":2}
//   00000731.jsonl   {"version":1}
//                    …
//
// The name of a chapter is the number of its first entry. Lines are only added at the end of the last chapter, and each
// is on disk before the snapshot counts as in force. So a crash leaves at most one line that is not whole, the last one,
// and what it would have said never came into force.
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import Type, { type Static } from 'typebox';
import { Value } from 'typebox/value';
import { byText } from '../../core/config/canonical.ts';
import { applyEdits, difference, editSchema } from '../../core/config/edits.ts';
import { HistoryError, SystemError } from '../../core/errors.ts';
import { type Entry, entrySchema, type NewEntry } from './entry.ts';
import { readLines, writeLine } from './lines.ts';

/** Raised when a line changes its meaning. A program reads the chapters of older versions. */
const version = 1;

const headSchema = Type.Object({ version: Type.Integer() });
const lineSchema = Type.Union([
  Type.Object({ entry: entrySchema, document: Type.Unknown() }),
  Type.Object({ entry: entrySchema, edits: Type.Array(editSchema) }),
  Type.Object({ confirmed: Type.Integer({ description: 'The number of the entry that was confirmed' }) }),
]);

type Line = Static<typeof lineSchema>;

const suffix = '.jsonl';
/** Of a chapter in which nothing can be read. */
const asideSuffix = '.damaged';
const chapterName = /^\d{8,}\.jsonl$/;

/** A new chapter begins when the edits of one take more bytes than this: an old document is found fast. */
const longestEdits = 256 * 1024;

/** The oldest chapters are removed when those after them have so many entries. */
const defaultKept = 1000;

/** Nor may they take more bytes than this, two chapters excepted: whole documents may be large. */
const defaultMostBytes = 256 * 1024 * 1024;

export interface JournalOptions {
  readonly kept?: number;
  readonly mostBytes?: number;
  /** The folder as errors name it; the folder itself unless given. */
  readonly shown?: string;
  /** Is told what was found damaged, and what became of it. */
  readonly warn: (problem: string) => void;
}

/** An entry with its document. */
export interface Version {
  readonly entry: Entry;
  readonly document: unknown;
}

interface Chapter {
  readonly name: string;
  readonly entries: Entry[];
  length: number;
}

/** The last chapter, to which lines are added. */
interface OpenChapter {
  readonly chapter: Chapter;
  readonly file: FileHandle;
  editsLength: number;
}

export class Journal {
  readonly #folder: string;
  readonly #shown: string;
  readonly #kept: number;
  readonly #mostBytes: number;
  readonly #warn: (problem: string) => void;
  readonly #chapters: Chapter[] = [];
  readonly #confirmed = new Set<number>();
  #last: Version | undefined;
  #number = 0;
  /** Undefined: the next line begins a chapter. */
  #open: OpenChapter | undefined;

  private constructor(folder: string, options: JournalOptions) {
    const { kept = defaultKept, mostBytes = defaultMostBytes, shown = folder, warn } = options;
    this.#folder = folder;
    this.#shown = shown;
    this.#kept = kept;
    this.#mostBytes = mostBytes;
    this.#warn = warn;
  }

  /** Makes the folder when there is none. Throws when it cannot be used, or when a newer program wrote it. */
  static async open(folder: string, options: JournalOptions): Promise<Journal> {
    const journal = new Journal(folder, options);
    await attempt(journal.#shown, 'cannot make the folder of the history', () =>
      mkdir(folder, { recursive: true, mode: 0o700 }),
    );
    await journal.#read();
    return journal;
  }

  /** The oldest entry comes first. */
  get entries(): readonly Entry[] {
    return this.#chapters.flatMap(({ entries }) => entries);
  }

  /** The latest entry with its document. */
  get last(): Version | undefined {
    return this.#last;
  }

  /** Whether an entry that asks for a confirmation has got one. */
  isConfirmed(number: number): boolean {
    return this.#confirmed.has(number);
  }

  /** The document of an entry; undefined for an entry that is not kept. */
  async document(number: number): Promise<unknown> {
    if (number === this.#last?.entry.number) return this.#last.document;
    const chapter = this.#chapters.find(({ entries }) => entries.some(entry => entry.number === number));
    if (chapter === undefined) return undefined;
    const { versions } = await this.#readChapter(chapter.name);
    for (const { entry, document: found } of versions()) if (entry.number === number) return found;
    return undefined;
  }

  /** Adds an entry. When this resolves, the entry is on disk. When it throws, the history is as it was. */
  async add(fields: NewEntry, document: unknown): Promise<Entry> {
    const entry: Entry = { number: this.#number + 1, ...fields };
    const edits = this.#open?.chapter.entries.length ? difference(this.#last?.document, document) : undefined;
    const short = edits === undefined ? undefined : writeLine({ entry, edits });
    if (this.#open !== undefined && short !== undefined && this.#open.editsLength + short.length <= longestEdits) {
      await this.#write(this.#open, short);
      this.#open.editsLength += short.length;
    } else {
      if (short !== undefined) await this.#endChapter();
      await this.#writeLine({ entry, document });
    }
    this.#open?.chapter.entries.push(entry);
    this.#number = entry.number;
    this.#last = { entry, document };
    await this.#prune();
    return entry;
  }

  /** Notes that the entry has been confirmed. */
  async confirm(number: number): Promise<void> {
    await this.#writeLine({ confirmed: number });
    this.#confirmed.add(number);
  }

  async close(): Promise<void> {
    await this.#endChapter();
  }

  async #writeLine(line: Line): Promise<void> {
    this.#open ??= await this.#beginChapter();
    await this.#write(this.#open, writeLine(line));
  }

  async #beginChapter(): Promise<OpenChapter> {
    const name = `${String(this.#number + 1).padStart(8, '0')}${suffix}`;
    const path = join(this.#folder, name);
    return await attempt(join(this.#shown, name), 'cannot begin a file of the history', async () => {
      const file = await open(path, 'wx', 0o600);
      try {
        const head = writeLine({ version });
        await file.writeFile(head);
        await file.sync();
        await syncFolder(this.#folder);
        const chapter = { name, entries: [], length: head.length };
        this.#chapters.push(chapter);
        return { chapter, file, editsLength: 0 };
      } catch (error) {
        await file.close();
        await rm(path, { force: true });
        throw error;
      }
    });
  }

  // What could not be written whole is taken back, so that the next line does not follow half a line.
  async #write({ chapter, file }: OpenChapter, text: string): Promise<void> {
    const bytes = Buffer.from(text);
    try {
      let done = 0;
      while (done < bytes.length) {
        done += (await file.write(bytes, done, bytes.length - done, chapter.length + done)).bytesWritten;
      }
      await file.datasync();
      chapter.length += bytes.length;
    } catch (error) {
      await file.truncate(chapter.length).catch(() => this.#endChapter());
      throw SystemError.from(error, 'cannot write the history', {
        place: { file: join(this.#shown, chapter.name) },
        remedy: 'nothing has changed; make room on the disk, or look at its state, and try again',
      });
    }
  }

  async #endChapter(): Promise<void> {
    const chapter = this.#open;
    this.#open = undefined;
    await chapter?.file.close().catch(() => undefined);
  }

  async #prune(): Promise<void> {
    for (;;) {
      const [oldest, ...newer] = this.#chapters;
      const left = newer.reduce((sum, { entries }) => sum + entries.length, 0);
      const bytes = this.#chapters.reduce((sum, { length }) => sum + length, 0);
      const isTooLarge = bytes > this.#mostBytes && newer.length > 1;
      if (oldest === undefined || (left < this.#kept && !isTooLarge)) return;
      try {
        await rm(join(this.#folder, oldest.name), { force: true });
      } catch (error) {
        this.#warn(`the old file ${join(this.#shown, oldest.name)} could not be removed: ${String(error)}`);
        return;
      }
      this.#chapters.shift();
    }
  }

  async #read(): Promise<void> {
    const names = await attempt(this.#shown, 'cannot read the folder of the history', () => readdir(this.#folder));
    let content: ChapterContent | undefined;
    for (const name of names.filter(each => chapterName.test(each)).sort(byText)) {
      const read = await this.#readChapter(name);
      const { entries, confirmed, damaged, length } = read;
      if (damaged !== undefined) {
        const place = `${join(this.#shown, name)}:${damaged}`;
        this.#warn(`${place}: the line is damaged; the line and what follows in this file are left out`);
      }
      // The next chapter may need the name.
      if (entries.length === 0 && !read.isAppendable) {
        await this.#putAside(name);
        continue;
      }
      content = read;
      for (const number of confirmed) this.#confirmed.add(number);
      this.#chapters.push({ name, entries: [...entries], length });
      this.#number = Math.max(this.#number, Number.parseInt(name, 10) - 1, entries.at(-1)?.number ?? 0);
      for (const version of content.versions()) this.#last = version;
    }
    const chapter = this.#chapters.at(-1);
    if (content === undefined || chapter === undefined || !content.isAppendable) return;
    const { length, editsLength } = content;
    this.#open = await attempt(join(this.#shown, chapter.name), 'cannot open the history to write it', async () => {
      const file = await open(join(this.#folder, chapter.name), 'r+');
      await file.truncate(length);
      return { chapter, file, editsLength };
    });
  }

  async #putAside(name: string): Promise<void> {
    const path = join(this.#folder, name);
    await attempt(join(this.#shown, name), 'cannot rename a damaged file of the history', () =>
      rename(path, `${path}${asideSuffix}`),
    );
  }

  #readChapter(name: string): Promise<ChapterContent> {
    return readChapter(join(this.#folder, name), join(this.#shown, name));
  }
}

/** The latest document of a history that nobody needs to write; undefined when there is none. */
export async function lastDocument(folder: string): Promise<unknown> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names
    .filter(each => chapterName.test(each))
    .sort(byText)
    .reverse()) {
    const { versions } = await readChapter(join(folder, name), join(folder, name));
    const last = [...versions()].at(-1);
    if (last !== undefined) return last.document;
  }
  return undefined;
}

interface ChapterContent {
  readonly entries: readonly Entry[];
  readonly confirmed: readonly number[];
  /** The number of the first damaged line. */
  readonly damaged: number | undefined;
  /** Whether nothing follows the good lines but at most one that was not written to its end. */
  readonly isAppendable: boolean;
  /** The bytes of the good lines, and of the edits among them. */
  readonly length: number;
  readonly editsLength: number;
  versions(): Iterable<Version>;
}

/** `shown`: the path as errors name it. */
async function readChapter(path: string, shown: string): Promise<ChapterContent> {
  const text = await attempt(shown, 'cannot read the history', () => readFile(path, 'utf8'));
  const { values, length, damaged } = readLines(text);
  const [head, ...rest] = values;
  if (Value.Check(headSchema, head) && head.version > version) {
    throw new HistoryError('a newer version of Sluice wrote this file', {
      place: { file: shown },
      value: head.version,
      remedy: 'run that version, or choose another folder with --state',
    });
  }
  const strange = rest.findIndex(value => !Value.Check(lineSchema, value));
  const lines = (strange < 0 ? rest : rest.slice(0, strange)) as Line[];
  const good = strange < 0 ? length : 0;
  return {
    entries: lines.flatMap(line => ('entry' in line ? [line.entry] : [])),
    confirmed: lines.flatMap(line => ('confirmed' in line ? [line.confirmed] : [])),
    damaged: strange < 0 ? damaged : strange + 2,
    isAppendable: strange < 0 && head !== undefined && isTorn(text.slice(length)),
    length: good,
    editsLength: lines.reduce((sum, line) => sum + ('edits' in line ? JSON.stringify(line.edits).length : 0), 0),
    *versions() {
      let document: unknown;
      for (const line of lines) {
        if ('confirmed' in line) continue;
        document = 'document' in line ? line.document : applyEdits(document, line.edits);
        yield { entry: line.entry, document };
      }
    },
  };
}

/** Whether the text is the beginning of a line that was never written to its end, or nothing. */
function isTorn(text: string): boolean {
  return !text.includes('\n') || text.indexOf('\n') === text.length - 1;
}

/** Makes the names in the folder lasting: after a power failure, a new file is there. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function attempt<T>(file: string, problem: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw SystemError.from(error, problem, { place: { file } });
  }
}
