// SPDX-License-Identifier: Apache-2.0
// `sluice reload`: has a running Sluice read its configuration again, and prints what has changed.
import { controlReload } from '../control/api.ts';
import type { Command } from './command.ts';
import { askAndPrint, commonUsage } from './question.ts';
import { changedText, termsOf, termsOptions, termsUsage } from './terms.ts';

const usage = `Usage: sluice reload [OPTION…]

A running Sluice reads the files again that it was started with, and applies what has changed. Prints the changes, or what
is wrong with the files: then everything goes on as before.

${termsUsage}
${commonUsage}
`;

export const reloadCommand: Command = {
  usage,
  run: args =>
    askAndPrint(args, {
      options: termsOptions,
      ask: (client, parsed) => client.call(controlReload, termsOf(parsed)),
      text: changedText,
    }),
};
