// SPDX-License-Identifier: Apache-2.0
// What control answers on the admin socket; api.ts has the definitions.
import { type Answering, type AnswerOf, answering } from '../core/api/route.ts';
import type { Sections } from '../core/config/snapshot.ts';
import { UnavailableError } from '../core/errors.ts';
import { version } from '../core/version.ts';
import { controlReload, controlStatus } from './api.ts';
import type { Applied, Control } from './control.ts';

type Status = AnswerOf<typeof controlStatus>;

export interface ControlAnswersOptions<S extends Sections> {
  readonly control: Control<S>;
  /** Applies the configuration anew, and logs what became of it. */
  readonly reload: () => Promise<Applied>;
  /** All processes of this sluice. */
  readonly processes: () => Status['processes'];
  readonly warnings: Status['warnings'];
}

export function controlAnswers<S extends Sections>(options: ControlAnswersOptions<S>): readonly Answering[] {
  return [answering(controlStatus, () => status(options)), answering(controlReload, () => options.reload())];
}

function status<S extends Sections>({ control, processes, warnings }: ControlAnswersOptions<S>): Status {
  const { snapshot, behind } = control;
  if (snapshot === undefined) {
    throw new UnavailableError('no snapshot is in force yet', { remedy: 'try again in a moment' });
  }
  const rows = processes().map(row => {
    const reason = behind.get(row.name);
    return reason === undefined ? row : { ...row, lastError: { at: reason.at, message: reason.message } };
  });
  return { version, snapshot: snapshot.id, processes: rows, warnings };
}
