// SPDX-License-Identifier: Apache-2.0
// `sluice apply`: brings a sluice.yaml into force. The file is read and checked here, as the person who asks: a mistake is
// reported with its line before the running Sluice hears of it.
import { controlApply } from '../control/api.ts';
import { documentFormat } from '../daemon/document.ts';
import { type Command, onlyWord } from './command.ts';
import { snapshotOf } from './document.ts';
import { askAndPrint, commonUsage } from './question.ts';
import { changedText, termsOf, termsOptions, termsUsage } from './terms.ts';

const usage = `Usage: sluice apply FILE [OPTION…]

Brings the sluice.yaml FILE (- for standard input) into force on all planes, or says what is wrong with it: then
everything goes on as before. Connections go on as far as their servers are still there. The snapshot before stays in the
history: sluice rollback goes back to it.

${termsUsage}
${commonUsage}
`;

export const applyCommand: Command = {
  usage,
  run: args =>
    askAndPrint(args, {
      options: termsOptions,
      takesWords: true,
      ask: async (client, parsed) => {
        const file = onlyWord(parsed, 'a sluice.yaml');
        const document = documentFormat.write(await snapshotOf(file));
        return await client.call(controlApply, { document, ...termsOf(parsed) });
      },
      text: changedText,
    }),
};
