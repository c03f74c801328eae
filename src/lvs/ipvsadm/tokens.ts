// SPDX-License-Identifier: Apache-2.0
// Words to options, as the popt library does it: `-A -t X`, `-At X`, `-AtX`, `-t=X`, `--tcp-service X`,
// `--tcp-service=X`; words that belong to no option may stand anywhere.
import { suggest } from '../../core/config/suggest.ts';
import { longOptions, type OptionInfo, shortOptions } from './options.ts';

export interface Token {
  readonly text: string;
  /** From 1. */
  readonly column: number;
}

/** A line that cannot be understood or carried out: ipvsadm's own words, the word at fault, and what to do. */
export class CommandFault extends Error {
  readonly token: Token | undefined;
  readonly remedy: string;

  constructor(problem: string, token: Token | undefined, remedy: string) {
    super(problem);
    this.token = token;
    this.remedy = remedy;
  }
}

export interface GivenOption {
  readonly info: OptionInfo;
  /** As it was written: `-t` or `--tcp-service`. */
  readonly name: string;
  /** The word of the option. */
  readonly token: Token;
  /** Its argument with the place of it; undefined when it has none. */
  readonly argument: Token | undefined;
}

export interface Words {
  readonly options: readonly GivenOption[];
  readonly rest: readonly Token[];
}

const blank = /[^ \t\r\v\f\n]+/g;

/** The words of a line. There is no quoting: ipvsadm -R has none. */
export function splitLine(line: string): Token[] {
  return [...line.matchAll(blank)].map(match => ({ text: match[0], column: match.index + 1 }));
}

export function readWords(tokens: readonly Token[]): Words {
  const options: GivenOption[] = [];
  const rest: Token[] = [];
  let at = 0;
  const next = () => tokens[at++];
  for (let token = next(); token !== undefined; token = next()) {
    if (token.text === '--') {
      rest.push(...tokens.slice(at));
      break;
    }
    if (!token.text.startsWith('-') || token.text === '-') rest.push(token);
    else if (token.text.startsWith('--')) options.push(readLong(token, argumentReader(tokens, () => at, next)));
    else options.push(...readShorts(token, argumentReader(tokens, () => at, next)));
  }
  return { options, rest };
}

type ReadArgument = (info: OptionInfo, name: string, token: Token) => Token | undefined;

// Takes the next word as an argument. An optional argument does not begin with a dash; a needed one may.
function argumentReader(tokens: readonly Token[], at: () => number, next: () => Token | undefined): ReadArgument {
  return (info, name, token) => {
    if (info.argument === 'none') return undefined;
    const following = tokens[at()];
    if (info.argument === 'optional' && (following === undefined || following.text.startsWith('-'))) return undefined;
    if (following === undefined) throw new CommandFault(`${name}: missing argument`, token, `write a value after ${name}`);
    return next();
  };
}

function readLong(token: Token, readArgument: ReadArgument): GivenOption {
  const equals = token.text.indexOf('=');
  const name = equals < 0 ? token.text : token.text.slice(0, equals);
  const info = longOptions.get(name.slice(2));
  if (info === undefined) {
    const known = [...longOptions.keys()].map(long => `--${long}`);
    throw new CommandFault(`${name}: unknown option`, token, suggestOption(name, known));
  }
  if (equals < 0) return { info, name, token, argument: readArgument(info, name, token) };
  if (info.argument === 'none') {
    throw new CommandFault(`${name}: option does not take an argument`, token, `write ${name} alone`);
  }
  const argument = { text: token.text.slice(equals + 1), column: token.column + equals + 1 };
  return { info, name, token, argument };
}

function suggestOption(name: string, known: readonly string[]): string {
  const remedy = suggest(name, known);
  return remedy.startsWith('did you mean') ? remedy : 'see ipvsadm(8) for the options';
}

function readShorts(token: Token, readArgument: ReadArgument): GivenOption[] {
  const options: GivenOption[] = [];
  for (let index = 1; index < token.text.length; index++) {
    const name = `-${token.text[index]}`;
    const info = shortOptions.get(token.text[index] ?? '');
    if (info === undefined) throw new CommandFault(`${name}: unknown option`, token, 'see ipvsadm(8) for the options');
    if (info.argument === 'none') {
      options.push({ info, name, token, argument: undefined });
      continue;
    }
    // The rest of the word is the argument, with or without an equals sign before it.
    const start = token.text[index + 1] === '=' ? index + 2 : index + 1;
    const attached = token.text.slice(start);
    const argument = attached === '' ? readArgument(info, name, token) : { text: attached, column: token.column + start };
    options.push({ info, name, token, argument });
    break;
  }
  return options;
}
