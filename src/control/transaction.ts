// SPDX-License-Identifier: Apache-2.0
// One snapshot comes into force on all planes, or on none.
//
//   prepare on all ─┬─ all can ─▶ keep the snapshot ─▶ commit on all ─▶ done; a plane that did not confirm is behind
//                   └─ one cannot, or is silent until the deadline ─▶ abort on the others ─▶ refused, nothing changed
//
// Between "keep" and the last commit the new snapshot is the one in force: whoever fails from there on gets it again.
// That is why a plane whose process ends between prepare and commit does no harm: its next process is given the
// snapshot that was kept.
import type { Clock } from '../core/clock.ts';
import { PlaneError, SluiceError } from '../core/errors.ts';
import type { Plane, PlanePart, Prepared } from '../core/plane.ts';

/** A plane, and what it is to do. */
export interface Assignment {
  readonly plane: Plane;
  readonly part: PlanePart;
}

export interface Limits {
  readonly clock: Clock;
  /** How long a plane may prepare, and how long it may take to confirm a commit. */
  readonly deadlineMilliseconds: number;
}

export interface TransactionOptions extends Limits {
  /** Stores the snapshot; from here on it is in force. A snapshot that cannot be stored is aborted. */
  readonly keep: () => Promise<void>;
}

export interface Outcome {
  /** What the planes say is different, a line each. */
  readonly changes: readonly string[];
  /** Planes that did not confirm their commit, each with the reason. */
  readonly behind: readonly { readonly plane: Plane; readonly reason: unknown }[];
}

interface Ready {
  readonly plane: Plane;
  readonly prepared: Prepared;
}

/** Throws the error of the first plane that refused, after the other planes have forgotten the snapshot. */
export async function bringIntoForce(
  assignments: readonly Assignment[],
  options: TransactionOptions,
): Promise<Outcome> {
  const ready = await prepareAll(assignments, options);
  try {
    await options.keep();
  } catch (error) {
    await abortAll(ready, options);
    throw error;
  }
  const confirmations = await Promise.allSettled(
    ready.map(({ plane, prepared }) => within(options, plane, 'commit', () => prepared.commit())),
  );
  return {
    changes: ready.flatMap(({ plane, prepared }) => prepared.changes.map(change => `${plane.name}: ${change}`)),
    behind: confirmations.flatMap((confirmation, index) => {
      const plane = ready[index]?.plane;
      return confirmation.status === 'rejected' && plane !== undefined ? [{ plane, reason: confirmation.reason }] : [];
    }),
  };
}

/** Has all planes prepare and forget. Throws the error of the first plane that refused. */
export async function tryOut(assignments: readonly Assignment[], limits: Limits): Promise<void> {
  await abortAll(await prepareAll(assignments, limits), limits);
}

async function prepareAll(assignments: readonly Assignment[], limits: Limits): Promise<Ready[]> {
  const attempts = await Promise.allSettled(
    assignments.map(async ({ plane, part }): Promise<Ready> => {
      let work: Promise<Prepared> | undefined;
      try {
        const prepared = await within(limits, plane, 'prepare', signal => {
          work = plane.prepare(part, signal);
          return work;
        });
        return { plane, prepared };
      } catch (error) {
        // A plane that can after all, when nobody waits any longer, must not keep the part.
        work?.then(prepared => prepared.abort()).catch(() => undefined);
        throw error;
      }
    }),
  );
  const ready = attempts.flatMap(attempt => (attempt.status === 'fulfilled' ? [attempt.value] : []));
  const refusal = attempts.findIndex(attempt => attempt.status === 'rejected');
  const refused = attempts[refusal];
  if (refused?.status !== 'rejected') return ready;
  await abortAll(ready, limits);
  throw asPlaneError(assignments[refusal]?.plane.name ?? '', refused.reason);
}

async function abortAll(ready: readonly Ready[], limits: Limits): Promise<void> {
  await Promise.allSettled(ready.map(({ plane, prepared }) => within(limits, plane, 'abort', () => prepared.abort())));
}

function within<T>(
  { clock, deadlineMilliseconds }: Limits,
  plane: Plane,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return beforeDeadline(clock, deadlineMilliseconds, plane, what, work);
}

/** What the work gives, or a PlaneError when the deadline passes first; the signal tells the work of it. */
export async function beforeDeadline<T>(
  clock: Clock,
  milliseconds: number,
  plane: Plane,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const giveUp = new AbortController();
  let timer: { cancel(): void } | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = clock.after(milliseconds, () => {
      const error = new PlaneError('SLUICE_PLANE_TIMEOUT', `the plane did not ${what} within ${milliseconds} ms`, {
        value: plane.name,
        remedy: 'try again; see sluice status for the plane and its log for what it does',
      });
      giveUp.abort(error);
      reject(error);
    });
  });
  try {
    return await Promise.race([work(giveUp.signal), late]);
  } finally {
    timer?.cancel();
  }
}

// An error that already says where and what is kept as it is: its code and place are worth more than the plane's name.
function asPlaneError(name: string, reason: unknown): unknown {
  if (reason instanceof SluiceError) return reason;
  return new PlaneError('SLUICE_PLANE_REFUSED', 'the plane failed to prepare the snapshot', {
    value: name,
    remedy: 'report this: a plane says what is wrong with a snapshot',
    cause: reason,
  });
}
