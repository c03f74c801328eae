// SPDX-License-Identifier: Apache-2.0
// What control answers on the admin socket; api.ts has the definitions.
import { type Answering, type AnswerOf, answering } from '../core/api/route.ts';
import type { Sections } from '../core/config/snapshot.ts';
import { UnavailableError } from '../core/errors.ts';
import { version } from '../core/version.ts';
import { controlReload, controlStatus } from './api.ts';
import type { Control } from './control.ts';

type PlaneStatus = AnswerOf<typeof controlStatus>['planes'][number];

export interface ControlAnswersOptions<S extends Sections> {
  readonly control: Control<S>;
  /** When the process of control began to work. */
  readonly since: string;
  /** The processes of the planes, and control's own. */
  readonly processes: () => readonly PlaneStatus[];
}

export function controlAnswers<S extends Sections>(options: ControlAnswersOptions<S>): readonly Answering[] {
  return [answering(controlStatus, () => status(options)), answering(controlReload, () => options.control.reload())];
}

function status<S extends Sections>({ control, since, processes }: ControlAnswersOptions<S>) {
  const { snapshot, behind } = control;
  if (snapshot === undefined) {
    throw new UnavailableError('no snapshot is in force yet', { remedy: 'try again in a moment' });
  }
  const planes = processes().map(plane => {
    const reason = behind.get(plane.name);
    return reason === undefined ? plane : { ...plane, lastError: { at: reason.at, message: reason.message } };
  });
  return { version, pid: process.pid, since, snapshot: snapshot.id, planes };
}
