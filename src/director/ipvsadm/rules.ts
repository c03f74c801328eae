// SPDX-License-Identifier: Apache-2.0
// A file of ipvsadm's commands, one a line, as `ipvsadm -S -n` prints them and `ipvsadm -R` reads them: without the program's
// name, or with it. More than ipvsadm: lines that begin with # are comments, and all that is wrong is reported at once.
import { Problems } from '../../core/config/problems.ts';
import { ConfigError } from '../../core/errors.ts';
import { type DirectorModel, emptyDirectorModel } from '../model.ts';
import { parseCommand } from './grammar.ts';
import { type Refusal, ServiceTable } from './table.ts';
import { CommandFault, splitLine, type Token } from './tokens.ts';
import { type PortNames, systemPortNames } from './values.ts';

export interface RulesOptions {
  /** For messages. */
  readonly file?: string;
  /** What the commands change; nothing by default. */
  readonly base?: DirectorModel;
  /** The names of ports; by default those of /etc/services. */
  readonly portNames?: PortNames;
}

// 500,000 lines of the longest kind; more is not a rules file.
const longestRules = 64 * 1024 * 1024;

/** The model that the commands make. Throws a ConfigError, or ConfigErrors with all that is wrong. */
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

/** Applies one line; what is wrong with it comes back with its place. Empty lines and comments change nothing. */
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
    const refusal = table.apply(parseCommand(tokens, portNames));
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

// The word that a refusal is about is the last one that could name a server or a service.
function refusalError(refusal: Refusal, tokens: readonly Token[], place: LinePlace): ConfigError {
  return new ConfigError('SLUICE_CONFIG_CONFLICT', refusal.problem, {
    place: { ...place, column: tokens[0]?.column },
    value: refusal.subject,
    remedy: refusal.remedy,
  });
}
