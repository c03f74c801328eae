// SPDX-License-Identifier: Apache-2.0
// Events of processes, from what the supervisor says of each change of their states. The supervisor knows when a process
// crashed. A crash of control is told by the control that runs after it, and so is a crash of another process while no
// control ran. Each crash is told once, however often the supervisor repeats it.
import type { AnswerOf } from '../../core/api/route.ts';
import type { controlStatus } from '../api.ts';
import type { EventLog } from './event-log.ts';

type ProcessRow = AnswerOf<typeof controlStatus>['processes'][number];

export const crashedKind = 'process.crashed';
const startedKind = 'process.started-again';

export class ProcessEvents {
  readonly #log: EventLog;
  /** When the last crash that was told happened, by the name of the process. */
  readonly #crashedAt = new Map<string, string>();
  /** The processes whose crash was told, and whose start after it was not. */
  readonly #down = new Set<string>();
  /** An older crash may have been told by a control before this one: its event is not kept any more. */
  readonly #forgottenBefore: string | undefined;

  constructor(log: EventLog) {
    this.#log = log;
    this.#forgottenBefore = log.forgottenBefore;
    for (const { kind, subject, at } of log.events) {
      if (kind === crashedKind) this.#crashed(subject, at);
      else if (kind === startedKind) this.#down.delete(subject);
    }
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
    const told = this.#crashedAt.get(name) ?? this.#forgottenBefore;
    if (told !== undefined && told >= lastError.at) return;
    this.#crashed(name, lastError.at);
    this.#log.tellAt(lastError.at, {
      ...{ kind: crashedKind, severity: 'error', subject: name },
      text: `${name} crashed: ${lastError.message}`,
      fields: { reason: lastError.message, restarts },
    });
  }

  #tellStart({ name, state, pid }: ProcessRow): void {
    if (state !== 'running' || pid === undefined || !this.#down.delete(name)) return;
    const text = `${name} works again, as process ${pid}`;
    this.#log.tell({ kind: startedKind, severity: 'info', subject: name, text, fields: { pid } });
  }

  #crashed(name: string, at: string): void {
    this.#crashedAt.set(name, at);
    this.#down.add(name);
  }
}
