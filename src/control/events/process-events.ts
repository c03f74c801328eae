// SPDX-License-Identifier: Apache-2.0
// Events of processes, from what the supervisor says of each change of their states. A crash has its time from the
// supervisor: one of control itself, or one during which control was away, is told by the next control, once.
import type { AnswerOf } from '../../core/api/route.ts';
import type { controlStatus } from '../api.ts';
import type { EventLog } from './event-log.ts';

type ProcessRow = AnswerOf<typeof controlStatus>['processes'][number];

export const crashedKind = 'process.crashed';
const startedKind = 'process.started-again';

export class ProcessEvents {
  readonly #log: EventLog;

  constructor(log: EventLog) {
    this.#log = log;
  }

  /** Takes the states of the moment. */
  take(rows: readonly ProcessRow[]): void {
    for (const row of rows) {
      this.#tellCrash(row);
      this.#tellStart(row);
    }
  }

  #tellCrash({ name, restarts, lastError }: ProcessRow): void {
    if (lastError === undefined || restarts === 0) return;
    const told = this.#latest(name, [crashedKind]);
    if (told !== undefined && told.at >= lastError.at) return;
    this.#log.tellAt(lastError.at, {
      ...{ kind: crashedKind, severity: 'error', subject: name },
      text: `${name} crashed: ${lastError.message}`,
      fields: { reason: lastError.message, restarts },
    });
  }

  #tellStart({ name, state, pid }: ProcessRow): void {
    if (state !== 'running' || pid === undefined) return;
    if (this.#latest(name, [crashedKind, startedKind])?.kind !== crashedKind) return;
    const text = `${name} works again, as process ${pid}`;
    this.#log.tell({ kind: startedKind, severity: 'info', subject: name, text, fields: { pid } });
  }

  #latest(subject: string, kinds: readonly string[]) {
    return this.#log.events.findLast(event => event.subject === subject && kinds.includes(event.kind));
  }
}
