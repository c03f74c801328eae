// SPDX-License-Identifier: Apache-2.0
// The sections of the toy planes: a greeting, and how the plane takes the next change.
import Type, { type Static } from 'typebox';
import { canonicalJson, sha256 } from '../../../src/core/config/canonical.ts';
import { secretSchema } from '../../../src/core/config/secret.ts';
import type { Section } from '../../../src/core/config/section.ts';

/**
 * When a plane gets a change to such a model:
 * - refuses, hangs: it does not prepare
 * - dies-preparing, dies: its process ends while it prepares, or while it commits
 * - spins: its event loop stands still from the commit on
 * - babbles: its process writes `bytes` to the supervisor when it commits
 */
const manners = ['refuses', 'hangs', 'dies-preparing', 'dies', 'spins', 'babbles'] as const;

const toySchema = Type.Object(
  {
    greeting: Type.String({ description: 'What the plane answers.' }),
    prepares: Type.Optional(Type.Enum([...manners], { description: 'How the plane takes a change to this model.' })),
    // A plane harms itself only while this file is there, and removes it first.
    once: Type.Optional(Type.String({ description: 'The path of a file.' })),
    bytes: Type.Optional(Type.String({ description: 'In base64.' })),
    password: Type.Optional(secretSchema('What the plane knows and does not tell.')),
  },
  { description: 'A plane that greets.', additionalProperties: false },
);

export type ToyModel = Static<typeof toySchema>;

function greetingSection<Key extends string>(key: Key): Section<Key, ToyModel, string> {
  return {
    key,
    schema: toySchema,
    empty: { greeting: '' },
    read: reader => reader.value<ToyModel>([]) ?? { greeting: '' },
    write: model => (model.greeting === '' ? undefined : model),
    digest: model => sha256(canonicalJson(model)),
    compare: (before, after) => (canonicalJson(before) === canonicalJson(after) ? [] : [`it says ${after.greeting}`]),
    describe: change => change,
  };
}

export const toySection = greetingSection('toy');
export const otherSection = greetingSection('other');
