// SPDX-License-Identifier: Apache-2.0
// The other end of remote-plane.ts, in the process of the plane: holds at most one prepared change and answers control.
// A prepare in place of another one aborts that one first. If control closes the connection while the plane prepares,
// nobody waits for the change any more and it is aborted. Control asks what is in force before each change, and makes one
// change at a time. So a change that is still held then is of a control that has ended, and it is aborted too.

import { type Answering, answering, type ParametersOf } from '../core/api/route.ts';
import { deepFreeze } from '../core/config/canonical.ts';
import { applyEdits, type Edit } from '../core/config/edits.ts';
import { PlaneError } from '../core/errors.ts';
import { OneAtATime } from '../core/one-at-a-time.ts';
import type { Plane, PlanePart, Prepared } from '../core/plane.ts';
import { settleBefore } from '../core/settle-before.ts';
import { abortRoute, commitRoute, explainRoute, inForceRoute, prepareRoute } from './plane-api.ts';

interface Held {
  readonly change: string;
  readonly part: PlanePart;
  readonly prepared: Prepared;
}

export interface PlaneHostOptions {
  readonly plane: Plane;
  /** Is called with each part that has come into force, before control is told. */
  readonly committed: (part: PlanePart) => void;
}

export class PlaneHost {
  readonly #plane: Plane;
  readonly #committed: (part: PlanePart) => void;
  #held: Held | undefined;
  #inForce: PlanePart | undefined;
  #lastCommitted: string | undefined;
  readonly #changes = new OneAtATime();

  constructor({ plane, committed }: PlaneHostOptions) {
    this.#plane = plane;
    this.#committed = committed;
  }

  get answers(): readonly Answering[] {
    return [
      answering(prepareRoute, ({ change, part: sent }, { signal }) =>
        this.#changes.run(async () => {
          const part = this.#partOf(sent);
          if (part === undefined) return { changes: [], unknownBase: true };
          return { changes: await this.#prepare(change, part, signal) };
        }),
      ),
      answering(commitRoute, ({ change }) => this.#changes.run(() => this.#commit(change))),
      answering(abortRoute, ({ change }) => this.#changes.run(() => this.#abort(change))),
      answering(inForceRoute, () =>
        this.#changes.run(async () => {
          await this.#forget();
          const digest = await this.#plane.inForce();
          return digest === undefined ? {} : { digest };
        }),
      ),
      answering(explainRoute, async subject => [...((await this.#plane.explain?.(subject)) ?? [])]),
    ];
  }

  /** What the process before had in force, without control. */
  resume(part: PlanePart, signal: AbortSignal): Promise<void> {
    return this.#changes.run(async () => {
      const prepared = await this.#plane.prepare(deepFreeze(part), signal);
      await prepared.commit();
      this.#enter(part);
    });
  }

  /** Forgets what is prepared: nobody will commit it. */
  close(): Promise<void> {
    return this.#changes.run(() => this.#forget());
  }

  /** Undefined for edits of a part that is not in force. */
  #partOf({ id, digest, model, base, edits }: ParametersOf<typeof prepareRoute>['part']): PlanePart | undefined {
    if (edits === undefined) return deepFreeze({ id, digest, model });
    const inForce = this.#inForce;
    if (inForce === undefined || inForce.digest !== base) return undefined;
    return deepFreeze({ id, digest, model: applyEdits(inForce.model, edits as readonly Edit[]) });
  }

  #enter(part: PlanePart): void {
    this.#inForce = part;
    this.#committed(part);
  }

  async #prepare(change: string, part: PlanePart, signal: AbortSignal): Promise<readonly string[]> {
    await this.#forget();
    signal.throwIfAborted();
    const preparing = this.#plane.prepare(part, signal);
    const prepared = await settleBefore(preparing, signal).catch((error: unknown) => {
      // A plane that can after all, when nobody waits any longer, must not keep the part.
      if (signal.aborted) preparing.then(late => late.abort()).catch(() => undefined);
      throw error;
    });
    // A plane that has blocked this thread lets the end of the connection be seen only now.
    await new Promise(setImmediate);
    if (signal.aborted) {
      await prepared.abort();
      signal.throwIfAborted();
    }
    this.#held = { change, part, prepared };
    return prepared.changes;
  }

  async #commit(change: string): Promise<Record<string, never>> {
    // If the first confirmation was lost on its way, control asks again.
    if (change === this.#lastCommitted) return {};
    const held = this.#held;
    if (held?.change !== change) {
      throw new PlaneError('SLUICE_PLANE_LOST', 'the plane has no such change prepared', { value: change });
    }
    this.#held = undefined;
    await held.prepared.commit();
    this.#lastCommitted = change;
    this.#enter(held.part);
    return {};
  }

  async #abort(change: string): Promise<Record<string, never>> {
    if (this.#held?.change === change) await this.#forget();
    return {};
  }

  async #forget(): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    await held?.prepared.abort();
  }
}
