// SPDX-License-Identifier: Apache-2.0
// `sluice diff`: what is different between what runs and a file, a snapshot, or the files that Sluice was started with.
import { existsSync } from 'node:fs';
import { controlCompare } from '../control/api.ts';
import { documentFormat } from '../daemon/document.ts';
import { type Command, optionalWord } from './command.ts';
import { snapshotOf } from './document.ts';
import { askAndPrint, commonUsage } from './question.ts';

const usage = `Usage: sluice diff [FILE|ID] [OPTION…]

Prints what would be different from what runs, a line for each change: + is added, - is removed, ~ is changed. Compared is
the sluice.yaml FILE (- for standard input) or the snapshot ID of the history (its number, or the beginning of its id); without
either, the files that the running Sluice was started with: what they do not have was changed by commands since.

${commonUsage}
`;

export const diffCommand: Command = {
  usage,
  run: args =>
    askAndPrint(args, {
      takesWords: true,
      ask: async (client, parsed) => client.call(controlCompare, await otherOf(optionalWord(parsed))),
      text: ({ inForce, other, changes }) =>
        inForce === other || changes.length === 0 ? 'nothing is different\n' : `${changes.join('\n')}\n`,
    }),
};

/** A word that is the name of no file names a snapshot. */
async function otherOf(word: string | undefined) {
  if (word === undefined) return {};
  if (word !== '-' && !existsSync(word) && /^[0-9a-f]{1,64}$/.test(word)) return { which: word };
  return { document: documentFormat.write(await snapshotOf(word)) };
}
