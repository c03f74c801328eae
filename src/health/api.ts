// SPDX-License-Identifier: Apache-2.0
// What the running health checks can be asked, without the code that answers (answers.ts).
import Type, { type Static } from 'typebox';
import { parametersSchema, route } from '../core/api/route.ts';
import type { Immutable } from '../core/immutable.ts';
import { observedRoute } from '../core/observed-api.ts';
import { healthSection } from './section.ts';

const health = Type.Enum(['up', 'down']);
const instant = (description: string) => Type.Optional(Type.String({ description }));

const checkView = Type.Object({
  check: Type.String(),
  destination: Type.String({ description: 'What is tried' }),
  weight: Type.Integer(),
  health: Type.Optional(health),
  since: instant('When it got this state'),
  last: Type.Optional(
    Type.Object({
      at: Type.String(),
      passed: Type.Boolean(),
      detail: Type.String({ description: 'What was found' }),
      milliseconds: Type.Number(),
    }),
  ),
  against: Type.Integer({ description: 'Results in a row that differ from the state' }),
  needed: Type.Integer({ description: 'So many change it' }),
  flapping: Type.Boolean({ description: 'It went down often lately, and needs more successes to come back' }),
  heldBy: Type.Optional(Type.String({ description: 'The check that is down, for whose sake results change nothing' })),
});

const targetView = Type.Object({
  group: Type.String({ description: 'Such as the service: tcp 10.0.1.100:80' }),
  quorum: health,
  target: Type.String({ description: 'Such as the real server: 10.0.2.11:8080' }),
  weight: Type.Integer({ description: 'The configured one' }),
  health,
  known: Type.Boolean({ description: 'false: no results have decided yet' }),
  since: instant('When it got this state'),
  foundWeight: Type.Optional(Type.Integer({ description: 'The weight that a check found' })),
  share: Type.Number({ description: 'Less than 1 during a slow start' }),
  need: Type.Integer({ description: 'The weights of passing checks that it needs' }),
  checks: Type.Array(checkView),
});

export type TargetAnswer = Immutable<Static<typeof targetView>>;

export const targetsRoute = route({
  method: 'GET',
  path: `/${healthSection.key}/targets`,
  summary: 'The targets of checks, their states and the evidence, a line each.',
  parameters: parametersSchema({
    group: Type.Optional(Type.String({ description: 'Only those of this group' })),
    target: Type.Optional(Type.String({ description: 'Only those of this key or address' })),
    health: Type.Optional(Type.Enum(['up', 'down'], { description: 'Only those in this state' })),
  }),
  answer: targetView,
  streams: true,
});

export const summaryRoute = route({
  method: 'GET',
  path: `/${healthSection.key}/summary`,
  summary: 'How many groups and targets are up and down.',
  parameters: parametersSchema({}),
  answer: Type.Object({
    groups: Type.Integer(),
    withoutQuorum: Type.Integer(),
    targets: Type.Integer(),
    down: Type.Integer(),
    unknown: Type.Integer(),
    checks: Type.Integer({ description: 'Checks of destinations at work' }),
  }),
});

export const healthObservedRoute = observedRoute(healthSection.key);

export const healthRoutes = [targetsRoute, summaryRoute, healthObservedRoute] as const;
