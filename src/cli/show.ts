// SPDX-License-Identifier: Apache-2.0
// `sluice show` and `sluice export`: the configuration in force, or that of a snapshot of the history, as a sluice.yaml.
import { writeFileSync } from 'node:fs';
import { stringify } from 'yaml';
import { controlSnapshot } from '../control/api.ts';
import type { AnswerOf } from '../core/api/route.ts';
import { escapeVariables } from '../core/config/variables.ts';
import { SystemError } from '../core/errors.ts';
import { type Command, optionalWord, parseOptions, print } from './command.ts';
import { askAndPrint, clientOf, commonOptions, commonUsage, socketUsage } from './question.ts';

type SnapshotAnswer = AnswerOf<typeof controlSnapshot>;

const showUsage = `Usage: sluice show [ID] [OPTION…]

Prints a snapshot of the history (its number, or the beginning of its id) as a sluice.yaml; without an ID, the one in force.

${commonUsage}
`;

const exportUsage = `Usage: sluice export [FILE] [OPTION…]

Writes the configuration in force as a sluice.yaml, with everything that commands have changed. Without FILE it goes to
standard output. A file that exists is kept unless --force is given.

  --force         replace FILE
${socketUsage}
`;

export const showCommand: Command = {
  usage: showUsage,
  run: args =>
    askAndPrint(args, {
      takesWords: true,
      ask: (client, parsed) => {
        const which = optionalWord(parsed);
        return client.call(controlSnapshot, which === undefined ? {} : { which });
      },
      text: yamlOf,
    }),
};

export const exportCommand: Command = {
  usage: exportUsage,
  async run(args) {
    const options = { socket: commonOptions.socket, force: { type: 'boolean' } } as const;
    const parsed = parseOptions(args, options, { takesWords: true });
    const file = optionalWord(parsed);
    const text = yamlOf(await clientOf(parsed).call(controlSnapshot, {}));
    if (file === undefined) print(text);
    else writeNew(file, text, parsed.flags.has('force'));
    return 0;
  },
};

function writeNew(file: string, text: string, replaces: boolean): void {
  try {
    writeFileSync(file, text, { flag: replaces ? 'w' : 'wx' });
  } catch (error) {
    throw SystemError.from(error, 'cannot write the file', { place: { file }, remedy: '--force replaces a file' });
  }
}

function yamlOf({ id, entry, document }: SnapshotAnswer): string {
  const head = [`# snapshot ${id}`];
  if (entry !== undefined) {
    const why = entry.reason === undefined ? '' : `: ${entry.reason.replaceAll(/\s+/g, ' ')}`;
    head.push(`# entry ${entry.number}, ${entry.at}, ${entry.action} by ${entry.author}${why}`);
  }
  return `${head.join('\n')}\n${stringify(escaped(document), { lineWidth: 0, blockQuote: false })}`;
}

/** As a file means it, in which a text can have variables; keys and block scalars have none. */
function escaped(value: unknown): unknown {
  if (typeof value === 'string') return escapeVariables(value);
  if (Array.isArray(value)) return value.map(escaped);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, escaped(part)]));
}
