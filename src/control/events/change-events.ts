// SPDX-License-Identifier: Apache-2.0
// Events of changes of the configuration: who changed what, how it ended, and the snapshots before and after. Those who
// were refused are told, too. The history keeps the snapshots themselves. EventLog cuts what is long.
import { SluiceError } from '../../core/errors.ts';
import type { EventFacts } from '../../core/events/event.ts';
import { given } from '../../core/given.ts';
import type { Applied } from '../control.ts';
import type { Entry, Note } from '../history/entry.ts';

/** What is different, in short: so many lines. */
const mostChanges = 20;

const shownOfId = 12;

export interface ChangeAsked {
  readonly note: Note;
  /** The id of the snapshot before; undefined for the first one. */
  readonly before: string | undefined;
}

export function appliedEvent(
  { note, before }: ChangeAsked,
  { id, changes }: Applied,
  entry: Entry | undefined,
): EventFacts {
  const count = before === undefined ? '' : changes.length === 1 ? ': 1 change' : `: ${changes.length} changes`;
  const number = entry?.id === id ? entry.number : undefined;
  const waits =
    note.confirmBefore === undefined ? '' : `; it is undone at ${note.confirmBefore} unless it is confirmed`;
  return {
    kind: kinds[note.action],
    severity: note.action === 'expired' ? 'warning' : 'info',
    subject: `snapshot ${id.slice(0, shownOfId)}`,
    text: `${phrases[note.action](note)} snapshot ${id.slice(0, shownOfId)} into force${count}${waits}`,
    fields: {
      ...fieldsOf({ note, before }),
      ...{ outcome: 'in force', after: id, changes: changes.slice(0, mostChanges), changed: changes.length },
      ...given({ entry: number }),
    },
  };
}

export function refusedEvent(asked: ChangeAsked, error: unknown): EventFacts {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof SluiceError ? error.code : undefined;
  const { author, action } = asked.note;
  return {
    kind: 'snapshot.refused',
    severity: 'warning',
    subject: asked.before === undefined ? 'snapshot' : `snapshot ${asked.before.slice(0, shownOfId)}`,
    text: `a change by ${author} (${action}) was refused: ${firstLine(message)}`,
    fields: { ...fieldsOf(asked), outcome: 'refused', error: message, ...given({ code }) },
  };
}

export function confirmedEvent({ id, number, author }: Entry): EventFacts {
  const subject = `snapshot ${id.slice(0, shownOfId)}`;
  const text = `change ${number} by ${author} is confirmed: ${subject} stays in force`;
  return { kind: 'snapshot.confirmed', severity: 'info', subject, text, fields: { entry: number, after: id } };
}

const kinds: Readonly<Record<Note['action'], string>> = {
  start: 'snapshot.applied',
  apply: 'snapshot.applied',
  reload: 'snapshot.applied',
  command: 'snapshot.applied',
  rollback: 'snapshot.rolled-back',
  expired: 'snapshot.gone-back',
};

const phrases: Readonly<Record<Note['action'], (note: Note) => string>> = {
  start: () => 'the start brought',
  apply: ({ author }) => `${author} brought`,
  reload: ({ author }) => `${author} read the files again and brought`,
  command: ({ author }) => `a command of ${author} brought`,
  rollback: ({ author, back }) => `${author} went back to entry ${back} and brought`,
  expired: ({ back }) => `nobody confirmed the change in time: going back to entry ${back} brought`,
};

function fieldsOf({ note: { author, action, reason, back }, before }: ChangeAsked) {
  return { author, action, ...given({ reason, back, before }) };
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
