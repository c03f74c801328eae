// SPDX-License-Identifier: Apache-2.0
// The schema of what a service says about the health of its real servers. The checks themselves are in the section
// `health`.
import Type from 'typebox';
import { defaultServiceHealth, highestWeight } from './model.ts';

const checkName = Type.String({ form: 'the name of a check', examples: ['web'] });

const appliedChecks = Type.Array(
  Type.Union([
    checkName,
    Type.Object(
      {
        check: checkName,
        weight: Type.Optional(
          Type.Integer({ minimum: 1, maximum: 1000, description: 'What it counts, with need: NUMBER.', default: 1 }),
        ),
      },
      { additionalProperties: false },
    ),
  ]),
  {
    description: 'The checks, by their names in health.checks. With none, servers are always up.',
    maxItems: 16,
    examples: [['web', { check: 'deep', weight: 2 }]],
  },
);
const need = Type.Optional(
  Type.Union([Type.Enum(['all', 'any']), Type.Integer({ minimum: 1, maximum: 16_000 })], {
    description: 'How many checks a server has to pass: all, any one, or a sum of their weights.',
    default: defaultServiceHealth.need,
  }),
);

export const serverHealthSchema = Type.Object(
  { checks: appliedChecks, need },
  { additionalProperties: false, description: 'What this server has to pass in place of what its service says.' },
);

export const serviceHealthFields = {
  checks: appliedChecks,
  need,
  on_failure: Type.Optional(
    Type.Enum(['inhibit', 'remove'], {
      description: 'A server that is down gets weight 0 and keeps its flows (inhibit), or leaves its service (remove).',
      default: defaultServiceHealth.onFailure,
    }),
  ),
  quorum: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: highestWeight,
      description: 'The service has its quorum while the weights of its servers that are up reach this sum.',
      default: defaultServiceHealth.quorum,
    }),
  ),
  hysteresis: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: highestWeight,
      description: 'By how much the weights must pass the quorum, upwards and downwards. Less than quorum.',
      default: defaultServiceHealth.hysteresis,
    }),
  ),
  sorry_when: Type.Optional(
    Type.Enum(['none_up', 'quorum_lost'], {
      description:
        'When the sorry server takes over: with no server up, or with the quorum lost, although some servers are up (as keepalived does).',
      default: defaultServiceHealth.sorryWhen,
    }),
  ),
  none_up: Type.Optional(
    Type.Enum(['all', 'none'], {
      description:
        'Without a sorry server, when no server is up: go on with all of them, since a client loses nothing by trying, or with none.',
      default: defaultServiceHealth.noneUp,
    }),
  ),
  panic: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 100,
      unit: 'percent',
      description:
        'With a smaller share of the servers up, all are used: few servers would be overloaded, and the checks may be what fails. 0: never.',
      default: defaultServiceHealth.panic,
    }),
  ),
  slow_start: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 86_400,
      unit: 'seconds',
      description: 'The time in which a server that came back gets its whole weight, in ten steps.',
      default: defaultServiceHealth.slowStart,
    }),
  ),
  start: Type.Optional(
    Type.Enum(['up', 'down'], {
      description: 'What a server is before its first result (down: as with alpha of keepalived).',
      default: defaultServiceHealth.start,
    }),
  ),
};
