// SPDX-License-Identifier: Apache-2.0
// The lines of keepalived's files as keepalived sees them: includes are followed, conditions decided, definitions replaced,
// loops unrolled, and each brace is a line of its own. Every line keeps the file and the line from which it came.
//
// The order is keepalived's: an include is recognised before conditions and definitions count; then the condition of a line
// (`@id`), then a definition (`$NAME=`), then a loop (`~SEQ`), then references to definitions, one at a time, after each of
// which the line is looked at anew. A definition of several lines continues as long as its lines end with a backslash.
//
// Files may ask for more lines than a machine has memory: loops multiply, and definitions may refer to themselves. Each of
// these has a limit, beyond which reading ends with an error that names the line.
import { dirname } from 'node:path';
import { ConfigError } from '../../core/errors.ts';
import type { Report, SourcePlace } from '../report.ts';
import { type BuiltIn, Definitions, definitionIn, loopIn } from './definitions.ts';
import { matches, type SourceFiles } from './files.ts';
import { hasOpenQuote, partsOf, withoutComment, wordsOf } from './lines.ts';

/** A keyword with its arguments, or one brace. */
export interface Statement {
  readonly words: readonly string[];
  readonly text: string;
  readonly place: SourcePlace;
}

export interface SourceOptions {
  readonly files: SourceFiles;
  /** The configuration id, which keepalived's -i gives: by default the host's name up to the first dot. */
  readonly id: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly report: Report;
}

/** Fifty thousand real servers, each with a check. */
const mostLines = 250_000;
/** Longer lines come from definitions that refer to themselves. */
const longestLine = 16_384;
/** All text that replacements make. */
const mostText = 64 << 20;
/** As many nested includes, definitions and loops as nobody keeps in mind. */
const deepest = 32;
const longestSource = 16 << 20;

function isInclude(text: string): boolean {
  return /^include[rmwba]?\s/.test(text) && wordsOf(text).length === 2;
}

export class Source {
  readonly #options: SourceOptions;
  readonly #definitions: Definitions;
  readonly #open: string[] = [];
  #collecting: { name: string; lines: string[]; place: SourcePlace } | undefined;
  #lines = 0;
  #text = 0;

  constructor(options: SourceOptions) {
    this.#options = options;
    this.#definitions = new Definitions(this.#builtIns());
  }

  /** The statements of the file and of all that it includes. */
  *statements(file: string): Generator<Statement, void, undefined> {
    yield* this.#fileStatements(file, { file, line: 1 });
  }

  *#fileStatements(file: string, from: SourcePlace): Generator<Statement, void, undefined> {
    if (this.#open.includes(file)) fail(from, 'the file includes itself', file, 'remove the include');
    if (this.#open.length >= deepest) fail(from, 'includes are nested too deeply', file, `use at most ${deepest}`);
    const text = this.#options.files.read(file);
    if (text.length > longestSource)
      fail(from, 'the file is too long', file, `keep it below ${longestSource >> 20} MiB`);
    this.#open.push(file);
    for (const [index, raw] of text.split('\n').entries()) {
      const place = { file, line: index + 1 };
      if (raw.includes('\0')) fail(place, 'the file is no text', file, 'name a configuration of keepalived');
      yield* this.#rawLine(raw, place);
    }
    this.#endDefinition();
    this.#open.pop();
  }

  *#rawLine(raw: string, place: SourcePlace): Generator<Statement, void, undefined> {
    const line = withoutComment(raw);
    if (this.#collecting !== undefined) {
      if (line !== '') this.#options.report.carried(place);
      this.#collect(line);
      return;
    }
    if (line === '') return;
    if (hasOpenQuote(line)) this.#options.report.ignored(place, 'what follows the quote that has no end');
    yield* this.#line(line, place, 0);
  }

  // A line of a file, or one that a replacement or a loop has made.
  *#line(given: string, place: SourcePlace, depth: number): Generator<Statement, void, undefined> {
    if (depth > deepest) fail(place, 'definitions and loops are nested too deeply', given, `use at most ${deepest}`);
    this.#count(given, place);
    const more: string[] = [];
    let text: string | undefined = given;
    for (;;) {
      if (isInclude(text)) {
        yield* this.#include(text, place);
        break;
      }
      text = this.#unconditional(text, place);
      if (text === undefined || this.#defines(text, place)) break;
      if (text.startsWith('~SEQ') || text.startsWith('~LST')) {
        yield* this.#loop(text, place, depth);
        break;
      }
      const replaced = this.#definitions.replaceFirst(text);
      if (replaced === undefined) {
        yield* this.#split(text, place);
        break;
      }
      text = replaced.text.trim();
      more.unshift(...replaced.more);
      this.#count(text, place);
      if (text === '') break;
    }
    for (const line of more) yield* this.#line(line, place, depth + 1);
  }

  #count(text: string, place: SourcePlace): void {
    this.#text += text.length;
    if (text.length > longestLine) {
      fail(place, 'the line becomes too long', text.slice(0, 60), 'see whether a definition refers to itself');
    }
    if (++this.#lines > mostLines || this.#text > mostText) {
      fail(place, 'definitions and loops make too many lines', this.#lines, 'use smaller loops, or split the file');
    }
  }

