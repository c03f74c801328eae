// SPDX-License-Identifier: Apache-2.0
// What control can be asked, without the code that answers. The command line takes its types from here.
import Type from 'typebox';
import { parametersSchema, route } from '../core/api/route.ts';
import { eventSchema } from '../core/events/event.ts';
import { findingSchema, problemSchema, subjectSchema, verdictSchema } from '../core/explanation.ts';
import { metricsMediaTypes } from '../core/metrics/text.ts';
import { entrySchema } from './history/entry.ts';
import { defaultProcessSettings } from './settings.ts';

/** Where control answers unless a command or the configuration says otherwise. */
export const defaultSocket = defaultProcessSettings.socket;

/** A service with its real servers takes some 1,000 bytes. */
const longestDocument = 64 << 20;

const time = (description: string) => Type.String({ description, examples: ['2026-01-31T12:00:00.000Z'] });

const processSchema = Type.Object({
  name: Type.String({ description: "supervisor, control, or the plane's name", examples: ['director'] }),
  state: Type.Enum(['starting', 'running', 'waiting', 'stopped'], {
    description: 'waiting: the process has ended and will be started again after a delay',
  }),
  user: Type.String({ description: 'The user of the process' }),
  pid: Type.Optional(Type.Integer({ description: 'The process that works, while there is one' })),
  build: Type.Optional(
    Type.String({ description: 'Of the supervisor: a hash of its program, which tells two builds apart' }),
  ),
  refusedBuild: Type.Optional(Type.String({ description: 'Of the supervisor: the build that did not take over last' })),
  standsBy: Type.Optional(
    Type.Integer({ description: 'The process that stands by, and works when the other process ends' }),
  ),
  since: Type.Optional(time('When that process began to work')),
  restarts: Type.Integer({ minimum: 0, description: 'How often it ended unexpectedly' }),
  lastError: Type.Optional(
    Type.Object(
      { at: time('When'), message: Type.String() },
      { description: 'Why the process ended, or why it refused a configuration, the last time' },
    ),
  ),
});

export const controlStatus = route({
  method: 'GET',
  path: '/control/status',
  summary: 'The snapshot in force, and the state of the processes',
  parameters: parametersSchema({}),
  answer: Type.Object({
    version: Type.String({ description: 'The version of Sluice' }),
    snapshot: Type.String({ description: 'The id of the snapshot in force' }),
    entry: Type.Optional(entrySchema),
    processes: Type.Array(processSchema),
    warnings: Type.Array(Type.String(), { description: 'Problems that a person should solve' }),
    problems: Type.Array(problemSchema, {
      description: 'What is wrong as far as control knows, the warnings included',
    }),
  }),
});

const changes = Type.Array(Type.String(), {
  description: 'The changes in words. The list is empty if nothing is different',
});

const changedSchema = Type.Object({
  id: Type.String({ description: 'The id of the snapshot that is now in force, or would be' }),
  changes,
  entry: Type.Optional(Type.Integer({ description: 'The number of the new entry in the history' })),
  confirmBefore: Type.Optional(time('Without a confirmation before this time the change is undone')),
});

/** Who asks for a change, why, and on which terms. */
const terms = {
  author: Type.Optional(
    Type.String({ description: 'Who asks for the change; shown in the history', maxLength: 64, examples: ['alice'] }),
  ),
  reason: Type.Optional(
    Type.String({ description: 'Why; shown in the history', maxLength: 1000, examples: ['two more servers'] }),
  ),
  confirmSeconds: Type.Optional(
    Type.Integer({
      description: 'The change is undone unless it is confirmed within so many seconds',
      minimum: 1,
      maximum: 86_400,
      unit: 'seconds',
      examples: [60],
    }),
  ),
  dryRun: Type.Optional(
    Type.Boolean({ description: 'true: all planes say whether they can do it, and nothing changes', default: false }),
  ),
  expect: Type.Optional(
    Type.String({ description: 'The change is refused unless this snapshot is in force', examples: ['3f1a77c0'] }),
  ),
};

const document = Type.Unknown({ description: 'A configuration as in sluice.yaml, with its defaults or without them' });
const which = Type.String({
  description: 'A snapshot of the history: the number of an entry, or the beginning of an id',
  examples: ['12', '3f1a77c0'],
});

export const controlReload = route({
  method: 'POST',
  path: '/control/reload',
  summary: 'Reads the configuration again and applies it to all planes, or says what is wrong with it',
  parameters: parametersSchema(terms),
  answer: changedSchema,
});

export const controlApply = route({
  method: 'POST',
  path: '/control/apply',
  summary: 'Brings a configuration into force on all planes, or says what is wrong with it',
  parameters: parametersSchema({ document, ...terms }),
  answer: changedSchema,
  mostBytes: longestDocument,
});

export const controlRollback = route({
  method: 'POST',
  path: '/control/rollback',
  summary: 'Brings a snapshot of the history into force again: unless one is named, the one before',
  parameters: parametersSchema({ to: Type.Optional(which), ...terms }),
  answer: changedSchema,
});

