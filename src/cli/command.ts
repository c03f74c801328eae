// SPDX-License-Identifier: Apache-2.0
// What every subcommand has in common: a row in main.ts's table, options by node:util's parseArgs, errors that name what
// was wrong. Standard output belongs to the answer, standard error to everything else.
import { readFileSync } from 'node:fs';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { nearest } from '../core/config/suggest.ts';
import { SystemError, UsageError } from '../core/errors.ts';

/** Of a process: done, failed, misuse. */
export type ExitStatus = 0 | 1 | 2;

export interface Command {
  /** What `sluice NAME --help` prints. */
  readonly usage: string;
  run(args: readonly string[]): Promise<ExitStatus>;
}

export type OptionTypes = Readonly<
  Record<string, { readonly type: 'string' | 'boolean'; readonly short?: string; readonly multiple?: boolean }>
>;

export interface ParsedOptions {
  readonly flags: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly positionals: readonly string[];
}

export interface ParsingOptions {
  /** Whether the command takes words that belong to no option. */
  readonly takesWords?: boolean;
  /** Options that people may look for in vain, each with what to do instead. */
  readonly elsewhere?: Readonly<Record<string, string>>;
}

/** Throws a UsageError for a word that is not expected, and for an option that is not known, lacks its value or stands twice and may not. */
export function parseOptions(
  args: readonly string[],
  options: OptionTypes,
  { takesWords = false, elsewhere = {} }: ParsingOptions = {},
): ParsedOptions {
  const flags = new Set<string>();
  const values = new Map<string, string[]>();
  const positionals: string[] = [];
  for (const token of tokensOf({ args: [...args], options, allowPositionals: true, tokens: true }, elsewhere)) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind === 'positional' && !takesWords) {
      throw new UsageError('a word is not expected here', { value: token.value, remedy: '--help shows what is' });
    }
    if (token.kind !== 'option') continue;
    const { name, value } = token;
    const isRepeated = flags.has(name) || values.has(name);
    if (isRepeated && !options[name]?.multiple) throw new UsageError(`--${name} stands twice`, { value });
    if (value === undefined) flags.add(name);
    else values.set(name, [...(values.get(name) ?? []), value]);
  }
  return { flags, values, positionals };
}

function tokensOf(config: ParseArgsConfig & { tokens: true }, elsewhere: Readonly<Record<string, string>>) {
  try {
    return parseArgs(config).tokens;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_'))) throw error;
    const [problem = ''] = error.message.split('. ');
    const isUnknown = error.code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION';
    const name = isUnknown ? /--([\w-]+)/.exec(problem)?.[1] : undefined;
    const remedy = name === undefined ? undefined : remedyFor(name, Object.keys(config.options ?? {}), elsewhere);
    throw new UsageError(problem.charAt(0).toLowerCase() + problem.slice(1), { remedy, cause: error });
  }
}

function remedyFor(
  name: string,
  known: readonly string[],
  elsewhere: Readonly<Record<string, string>>,
): string | undefined {
  if (Object.hasOwn(elsewhere, name)) return elsewhere[name];
  const meant = nearest(name, known);
  return meant === undefined ? undefined : `did you mean --${meant}?`;
}

/** A configuration as text. */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw SystemError.from(error, 'cannot read the file', { place: { file } });
  }
}

/** Writes the answer. What nobody reads any more (`sluice … | head`) is dropped. */
export function print(text: string): void {
  process.stdout.write(text);
}
