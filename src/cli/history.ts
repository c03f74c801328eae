// SPDX-License-Identifier: Apache-2.0
// `sluice history`: the snapshots that were in force, with who brought them into force, when and why.
import { controlHistory } from '../control/api.ts';
import type { AnswerOf } from '../core/api/route.ts';
import { UsageError } from '../core/errors.ts';
import type { Command, ParsedOptions } from './command.ts';
import { askAndPrint, commonUsage } from './question.ts';

type HistoryAnswer = AnswerOf<typeof controlHistory>;
type Entry = HistoryAnswer['entries'][number];

const usualMost = 20;

const usage = `Usage: sluice history [OPTION…]

Lists the snapshots that were in force, the newest first, with who brought each into force, how and why. The entry of the
snapshot in force has a star.

  --most N        list N entries; ${usualMost} unless given
${commonUsage}
`;

export const historyCommand: Command = {
  usage,
  run: args =>
    askAndPrint(args, {
      options: { most: { type: 'string' } },
      ask: (client, parsed) => client.call(controlHistory, { most: mostOf(parsed) }),
      text,
    }),
};

function mostOf({ values }: ParsedOptions): number {
  const word = values.get('most')?.[0];
  const most = word === undefined ? usualMost : Number(word);
  if (Number.isInteger(most) && most > 0) return most;
  throw new UsageError('not a number of entries', { value: word, remedy: 'use 1 or more' });
}

const shownOfId = 12;

function text({ inForce, entries, pending, unavailable }: HistoryAnswer): string {
  if (unavailable !== undefined) return `${unavailable}\n`;
  const current = entries.find(({ id }) => id === inForce)?.number;
  const rows = entries.map(entry => [
    `${entry.number === current ? '*' : ' '}${entry.number}`,
    entry.at,
    entry.author,
    actionOf(entry),
    entry.id.slice(0, shownOfId),
    whyOf(entry, pending),
  ]);
  const table = [[' no', 'when', 'who', 'what', 'snapshot', 'why'], ...rows];
  const widths = [0, 1, 2, 3, 4].map(column => Math.max(...table.map(row => row[column]?.length ?? 0)));
  const lines = table.map(row => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  return `${lines.map(line => line.trimEnd()).join('\n')}\n`;
}

function actionOf({ action, back }: Entry): string {
  return back === undefined ? action : `${action} to ${back}`;
}

function whyOf({ number, reason = '', confirmBefore }: Entry, pending: number | undefined): string {
  return number === pending ? `${reason} (undone at ${confirmBefore} unless it is confirmed)`.trimStart() : reason;
}
