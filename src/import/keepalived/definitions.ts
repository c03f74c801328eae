// SPDX-License-Identifier: Apache-2.0
// Definitions (`$NAME=value`) and loops (`~SEQ`, `~LST`) of keepalived's files. A value is replaced where it is used, not
// where it is defined, so that it may name what is defined later.

/** What keepalived defines by itself: the value, by the words after the name. */
export type BuiltIn = (words: readonly string[]) => string | undefined;

interface Definition {
  /** A definition of several lines is replaced at the end of a line only. */
  readonly lines: readonly string[];
  readonly isLong: boolean;
}

/** A line after one replacement; `more` are lines that follow it. */
export interface Replaced {
  readonly text: string;
  readonly more: readonly string[];
}

const reference = /\$(?:\{([A-Za-z_]\w*)((?: +[^\s}]+)*)\}|([A-Za-z_]\w*)(?=[ \t]|$))/g;

export class Definitions {
  readonly #known = new Map<string, Definition>();
  readonly #builtIns: ReadonlyMap<string, BuiltIn>;

  constructor(builtIns: ReadonlyMap<string, BuiltIn>) {
    this.#builtIns = builtIns;
  }

  set(name: string, value: string): void {
    this.#known.set(name, { lines: [value], isLong: false });
  }

  setLines(name: string, lines: readonly string[]): void {
    const full = lines.filter(line => line !== '');
    this.#known.set(name, { lines: full, isLong: full.length > 0 });
  }

  /** Replaces the first reference that has a value; undefined where none has. */
  replaceFirst(text: string): Replaced | undefined {
    if (!text.includes('$')) return undefined;
    for (const match of text.matchAll(reference)) {
      const [whole, braced, parameters = '', plain] = match;
      const name = braced ?? plain ?? '';
      const end = match.index + whole.length;
      const found = this.#valueOf(name, parameters.trim(), end === text.length);
      if (found === undefined) continue;
      const [first = '', ...more] = found;
      return { text: text.slice(0, match.index) + first + text.slice(end), more };
    }
    return undefined;
  }

  #valueOf(name: string, parameters: string, isLast: boolean): readonly string[] | undefined {
    const known = this.#known.get(name);
    if (known !== undefined) return parameters !== '' || (known.isLong && !isLast) ? undefined : known.lines;
    const value = this.#builtIns.get(name)?.(parameters === '' ? [] : parameters.split(/ +/));
    return value === undefined ? undefined : [value];
  }
}

/** The name and the value of a line that defines something. */
export function definitionIn(text: string): { name: string; value: string } | undefined {
  const [, name, value] = /^\$([A-Za-z_]\w*)=[ \t]*(.*)$/s.exec(text) ?? [];
  return name === undefined || value === undefined ? undefined : { name, value };
}

export interface Loop {
  /** One round sets these definitions. */
  readonly rounds: Iterable<readonly (readonly [name: string, value: string])[]>;
  readonly count: number;
  /** The rest of the line, which is read in each round. */
  readonly rest: string;
}

/** The loop at the beginning of a line; undefined when it is not written as keepalived reads it. */
export function loopIn(text: string): Loop | undefined {
  return text.startsWith('~LST') ? listLoop(text) : sequenceLoop(text);
}

function sequenceLoop(text: string): Loop | undefined {
  const [, hexadecimal, name = '', numbers = '', rest = ''] =
    /^~SEQ(x?)[ \t]*\([ \t]*([^\s,()]+)[ \t]*,([^)]*)\)[ \t]*(.*)$/s.exec(text) ?? [];
  const values = numbers.split(',').map(one => integer(one.trim()));
  if (name === '' || values.length > 3 || values.some(value => value === undefined)) return undefined;
  const bounds = boundsOf(values as number[]);
  if (bounds === undefined) return undefined;
  const { start, step, end } = bounds;
  const count = Math.floor((end - start) / step) + 1;
  const radix = hexadecimal === 'x' ? 16 : 10;
  function* rounds() {
    for (let round = 0; round < count; round++) {
      const value = start + round * step;
      yield [[name, (radix === 16 && value < 0 ? value >>> 0 : value).toString(radix)] as const];
    }
  }
  return { rounds: rounds(), count, rest };
}

// (end), (start, end) or (start, step, end).
function boundsOf(values: readonly number[]): { start: number; step: number; end: number } | undefined {
  const [one = 0, two, three] = values;
  if (two === undefined) return { start: one < 0 ? -1 : 1, step: one < 1 ? -1 : 1, end: one };
  if (three === undefined) return { start: one, step: one <= two ? 1 : -1, end: two };
  const isEndless = two === 0 || (one < three && two < 0) || (one > three && two > 0);
  return isEndless ? undefined : { start: one, step: two, end: three };
}

/** As strtol(3) reads a number by itself: decimal, 0x… or octal. */
function integer(text: string): number | undefined {
  if (!/^[+-]?(0x[0-9a-f]+|\d+)$/i.test(text)) return undefined;
  const isNegative = text.startsWith('-');
  const digits = text.replace(/^[+-]/, '');
  const value = /^0\d/.test(digits) ? Number.parseInt(digits, 8) : Number(digits);
  return Number.isSafeInteger(value) ? (isNegative ? -value : value) : undefined;
}

function listLoop(text: string): Loop | undefined {
  const [, inner = '', rest = ''] = /^~LST[ \t]*\(((?:[^(){}]|\{[^{}]*\})*)\)[ \t]*(.*)$/s.exec(text) ?? [];
  const items = splitList(inner).map(item => (item.startsWith('{') ? splitList(item.slice(1, -1)) : [item]));
  const [names, ...values] = items;
  if (names === undefined || values.length === 0) return undefined;
  if ([...names, ...values.flat()].some(one => /\s/.test(one)) || names.includes('')) return undefined;
  const rounds = values.map(value => names.map((name, index) => [name, value[index] ?? ''] as const));
  return { rounds, count: rounds.length, rest };
}

// The parts between commas that are not within braces.
function splitList(text: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const sign of text) {
    if (sign === '{') depth++;
    else if (sign === '}') depth--;
    if (sign === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += sign;
  }
  return parts.map(part => part.trim());
}
