// SPDX-License-Identifier: Apache-2.0
// Reads a file of ipvsadm's commands, one a line, as `ipvsadm -S -n` prints them and `ipvsadm -R` reads them. A line
// may begin with the word ipvsadm. Other than in ipvsadm, lines that begin with # are comments, and all mistakes are
// reported at once.
import { Problems } from '../../core/config/problems.ts';
import { ConfigError } from '../../core/errors.ts';
import { type DirectorModel, emptyDirectorModel } from '../model.ts';
import { parseCommand } from './grammar.ts';
import { type Refusal, ServiceTable } from './table.ts';
import { CommandFault, splitLine, type Token } from './tokens.ts';
import { type PortNames, systemPortNames } from './values.ts';

export interface RulesOptions {
  /** The name of the file, for messages. */
  readonly file?: string;
  /** The model that the commands change; an empty model by default. */
  readonly base?: DirectorModel;
  /** The names of ports; by default those of /etc/services. */
  readonly portNames?: PortNames;
}

// 500,000 of the longest lines. A larger file is not a file of rules.
const longestRules = 64 * 1024 * 1024;

/** Reads the commands and returns the model that they make. Throws a ConfigError, or ConfigErrors with all mistakes. */
export function readRules(text: string, options: RulesOptions = {}): DirectorModel {
  const { file, base = emptyDirectorModel, portNames = systemPortNames() } = options;
  const problems = new Problems();
  if (text.length > longestRules) {
    const details = { place: { file }, value: text.length, remedy: `keep it below ${longestRules} characters` };
    throw new ConfigError('SLUICE_CONFIG_SYNTAX', 'the file of rules is too long', details);
  }
  const table = new ServiceTable(base);
  for (const [index, line] of text.split('\n').entries()) {
    const error = applyLine(table, line, portNames, { file, line: index + 1 });
    if (error !== undefined) problems.add(error);
  }
  problems.throwIfAny();
  return table.model();
}

interface LinePlace {
  readonly file?: string | undefined;
  readonly line?: number | undefined;
}

/** Applies one line. Returns the mistake in the line, with its place. Empty lines and comments change nothing. */
export function applyLine(
  table: ServiceTable,
  line: string,
  portNames: PortNames,
  place: LinePlace = {},
): ConfigError | undefined {
  const tokens = splitLine(line);
  if (tokens[0]?.text === 'ipvsadm') tokens.shift();
  const [first] = tokens;
  if (first === undefined || first.text.startsWith('#')) return undefined;
  try {
    const refusal = table.apply(parseCommand(tokens, { port: portNames }));
    return refusal === undefined ? undefined : refusalError(refusal, tokens, place);
  } catch (fault) {
    if (!(fault instanceof CommandFault)) throw fault;
    const token = fault.token ?? first;
    return new ConfigError('SLUICE_CONFIG_SYNTAX', fault.message, {
      place: { ...place, column: token.column },
      value: token.text,
      remedy: fault.remedy,
    });
  }
}

// The place of the error is the first word of the line.
function refusalError(refusal: Refusal, tokens: readonly Token[], place: LinePlace): ConfigError {
  return new ConfigError('SLUICE_CONFIG_CONFLICT', refusal.problem, {
    place: { ...place, column: tokens[0]?.column },
    value: refusal.subject,
    remedy: refusal.remedy,
  });
}