export const controlConfirm = route({
  method: 'POST',
  path: '/control/confirm',
  summary: 'Keeps a change that would be undone otherwise',
  parameters: parametersSchema({}),
  answer: entrySchema,
});

export const controlCompare = route({
  method: 'POST',
  path: '/control/compare',
  summary:
    'What would be different from what runs: with a configuration, with a snapshot, or, without either, with the files that sluice was started with',
  parameters: parametersSchema({ document: Type.Optional(document), which: Type.Optional(which) }),
  answer: Type.Object({
    inForce: Type.String({ description: 'The id of the snapshot in force' }),
    other: Type.String({ description: 'The id of the other one' }),
    changes,
  }),
  mostBytes: longestDocument,
});

export const controlHistory = route({
  method: 'GET',
  path: '/control/history',
  summary: 'The snapshots that were in force, the newest first',
  parameters: parametersSchema({
    most: Type.Optional(Type.Integer({ description: 'So many entries at most', minimum: 1, default: 1000 })),
  }),
  answer: Type.Object({
    inForce: Type.String({ description: 'The id of the snapshot in force' }),
    entries: Type.Array(entrySchema),
    pending: Type.Optional(Type.Integer({ description: 'The number of the entry that waits for its confirmation' })),
    unavailable: Type.Optional(Type.String({ description: 'Why there is no history' })),
  }),
});

export const controlSnapshot = route({
  method: 'GET',
  path: '/control/snapshot',
  summary: 'The configuration of a snapshot, as a document: unless one is named, of the one in force',
  parameters: parametersSchema({ which: Type.Optional(which) }),
  answer: Type.Object({ id: Type.String(), entry: Type.Optional(entrySchema), document }),
});

export const metricsRoute = route({
  method: 'GET',
  path: '/metrics',
  summary: 'What is counted and measured, by all processes, for Prometheus and what reads its formats',
  parameters: parametersSchema({}),
  answer: Type.String(),
  text: [metricsMediaTypes.prometheus, metricsMediaTypes.openmetrics],
});

const wantedEvents = {
  after: Type.Optional(Type.Integer({ minimum: 0, description: 'The number of the last event that is known' })),
  since: Type.Optional(time('Events of this time and later')),
  kind: Type.Optional(
    Type.Array(Type.String(), {
      description: 'Events of these kinds only: a kind, or its beginning up to a dot',
      examples: [['server', 'quorum.lost']],
    }),
  ),
  most: Type.Optional(
    Type.Integer({ minimum: 1, description: 'Of those that there are already, so many: the latest' }),
  ),
};

export const eventsRoute = route({
  method: 'GET',
  path: '/events',
  summary: 'What happened: the latest events, the oldest first',
  parameters: parametersSchema(wantedEvents),
  answer: Type.Object({
    last: Type.Integer({ description: 'The number of the latest event of all' }),
    missed: Type.Integer({ description: 'So many events after `after` are not kept any more' }),
    events: Type.Array(eventSchema),
  }),
});

export const followEventsRoute = route({
  method: 'GET',
  path: '/events/follow',
  summary: 'The same events as a stream, and then each that comes',
  parameters: parametersSchema(wantedEvents),
  answer: Type.Union([
    eventSchema,
    Type.Object({ missed: Type.Integer({ description: 'So many events came here and are not kept any more' }) }),
  ]),
  streams: true,
});

export const controlExplain = route({
  method: 'GET',
  path: '/control/explain',
  summary:
    'Why a service, or a real server of it, gets connections or none: the verdict, and what everybody finds who decides',
  parameters: parametersSchema({
    group: Type.Optional(Type.String({ description: 'The virtual service', examples: ['tcp 10.0.1.100:80'] })),
    target: Type.Optional(
      Type.String({
        description: 'A real server, by its address or by address and port',
        examples: ['10.0.2.11:8080'],
      }),
    ),
    client: Type.Optional(Type.String({ description: 'For a client of this address', examples: ['10.0.1.2'] })),
  }),
  answer: Type.Array(
    Type.Object({
      group: subjectSchema.group,
      target: subjectSchema.target,
      verdict: verdictSchema,
      findings: Type.Array(findingSchema),
    }),
    { description: 'A real server is explained in each service that has it' },
  ),
});

export const controlUpgrade = route({
  method: 'POST',
  path: '/control/upgrade',
  summary: 'Starts the program on disk as the next supervisor and hands over to it, or says why it cannot',
  parameters: parametersSchema({
    build: Type.Optional(Type.String({ description: 'What is on disk, as far as the client knows', maxLength: 64 })),
    author: terms.author,
  }),
  answer: Type.Object({ next: Type.Integer({ description: 'The process to which is handed over now' }) }),
});

export const controlRoutes = [
  controlStatus,
  controlReload,
  controlApply,
  controlRollback,
  controlConfirm,
  controlCompare,
  controlHistory,
  controlSnapshot,
  metricsRoute,
  eventsRoute,
  followEventsRoute,
  controlExplain,
  controlUpgrade,
] as const;
