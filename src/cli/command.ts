// SPDX-License-Identifier: Apache-2.0
// Shared by all commands: the interface of a command, and the parsing of options with node:util's parseArgs. Standard output
// is for the answer, standard error for everything else.
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { nearest } from '../core/config/suggest.ts';
import { UsageError } from '../core/errors.ts';
import { readTextFile } from '../core/text-file.ts';

/** 0 done, 1 failed, 2 misuse; 255 as ipvsadm ends. */
export type ExitStatus = 0 | 1 | 2 | 255;

export interface Command {
  /** What `sluice NAME --help` prints. */
  readonly usage: string;
  /** The command has its own answer to --help. */
  readonly answersHelp?: boolean;
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
  /** Remedies for options that the command does not have but people may expect, by the option's name. */
  readonly remedies?: Readonly<Record<string, string>>;
}

/** Throws a UsageError for an unexpected word, and for an option that is unknown, lacks its value or is given twice. */
export function parseOptions(
  args: readonly string[],
  options: OptionTypes,
  { takesWords = false, remedies = {} }: ParsingOptions = {},
): ParsedOptions {
  const flags = new Set<string>();
  const values = new Map<string, string[]>();
  const positionals: string[] = [];
  for (const token of tokensOf({ args: [...args], options, allowPositionals: true, tokens: true }, remedies)) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind === 'positional' && !takesWords) {
      throw new UsageError('unexpected word', { value: token.value, remedy: '--help shows the usage' });
    }
    if (token.kind !== 'option') continue;
    const { name, value } = token;
    const isRepeated = flags.has(name) || values.has(name);
    if (isRepeated && !options[name]?.multiple) throw new UsageError(`--${name} is given twice`, { value });
    if (value === undefined) flags.add(name);
    else values.set(name, [...(values.get(name) ?? []), value]);
  }
  return { flags, values, positionals };
}

/** The only word that belongs to no option; undefined when there is none. Throws a UsageError when there are more. */
export function optionalWord({ positionals }: ParsedOptions): string | undefined {
  const [word, unexpected] = positionals;
  if (unexpected === undefined) return word;
  throw new UsageError('unexpected word', { value: unexpected, remedy: '--help shows the usage' });
}

/** The same where there must be one. */
export function onlyWord(parsed: ParsedOptions, meaning: string): string {
  const word = optionalWord(parsed);
  if (word !== undefined) return word;
  throw new UsageError(`the command lacks ${meaning}`, { remedy: '--help shows the usage' });
}

function tokensOf(config: ParseArgsConfig & { tokens: true }, remedies: Readonly<Record<string, string>>) {
  try {
    return parseArgs(config).tokens;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_'))) throw error;
    const [problem = ''] = error.message.split('. ');
    const isUnknown = error.code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION';
    const name = isUnknown ? /--([\w-]+)/.exec(problem)?.[1] : undefined;
    const remedy = name === undefined ? undefined : remedyFor(name, Object.keys(config.options ?? {}), remedies);
    throw new UsageError(problem.charAt(0).toLowerCase() + problem.slice(1), { remedy, cause: error });
  }
}

function remedyFor(
  name: string,
  known: readonly string[],
  remedies: Readonly<Record<string, string>>,
): string | undefined {
  if (Object.hasOwn(remedies, name)) return remedies[name];
  const meant = nearest(name, known);
  return meant === undefined ? undefined : `did you mean --${meant}?`;
}

/** Writes to standard output. If the reader has closed it (`sluice … | head`), the text is dropped. */
export function print(text: string): void {
  process.stdout.write(text);
}

/** A file that a person names, which may be a pipe. */
export function readText(file: string): Promise<string> {
  return readTextFile(file, { takesPipes: true });
}
