// SPDX-License-Identifier: Apache-2.0
// The terms of a change: who asks, why, and whether it is tried, conditional or undone without a confirmation. Shared by
// the commands that change what runs.
import type { controlApply } from '../control/api.ts';
import type { AnswerOf } from '../core/api/route.ts';
import { UsageError } from '../core/errors.ts';
import { ownUserName } from '../daemon/user.ts';
import type { ParsedOptions } from './command.ts';

type Changed = AnswerOf<typeof controlApply>;

export const termsOptions = {
  reason: { type: 'string' },
  confirm: { type: 'string' },
  expect: { type: 'string' },
  'dry-run': { type: 'boolean' },
} as const;

export const termsUsage = `  --dry-run       all planes say whether they can do it, and nothing changes
  --reason TEXT   why; shown in the history
  --confirm TIME  the change is undone unless sluice confirm comes within this time: 60s, 5m
  --expect ID     refuse the change unless this snapshot is in force`;

export function termsOf({ values, flags }: ParsedOptions) {
  const [reason, confirm, expect] = ['reason', 'confirm', 'expect'].map(name => values.get(name)?.[0]);
  return {
    author: author(),
    ...(reason === undefined ? {} : { reason }),
    ...(confirm === undefined ? {} : { confirmSeconds: secondsOf(confirm) }),
    ...(expect === undefined ? {} : { expect }),
    ...(flags.has('dry-run') ? { dryRun: true } : {}),
  };
}

/** The person, also behind sudo(8). */
export function author(): string {
  const { SUDO_USER } = process.env;
  if (SUDO_USER !== undefined && SUDO_USER !== '') return SUDO_USER;
  return ownUserName();
}

const units: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600 };

/** A time in seconds: 90, 90s, 5m, 1h. */
export function secondsOf(text: string): number {
  const [, count = '', unit = ''] = /^(\d{1,5})([smh]?)$/.exec(text) ?? [];
  const seconds = Number(count) * (units[unit] ?? 0);
  if (count !== '' && seconds > 0) return seconds;
  throw new UsageError('not a time', { value: text, remedy: 'use 60s, 5m or 1h' });
}

/** What a command prints about the change that it has made or tried. */
export function changedText({ id, changes, entry, confirmBefore }: Changed, { flags }: ParsedOptions): string {
  const lines = changes.length === 0 ? ['nothing is different'] : [...changes];
  if (flags.has('dry-run')) lines.unshift(`snapshot ${id} could come into force:`);
  else lines.unshift(`snapshot ${id} is in force${entry === undefined ? '' : `, entry ${entry} of the history`}`);
  if (confirmBefore !== undefined) lines.push(`undone at ${confirmBefore} unless sluice confirm comes before`);
  return `${lines.join('\n')}\n`;
}
