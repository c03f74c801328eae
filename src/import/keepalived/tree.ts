// SPDX-License-Identifier: Apache-2.0
// Statements as a tree of blocks, read as keepalived reads them: by its tables of keywords. A keyword that a block does not
// have is skipped alone: keepalived drops an opening brace that it does not expect and goes on with the block's content, so
// the next closing brace ends the block that was open before. The same mistakes lead to the same tree here.
import type { Report, SourcePlace } from '../report.ts';
import type { Statement } from './source.ts';

/** What may follow a keyword. */
export type Shape =
  /** Nothing but its words. */
  | 'line'
  /** A block of lines without keywords. */
  | 'values'
  /** A block, if a brace follows, that is not looked into. */
  | 'opaque'
  | Grammar;

export interface Grammar {
  readonly [keyword: string]: Shape;
}

export interface Node {
  readonly keyword: string;
  /** The words after the keyword. */
  readonly words: readonly string[];
  /** The line as it was written, after replacements. */
  readonly text: string;
  readonly place: SourcePlace;
  readonly children: readonly Node[];
  readonly values: readonly Statement[];
}

export function readTree(statements: Iterator<Statement, void>, grammar: Grammar, report: Report): Node[] {
  return new TreeReader(statements, report).block(grammar, true, true);
}

class TreeReader {
  readonly #statements: Iterator<Statement, void>;
  readonly #report: Report;
  #next: Statement | undefined;

  constructor(statements: Iterator<Statement, void>, report: Report) {
    this.#statements = statements;
    this.#report = report;
    this.#advance();
  }

  #advance(): void {
    this.#next = this.#statements.next().value ?? undefined;
  }

  /** Reads until the block is closed. Of the outermost one nothing is the end but the end of all. */
  block(grammar: Grammar, isOpen: boolean, isOutermost = false): Node[] {
    const nodes: Node[] = [];
    let needsBrace = !isOpen;
    for (let statement = this.#next; statement !== undefined; statement = this.#next) {
      const [keyword = ''] = statement.words;
      this.#advance();
      if (needsBrace) {
        needsBrace = false;
        if (keyword === '{') continue;
        this.#report.ignored(statement.place, `a { is missing before ${keyword}`);
      }
      if (keyword === '}' && !isOutermost) return nodes;
      const node = this.#node(statement, keyword, grammar);
      if (node !== undefined) nodes.push(node);
    }
    return nodes;
  }

  #node(statement: Statement, keyword: string, grammar: Grammar): Node | undefined {
    const { words, text, place } = statement;
    const shape = Object.hasOwn(grammar, keyword) ? grammar[keyword] : undefined;
    if (shape === undefined) {
      this.#report.ignored(place, unexpected(keyword));
      return undefined;
    }
    const node = { keyword, words: words.slice(1), text, place, children: [], values: [] };
    switch (shape) {
      case 'line':
        return node;
      case 'values':
        return { ...node, values: this.#values() };
      case 'opaque':
        return { ...node, values: this.#skipped() };
      default:
        return { ...node, children: this.block(shape, false) };
    }
  }

  // keepalived ends such a block at the first closing brace.
  #values(): Statement[] {
    const values: Statement[] = [];
    if (this.#next?.text === '{') this.#advance();
    for (let statement = this.#next; statement !== undefined; statement = this.#next) {
      this.#advance();
      if (statement.text === '}') break;
      values.push(statement);
    }
    return values;
  }

  // All that the block has, with its own blocks.
  #skipped(): Statement[] {
    const skipped: Statement[] = [];
    if (this.#next?.text !== '{') return skipped;
    let depth = 0;
    for (let statement = this.#next; statement !== undefined; statement = this.#next) {
      this.#advance();
      if (statement.text === '{') depth++;
      else if (statement.text === '}') depth--;
      else skipped.push(statement);
      if (depth === 0) break;
    }
    return skipped;
  }
}

function unexpected(keyword: string): string {
  if (keyword === '{') return 'a { that opens no block';
  return keyword === '}' ? 'a } that closes no block' : `${keyword}: keepalived has no such keyword here`;
}