  *#split(text: string, place: SourcePlace): Generator<Statement, void, undefined> {
    for (const part of partsOf(text)) {
      const words = wordsOf(part);
      if (words.length > 0) yield { words, text: part, place };
    }
  }

  // Without its condition; undefined when the condition does not hold.
  #unconditional(text: string, place: SourcePlace): string | undefined {
    if (!text.startsWith('@')) return text;
    const { id, report } = this.#options;
    const [, not, wanted = '', rest = ''] = /^@(\^?)(\S*)\s*(.*)$/s.exec(text) ?? [];
    const holds = (wanted === id) === (not === '');
    report.carried(place);
    if (rest === '') report.ignored(place, `${text}: nothing follows the condition`);
    else if (!holds) {
      report.ignored(
        place,
        `${rest.slice(0, 80)}: not for the configuration id ${id}; --id ID imports for another host`,
      );
    }
    return holds && rest !== '' ? rest : undefined;
  }

  // Whether the line was a definition, or the beginning of one.
  #defines(text: string, place: SourcePlace): boolean {
    const definition = definitionIn(text);
    if (definition === undefined) return false;
    this.#options.report.carried(place);
    const { name, value } = definition;
    if (value.endsWith('\\')) this.#collecting = { name, lines: [value.slice(0, -1).trim()], place };
    else this.#definitions.set(name, value);
    return true;
  }

  // A line that does not end with a backslash is the last one of the definition.
  #collect(line: string): void {
    const goesOn = line.endsWith('\\');
    this.#collecting?.lines.push(goesOn ? line.slice(0, -1).trim() : line);
    if (!goesOn) this.#endDefinition();
  }

  #endDefinition(): void {
    if (this.#collecting === undefined) return;
    this.#definitions.setLines(this.#collecting.name, this.#collecting.lines);
    this.#collecting = undefined;
  }

  *#loop(text: string, place: SourcePlace, depth: number): Generator<Statement, void, undefined> {
    // Its numbers may be definitions; the rest of the line is read in each round.
    const bracket = text.indexOf(')') + 1;
    let head = text.slice(0, bracket === 0 ? text.length : bracket);
    for (let round = 0; round < deepest; round++) {
      const replaced = this.#definitions.replaceFirst(head);
      if (replaced === undefined || replaced.more.length > 0) break;
      head = replaced.text;
    }
    const whole = head + text.slice(bracket === 0 ? text.length : bracket);
    const loop = loopIn(whole);
    if (loop === undefined) {
      this.#options.report.ignored(place, `${whole.slice(0, 80)}: not a loop as keepalived reads it`);
      return;
    }
    this.#options.report.carried(place);
    if (loop.count > mostLines) {
      fail(place, 'the loop has too many rounds', loop.count, `use at most ${mostLines}`);
    }
    for (const round of loop.rounds) {
      for (const [name, value] of round) this.#definitions.set(name, value);
      yield* this.#line(loop.rest === '' ? ' ' : loop.rest, place, depth + 1);
    }
  }

  *#include(text: string, place: SourcePlace): Generator<Statement, void, undefined> {
    const { files, report } = this.#options;
    const pattern = text.replace(/^\S+\s+/, '');
    const found = matches(pattern, dirname(place.file), files);
    if (found === undefined) fail(place, 'the include names too many files', pattern, 'use a narrower pattern');
    const kinds = found.map(path => [path, files.kind(path)] as const);
    const readable = kinds.filter(([, kind]) => kind === 'file').map(([path]) => path);
    report.carried(place);
    for (const [path] of kinds.filter(([, kind]) => kind === 'executable')) {
      report.ignored(place, `${path}: keepalived reads no file that can be executed`);
    }
    if (readable.length === 0) report.ignored(place, `${text}: there is no such file to read`);
    for (const path of readable) yield* this.#included(path, place);
  }

  *#included(path: string, place: SourcePlace): Generator<Statement, void, undefined> {
    try {
      yield* this.#fileStatements(path, place);
    } catch (error) {
      if (!(error instanceof Error && 'syscall' in error)) throw error;
      this.#options.report.ignored(place, `${path}: it cannot be read: ${error.message}`);
    }
  }

  #builtIns(): Map<string, BuiltIn> {
    const { id, environment } = this.#options;
    return new Map<string, BuiltIn>([
      ['_PWD', () => dirname(this.#open.at(-1) ?? '.')],
      ['_INSTANCE', () => id],
      ['_HASH', () => '#'],
      ['_BANG', () => '!'],
      // A number at random cannot be imported; the smallest one is as good as any.
      ['_RANDOM', ([minimum = '0']) => minimum],
      ['_ENV', ([name = '']) => environment[name]],
    ]);
  }
}

function fail(place: SourcePlace, problem: string, value: unknown, remedy: string): never {
  throw new ConfigError('SLUICE_CONFIG_SYNTAX', problem, { place, value, remedy });
}
