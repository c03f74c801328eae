// SPDX-License-Identifier: Apache-2.0
// What every subcommand has in common: a row in main.ts's table, options by node:util's parseArgs, errors that name what
// was wrong. Standard output belongs to the answer, standard error to everything else.
import { readFileSync } from 'node:fs';
import { type ParseArgsConfig, parseArgs } from 'node:util';
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

/** Throws a UsageError for an option that is not known, has no value or stands twice and may not. */
export function parseOptions(args: readonly string[], options: OptionTypes): ParsedOptions {
  const flags = new Set<string>();
  const values = new Map<string, string[]>();
  const positionals: string[] = [];
  for (const token of tokensOf({ args: [...args], options, allowPositionals: true, tokens: true })) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const { name, value } = token;
    const isRepeated = flags.has(name) || values.has(name);
    if (isRepeated && !options[name]?.multiple) throw new UsageError(`--${name} stands twice`, { value });
    if (value === undefined) flags.add(name);
    else values.set(name, [...(values.get(name) ?? []), value]);
  }
  return { flags, values, positionals };
}

function tokensOf(config: ParseArgsConfig & { tokens: true }) {
  try {
    return parseArgs(config).tokens;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_'))) throw error;
    const [problem = ''] = error.message.split('. ');
    throw new UsageError(problem.charAt(0).toLowerCase() + problem.slice(1), { cause: error });
  }
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
