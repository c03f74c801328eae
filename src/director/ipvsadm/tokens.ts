// SPDX-License-Identifier: Apache-2.0
// Splits a line into options, as the popt library does: `-A -t X`, `-At X`, `-AtX`, `-t=X`, `--tcp-service X`,
// `--tcp-service=X`. Words that belong to no option may stand anywhere.
import { nearest } from '../../core/config/suggest.ts';
import type { ServiceIdentity } from '../model.ts';
import { longOptions, type OptionInfo, shortOptions } from './options.ts';

export interface Token {
  readonly text: string;
  /** The column, counted from 1. */
  readonly column: number;
}

/**
 * Who finds the mistake, which decides how ipvsadm ends: `check` a check of its own (status 2), `option` the parser of
 * options (255), `command` the parser, before there is a command (255, and the message is left out), `kernel` the kernel
 * (255), which looks at the service first.
 */
export type FaultKind = 'check' | 'option' | 'command' | 'kernel';

/** A line that cannot be understood or carried out: the message of ipvsadm, the wrong word, and what to do. */
export class CommandFault extends Error {
  readonly token: Token | undefined;
  readonly remedy: string;
  readonly kind: FaultKind;
  /** `kernel`: the command as far as the kernel looks at it first. */
  command: { readonly kind: 'add-service' | 'edit-service'; readonly identity: ServiceIdentity } | undefined;

  constructor(problem: string, token: Token | undefined, remedy: string, kind: FaultKind = 'check') {
    super(problem);
    this.token = token;
    this.remedy = remedy;
    this.kind = kind;
  }
}

export interface GivenOption {
  readonly info: OptionInfo;
  /** The option as it was written: `-t` or `--tcp-service`. */
  readonly name: string;
  /** The word in which the option stands. */
  readonly token: Token;
  /** The argument of the option with its place; undefined when the option has none. */
  readonly argument: Token | undefined;
}

const space = 0x20;
const isBlank = (code: number) => code === space || (code >= 0x09 && code <= 0x0d);

/** The words of a line. Words cannot be quoted, as in ipvsadm -R. */
export function splitLine(line: string): Token[] {
  const tokens: Token[] = [];
  let start = -1;
  for (let at = 0; at <= line.length; at++) {
    const blank = at === line.length || isBlank(line.charCodeAt(at));
    if (blank && start >= 0) {
      tokens.push({ text: line.slice(start, at), column: start + 1 });
      start = -1;
    } else if (!blank && start < 0) start = at;
  }
  return tokens;
}

/**
 * The options, one after another: what is wrong with an option is found after the options before it have taken effect.
 * When the options have ended, `rest` has the words that belong to none.
 */
export function* readOptions(tokens: readonly Token[], rest: Token[]): Generator<GivenOption, void, undefined> {
  yield* new WordReader(tokens).read(rest);
}

class WordReader {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  *read(rest: Token[]): Generator<GivenOption, void, undefined> {
    for (let token = this.#next(); token !== undefined; token = this.#next()) {
      const { text } = token;
      if (text === '--') {
        rest.push(...this.#tokens.slice(this.#at));
        break;
      }
      if (!text.startsWith('-') || text === '-') rest.push(token);
      else if (text.startsWith('--')) yield this.#readLong(token);
      else yield* this.#readShorts(token);
    }
  }

  #next(): Token | undefined {
    return this.#tokens[this.#at++];
  }

  // Takes the next word as an argument. An optional argument may not begin with a dash; an argument that is needed may.
  #argument(info: OptionInfo, name: string, token: Token): Token | undefined {
    if (info.argument === 'none') return undefined;
    const following = this.#tokens[this.#at];
    if (info.argument === 'optional' && (following === undefined || following.text.startsWith('-'))) return undefined;
    if (following === undefined) {
      throw new CommandFault(`${token.text}: missing argument`, token, `write a value after ${name}`, 'option');
    }
    return this.#next();
  }

  #readLong(token: Token): GivenOption {
    const equals = token.text.indexOf('=');
    const name = equals < 0 ? token.text : token.text.slice(0, equals);
    const info = longOptions.get(name.slice(2));
    if (info === undefined) {
      throw new CommandFault(`${token.text}: unknown option`, token, suggestOption(name), 'option');
    }
    if (equals < 0) return { info, name, token, argument: this.#argument(info, name, token) };
    if (info.argument === 'none') throw unwantedArgument(name, token);
    const argument = { text: token.text.slice(equals + 1), column: token.column + equals + 1 };
    return { info, name, token, argument };
  }

  *#readShorts(token: Token): Generator<GivenOption, void, undefined> {
    for (let index = 1; index < token.text.length; index++) {
      const letter = token.text.charAt(index);
      const name = `-${letter}`;
      const info = shortOptions.get(letter);
      if (info === undefined) {
        throw new CommandFault(`${token.text}: unknown option`, token, 'see ipvsadm(8) for the options', 'option');
      }
      const hasEquals = token.text[index + 1] === '=';
      if (info.argument === 'none') {
        if (hasEquals) throw unwantedArgument(name, token);
        yield { info, name, token, argument: undefined };
        continue;
      }
      // The rest of the word is the argument, with or without an equals sign before it.
      const start = hasEquals ? index + 2 : index + 1;
      const attached = token.text.slice(start);
      const isAttached = hasEquals || attached !== '';
      const argument = isAttached
        ? { text: attached, column: token.column + start }
        : this.#argument(info, name, token);
      yield { info, name, token, argument };
      return;
    }
  }
}

function unwantedArgument(name: string, token: Token): CommandFault {
  return new CommandFault(`${token.text}: option does not take an argument`, token, `write ${name} alone`, 'option');
}

function suggestOption(name: string): string {
  const meant = nearest(
    name,
    [...longOptions.keys()].map(long => `--${long}`),
  );
  return meant === undefined ? 'see ipvsadm(8) for the options' : `did you mean ${meant}?`;
}
