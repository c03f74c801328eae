// SPDX-License-Identifier: Apache-2.0
// The words of a line with their columns, so that each error can name file, line and column.
import { ConfigError } from '../core/errors.ts';

export interface Place {
  readonly file: string;
  readonly line: number;
}

interface Word {
  readonly text: string;
  readonly column: number;
}

export class Words {
  /** The packets that were read so far, each in the one before. */
  packets = 0;
  readonly place: Place;
  readonly #words: Word[] = [];
  readonly #length: number;
  #next = 0;

  constructor(place: Place, line: string) {
    this.place = place;
    this.#length = line.length;
    for (const match of line.matchAll(/"(?:[^"\\]|\\.)*"|[()]|[^\s()"]+|"/g)) {
      if (match[0].startsWith('#')) break;
      this.#words.push({ text: match[0], column: match.index + 1 });
    }
  }

  get done(): boolean {
    return this.#next >= this.#words.length;
  }

  peek(): string | undefined {
    return this.#words[this.#next]?.text;
  }

  take(what: string): string {
    const word = this.#words[this.#next];
    if (word === undefined) throw this.error(`${what} is missing at the end of the line`);
    this.#next += 1;
    return word.text;
  }

  takeIf(text: string): boolean {
    if (this.peek() !== text) return false;
    this.#next += 1;
    return true;
  }

  expect(text: string): void {
    const found = this.take(`"${text}"`);
    if (found !== text) throw this.complain(`expected "${text}", found "${found}"`);
  }

  takeInteger(what: string, lowest: number, highest: number): number {
    const text = this.take(what);
    const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
    if (!(value >= lowest && value <= highest)) {
      throw this.complain(`${what} must be a whole number from ${lowest} to ${highest}, not "${text}"`);
    }
    return value;
  }

  // Reads seconds with a fraction as nanoseconds.
  takeSeconds(what: string): bigint {
    return this.parseSeconds(this.take(what), what);
  }

  parseSeconds(text: string, what: string): bigint {
    const match = /^(\d+)(?:\.(\d{1,9}))?$/.exec(text);
    if (match === null) throw this.complain(`${what} must be seconds such as 0.1, not "${text}"`);
    return BigInt(match[1] ?? '0') * 1_000_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'));
  }

  takeHex(what: string): Uint8Array {
    const text = this.take(what);
    if (!/^([0-9a-f]{2})+$/i.test(text))
      throw this.complain(`${what} must be pairs of hexadecimal digits, not "${text}"`);
    return Uint8Array.from(Buffer.from(text, 'hex'));
  }

  takeText(what: string): string {
    const text = this.take(what);
    if (!/^".*"$/.test(text)) throw this.complain(`${what} must be in double quotes, not ${text}`);
    try {
      return String(JSON.parse(text));
    } catch {
      throw this.complain(`${what} is not a string: ${text}`);
    }
  }

  finish(): void {
    if (!this.done) throw this.error(`unexpected "${this.peek()}"`);
  }

  // An error about the word that was taken last.
  complain(message: string): ConfigError {
    return this.#errorAt(this.#words[this.#next - 1]?.column ?? 1, message);
  }

  // An error about the next word, or about the end of the line.
  error(message: string): ConfigError {
    return this.#errorAt(this.#words[this.#next]?.column ?? this.#length + 1, message);
  }

  #errorAt(column: number, message: string): ConfigError {
    return new ConfigError('SLUICE_CONFIG_SYNTAX', message, { place: { ...this.place, column } });
  }
}
