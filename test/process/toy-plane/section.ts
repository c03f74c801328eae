// SPDX-License-Identifier: Apache-2.0
// The section of the toy plane: a greeting, and how the plane takes the next change.
import Type, { type Static } from 'typebox';
import { canonicalJson, sha256 } from '../../../src/core/config/canonical.ts';
import type { Section } from '../../../src/core/config/section.ts';

const toySchema = Type.Object(
  {
    greeting: Type.String({ description: 'What the plane answers.' }),
    prepares: Type.Optional(
      Type.Enum(['refuses', 'hangs', 'dies'], { description: 'How the plane takes a change to this model.' }),
    ),
    // The plane dies of the change only while this file is there, and removes it first.
    once: Type.Optional(Type.String({ description: 'The path of a file.' })),
  },
  { description: 'A plane that greets.', additionalProperties: false },
);

export type ToyModel = Static<typeof toySchema>;

export const toySection: Section<'toy', ToyModel, string> = {
  key: 'toy',
  schema: toySchema,
  empty: { greeting: '' },
  read: reader => reader.value<ToyModel>([]) ?? { greeting: '' },
  write: model => (model.greeting === '' ? undefined : model),
  digest: model => sha256(canonicalJson(model)),
  compare: (before, after) => (before.greeting === after.greeting ? [] : [`it says ${after.greeting}`]),
  describe: change => change,
};
