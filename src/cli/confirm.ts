// SPDX-License-Identifier: Apache-2.0
// `sluice confirm`: keeps a change that would be undone otherwise.
import { controlConfirm } from '../control/api.ts';
import type { Command } from './command.ts';
import { askAndPrint, commonUsage } from './question.ts';

const usage = `Usage: sluice confirm [OPTION…]

Keeps a change that was made with --confirm: it would be undone when its time is over.

${commonUsage}
`;

export const confirmCommand: Command = {
  usage,
  run: args =>
    askAndPrint(args, {
      ask: client => client.call(controlConfirm, {}),
      text: ({ number, id }) => `entry ${number} is confirmed: snapshot ${id} stays in force\n`,
    }),
};
