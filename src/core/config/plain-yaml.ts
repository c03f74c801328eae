// SPDX-License-Identifier: Apache-2.0
// Reads the part of YAML in which nearly all documents are written: block maps and lists, flow maps and lists within a
// line, plain words, small numbers and quoted texts without escapes. It takes a tenth of the library's time. Of any text
// beyond this part, right or wrong, it says nothing, and the library reads it (yaml.ts). So this reader reports no errors,
// and a test holds its trees against those of the library.
import type { Place } from '../errors.ts';
import { type ConfigNode, listNode, type MapEntry, mapNode, scalarNode } from './node.ts';

/** Thrown and caught here: the text is beyond this part of YAML. */
const beyond = Symbol('beyond');

const deepest = 32;

/** Beside printable characters, only the end of a line. */
const strange = /[^\x20-\x7e\n\u00a0-\u2027\u2030-\ud7ff]/;

const plainText = /[\w./][\w./:+%-]*/y;
const plainKey = /[A-Za-z_][\w./-]*(?=: |:\n|:$)/y;
const quotedText = /"([^"\\\n]*)"|'([^'\n]*)'(?!')/y;
const restOfLine = / *(?: #[^\n]*)?(?:\n|$)/y;
const spaces = / */y;

/** Words that the library reads as something else than texts, or may. */
const notText = /^(?:(?:\.\d+|\d+(?:\.\d*)?)(?:e[-+]?\d+)?|0[ox].*|\.(?:inf|nan)|null|true|false)$/i;
const smallNumber = /^(?:0|[1-9]\d{0,14})$/;

/** The text as a tree; undefined when the text is beyond this part of YAML. */
export function parsePlainYaml(text: string, file: string | undefined): ConfigNode | undefined {
  if (strange.test(text)) return undefined;
  try {
    return new Reader(text, file).document();
  } catch (error) {
    if (error === beyond) return undefined;
    throw error;
  }
}

class Reader {
  readonly #text: string;
  readonly #file: string | undefined;
  /** The line that is being read: its number, where it begins, and how far its content is indented; -1 at the end. */
  #line = 0;
  #begin = 0;
  #indent = 0;
  /** Where reading goes on. */
  #at = 0;
  #depth = 0;

  constructor(text: string, file: string | undefined) {
    this.#text = text;
    this.#file = file;
  }

  document(): ConfigNode {
    this.#nextLine();
    if (!this.#isAt(0)) throw beyond;
    const root = this.#block();
    if (!this.#isAt(-1)) throw beyond;
    return root;
  }

  #isAt(indent: number): boolean {
    return this.#indent === indent;
  }

  /** Goes to the next line that has content. `#at` is the end of the line before. */
  #nextLine(): void {
    const text = this.#text;
    for (;;) {
      if (this.#at >= text.length) {
        this.#indent = -1;
        return;
      }
      this.#line++;
      this.#begin = this.#at;
      const first = this.#match(spaces).length + this.#begin;
      if (first < text.length && text[first] !== '\n' && text[first] !== '#') {
        this.#indent = first - this.#begin;
        return;
      }
      const end = text.indexOf('\n', first);
      this.#at = end < 0 ? text.length : end + 1;
    }
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found === null) throw beyond;
    this.#at = pattern.lastIndex;
    return found[0];
  }

  #place(): Place {
    return { file: this.#file, line: this.#line, column: this.#at - this.#begin + 1 };
  }

  #endLine(): void {
    this.#match(restOfLine);
    this.#nextLine();
  }

  #isItem(): boolean {
    return this.#text[this.#at] === '-' && this.#text[this.#at + 1] === ' ';
  }

  /** A map or a list in lines of their own. */
  #block(): ConfigNode {
    if (++this.#depth > deepest) throw beyond;
    const node = this.#isItem() ? this.#blockList(this.#indent) : this.#blockMap(this.#indent);
    this.#depth--;
    return node;
  }

  #blockList(indent: number): ConfigNode {
    const place = this.#place();
    const items: ConfigNode[] = [];
    while (this.#indent === indent && this.#isItem()) {
      this.#at++;
      this.#match(spaces);
      const key = this.#keyAhead();
      if (key === undefined) {
        items.push(this.#inline());
        this.#endLine();
      } else {
        // A map whose first key is on the line of the item.
        this.#indent = this.#at - this.#begin;
        items.push(this.#block());
      }
      if (this.#indent > indent) throw beyond;
    }
    return listNode(items, place);
  }

  #blockMap(indent: number): ConfigNode {
    const place = this.#place();
    const entries = new Map<string, MapEntry>();
    while (this.#indent === indent && !this.#isItem()) {
      const keyPlace = this.#place();
      const key = this.#key();
      this.#at++;
      this.#match(spaces);
      const next = this.#text[this.#at];
      let value: ConfigNode;
      if (next === undefined || next === '\n' || next === '#') {
        // The space before a comment belongs to it.
        if (next === '#') this.#at--;
        this.#endLine();
        if (this.#indent < indent || (this.#indent === indent && !this.#isItem())) throw beyond;
        value = this.#block();
      } else {
        value = this.#inline();
        this.#endLine();
      }
      if (this.#indent > indent || entries.has(key)) throw beyond;
      entries.set(key, { keyPlace, value });
    }
    return mapNode(entries, place);
  }

  /** The key at this place, without reading on; undefined where no key is. */
  #keyAhead(): string | undefined {
    const at = this.#at;
    const first = this.#text[at];
    const pattern = first === '"' || first === "'" ? quotedText : plainKey;
    pattern.lastIndex = at;
    const found = pattern.exec(this.#text);
    if (found === null) return undefined;
    const end = pattern.lastIndex;
    const behind = this.#text[end + 1];
    const isKey = this.#text[end] === ':' && (behind === undefined || behind === ' ' || behind === '\n');
    return isKey ? found[0] : undefined;
  }

  /** Reads a key up to its colon. */
  #key(): string {
    const written = this.#keyAhead();
    if (written === undefined) throw beyond;
    this.#at += written.length;
    const isQuoted = written.startsWith('"') || written.startsWith("'");
    if (isQuoted) return written.slice(1, -1);
    if (notText.test(written)) throw beyond;
    return written;
  }

  /** A value within a line. */
  #inline(): ConfigNode {
    const place = this.#place();
    switch (this.#text[this.#at]) {
      case '[':
        return this.#nested(() => this.#flowList(place));
      case '{':
        return this.#nested(() => this.#flowMap(place));
      case '"':
      case "'":
        return scalarNode(this.#match(quotedText).slice(1, -1), place);
      default:
        return scalarNode(this.#plain(), place);
    }
  }

  #nested(read: () => ConfigNode): ConfigNode {
    if (++this.#depth > deepest) throw beyond;
    const node = read();
    this.#depth--;
    return node;
  }

  #plain(): string | number | boolean {
    const word = this.#match(plainText);
    if (word.endsWith(':')) throw beyond;
    if (smallNumber.test(word)) return Number(word);
    if (word === 'true') return true;
    if (word === 'false') return false;
    if (notText.test(word)) throw beyond;
    return word;
  }

  #flowList(place: Place): ConfigNode {
    const items: ConfigNode[] = [];
    this.#flow(']', () => {
      items.push(this.#inline());
    });
    return listNode(items, place);
  }

  #flowMap(place: Place): ConfigNode {
    const entries = new Map<string, MapEntry>();
    this.#flow('}', () => {
      const keyPlace = this.#place();
      const key = this.#key();
      this.#at++;
      if (this.#match(spaces) === '' || entries.has(key)) throw beyond;
      entries.set(key, { keyPlace, value: this.#inline() });
    });
    return mapNode(entries, place);
  }

  /** What is in brackets, separated by commas. */
  #flow(end: string, one: () => void): void {
    this.#at++;
    this.#match(spaces);
    if (this.#text[this.#at] === end) {
      this.#at++;
      return;
    }
    for (;;) {
      one();
      this.#match(spaces);
      const next = this.#text[this.#at++];
      if (next === end) return;
      if (next !== ',') throw beyond;
      this.#match(spaces);
    }
  }
}
