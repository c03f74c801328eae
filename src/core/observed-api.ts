// SPDX-License-Identifier: Apache-2.0
// How control learns what a plane observes: it asks for all that changed after what it knows, and the answer comes as
// soon as there is something, or empty after a while. A process that took the place of another has another `instance`,
// and tells everything.
import Type, { type Static } from 'typebox';
import { parametersSchema, route } from './api/route.ts';
import type { Immutable } from './immutable.ts';

const health = Type.Enum(['up', 'down']);

const observedTarget = Type.Object({
  key: Type.String(),
  health,
  known: Type.Boolean({ description: 'false: no results have decided yet; what was known before still holds' }),
  weight: Type.Optional(Type.Integer({ description: 'The weight that a check found' })),
  share: Type.Optional(Type.Number({ description: 'The part of its weight that the target gets during a slow start' })),
});

const observedGroup = Type.Object({
  key: Type.String(),
  quorum: health,
  targets: Type.Array(observedTarget, {
    description: 'Those that are not simply up; all where a target is down at the start',
  }),
});

const observedAnswer = Type.Object({
  instance: Type.String({ description: 'The process that observes' }),
  version: Type.Integer({ description: 'To be asked for next time' }),
  digest: Type.Optional(Type.String({ description: 'The part that the plane runs by' })),
  whole: Type.Boolean({ description: 'Whether all groups are told, and not those that changed' }),
  groups: Type.Array(observedGroup),
});

export type ObservedAnswer = Immutable<Static<typeof observedAnswer>>;

/** The route of a plane that observes. */
export const observedRoute = (plane: string) =>
  route({
    method: 'GET',
    path: `/${plane}/observed`,
    summary: 'Waits until something is observed that is not known yet, and tells it.',
    parameters: parametersSchema({
      instance: Type.Optional(Type.String({ description: 'The process that the version is of' })),
      version: Type.Optional(Type.Integer({ minimum: 0, description: 'What is known' })),
    }),
    answer: observedAnswer,
  });

/** An answer without news comes after this time. */
export const observedWaitMilliseconds = 20_000;
