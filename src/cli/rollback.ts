// SPDX-License-Identifier: Apache-2.0
// `sluice rollback`: brings a snapshot of the history into force again.
import { controlRollback } from '../control/api.ts';
import { type Command, optionalWord } from './command.ts';
import { askAndPrint, commonUsage } from './question.ts';
import { changedText, termsOf, termsOptions, termsUsage } from './terms.ts';

const usage = `Usage: sluice rollback [ID] [OPTION…]

Brings the snapshot ID of the history (its number, or the beginning of its id) into force again on all planes; without an ID,
the one that was in force before. The rollback is a new entry of the history, so it can be undone as well. The
files that Sluice was started with do not change: sluice diff shows what they have.

${termsUsage}
${commonUsage}
`;

export const rollbackCommand: Command = {
  usage,
  run: args =>
    askAndPrint(args, {
      options: termsOptions,
      takesWords: true,
      ask: (client, parsed) => {
        const to = optionalWord(parsed);
        return client.call(controlRollback, { ...(to === undefined ? {} : { to }), ...termsOf(parsed) });
      },
      text: changedText,
    }),
};
