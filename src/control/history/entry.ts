// SPDX-License-Identifier: Apache-2.0
// What the history says about one snapshot: when it came into force, by whom and why.
import Type, { type Static } from 'typebox';

export const actions = ['start', 'reload', 'apply', 'command', 'rollback', 'expired'] as const;

export const entrySchema = Type.Object(
  {
    number: Type.Integer({ minimum: 1, description: 'Counts the entries from the first on' }),
    id: Type.String({ description: 'The id of the snapshot' }),
    at: Type.String({ description: 'When the snapshot came into force', examples: ['2026-01-31T12:00:00.000Z'] }),
    author: Type.String({ description: 'Who brought it into force', examples: ['alice'] }),
    action: Type.Enum([...actions], {
      description:
        'What brought it into force. command: a command that changes what runs, such as ipvsadm. expired: nobody confirmed the snapshot before in time',
    }),
    reason: Type.Optional(Type.String({ description: 'Why, in the words of the author' })),
    back: Type.Optional(
      Type.Integer({ minimum: 1, description: 'rollback and expired: the entry whose snapshot is in force again' }),
    ),
    confirmBefore: Type.Optional(
      Type.String({
        description: 'Without a confirmation before this time, the snapshot before comes into force again',
      }),
    ),
  },
  { additionalProperties: false },
);

/** An entry of the history. */
export type Entry = Static<typeof entrySchema>;

/** What is known of an entry before it has its number. */
export type NewEntry = Omit<Entry, 'number'>;

/** What is known of an entry before its snapshot is in force. */
export type Note = Omit<NewEntry, 'id' | 'at'>;
