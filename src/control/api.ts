// SPDX-License-Identifier: Apache-2.0
// What control can be asked, without the code that answers. The command line takes its types from here.
import Type from 'typebox';
import { parametersSchema, route } from '../core/api/route.ts';
import { defaultProcessSettings } from './settings.ts';

/** Where control answers unless a command or the configuration says otherwise. */
export const defaultSocket = defaultProcessSettings.socket;

const time = (description: string) => Type.String({ description, examples: ['2026-01-31T12:00:00.000Z'] });

const processSchema = Type.Object({
  name: Type.String({ description: "supervisor, control, or the plane's name", examples: ['director'] }),
  state: Type.Enum(['starting', 'running', 'waiting', 'stopped'], {
    description: 'waiting: the process has ended and will be started again after a delay',
  }),
  user: Type.String({ description: 'The user of the process' }),
  pid: Type.Optional(Type.Integer({ description: 'The process that works, while there is one' })),
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
    processes: Type.Array(processSchema),
    warnings: Type.Array(Type.String(), { description: 'Problems that a person should solve' }),
  }),
});

export const controlReload = route({
  method: 'POST',
  path: '/control/reload',
  summary: 'Reads the configuration again and applies it to all planes, or says what is wrong with it',
  parameters: parametersSchema({}),
  answer: Type.Object({
    id: Type.String({ description: 'The id of the snapshot that is now in force' }),
    changes: Type.Array(Type.String(), {
      description: 'The changes in words. The list is empty if nothing has changed',
    }),
  }),
});

export const controlRoutes = [controlStatus, controlReload] as const;
