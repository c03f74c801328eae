// SPDX-License-Identifier: Apache-2.0
// What control asks of the process of a plane. These routes are on the plane's own socket, which only control can use;
// the admin socket does not pass them on.
import Type from 'typebox';
import { parametersSchema, route } from '../core/api/route.ts';
import { toldSchema } from '../core/events/event.ts';
import { findingSchema, subjectSchema } from '../core/explanation.ts';
import { metricSchema } from '../core/metrics/family.ts';

export const partSchema = parametersSchema({
  id: Type.String({ description: "The snapshot's id." }),
  digest: Type.String({ description: 'Equal for equal models.' }),
  model: Type.Optional(Type.Unknown({ description: "The section's effective model." })),
  base: Type.Optional(Type.String({ description: 'Instead of the model: the digest of the part in force' })),
  edits: Type.Optional(Type.Unknown({ description: 'What makes the model of that part: src/core/config/edits.ts' })),
});

const changeSchema = parametersSchema({ change: Type.String({ description: 'Names one prepared change.' }) });
const nothing = parametersSchema({});

export const prepareRoute = route({
  method: 'POST',
  path: '/plane/prepare',
  summary: 'Says whether the plane can do what the part asks for, and holds it ready.',
  parameters: parametersSchema({ change: Type.String(), part: partSchema }),
  answer: Type.Object({
    changes: Type.Array(Type.String()),
    unknownBase: Type.Optional(Type.Boolean({ description: 'Nothing is prepared: another part is in force' })),
  }),
});

export const commitRoute = route({
  method: 'POST',
  path: '/plane/commit',
  summary: 'Brings a prepared change into force.',
  parameters: changeSchema,
  answer: nothing,
});

export const abortRoute = route({
  method: 'POST',
  path: '/plane/abort',
  summary: 'Forgets a prepared change.',
  parameters: changeSchema,
  answer: nothing,
});

export const inForceRoute = route({
  method: 'GET',
  path: '/plane/in-force',
  summary: 'Names the part that is in force, and forgets what is prepared: a new control begins with this question.',
  parameters: nothing,
  answer: Type.Object({ digest: Type.Optional(Type.String()) }),
});

export const planeMetricsRoute = route({
  method: 'GET',
  path: '/plane/metrics',
  summary: 'The metrics that the plane contributes.',
  parameters: nothing,
  answer: Type.Array(metricSchema),
});

export const planeEventsRoute = route({
  method: 'GET',
  path: '/plane/events',
  summary: 'Waits until something has happened that control does not know yet, and tells it.',
  parameters: parametersSchema({
    instance: Type.Optional(Type.String({ description: 'The process that the number is of' })),
    after: Type.Optional(Type.Integer({ minimum: 0, description: 'The number of the last event that is known' })),
  }),
  answer: Type.Object({
    instance: Type.String({ description: 'The process that tells' }),
    last: Type.Integer({ description: 'To be asked for next time' }),
    missed: Type.Integer({ description: 'So many events are not kept any more' }),
    events: Type.Array(toldSchema),
  }),
});

/** An answer without events comes after this time. */
export const planeEventsWaitMilliseconds = 20_000;

export const explainRoute = route({
  method: 'GET',
  path: '/plane/explain',
  summary: 'What the plane does about a subject, and why.',
  parameters: parametersSchema(subjectSchema),
  answer: Type.Array(findingSchema),
});
