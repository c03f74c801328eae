// SPDX-License-Identifier: Apache-2.0
// The owner of the configuration: which snapshot is in force, and how the next one comes into force.
//
//   next snapshot ──effective(observed)──▶ a part for each plane ──transaction──▶ in force
//
// Control makes one change at a time: a change that comes during another one waits for it. The planes that run are those
// whose sections the snapshot has. A plane whose process was replaced, or which did not confirm a commit, is behind:
// control gives it the snapshot in force again (reconcile).
import type { Clock } from '../core/clock.ts';
import { deepFreeze } from '../core/config/canonical.ts';
import type { DocumentFormat, Sections, Snapshot } from '../core/config/snapshot.ts';
import type { Logger } from '../core/logger.ts';
import { nothingObserved, type Observed } from '../core/observed.ts';
import { OneAtATime } from '../core/one-at-a-time.ts';
import type { Plane, PlanePart } from '../core/plane.ts';
import type { Note } from './history/entry.ts';
import { type Assignment, beforeDeadline, bringIntoForce, type Limits, tryOut } from './transaction.ts';

/** What control needs from the process that it runs in. */
export interface ControlHost<S extends Sections> {
  /** Throws what a reload cannot change: processes that run already depend on it. */
  checkReload(before: Snapshot<S>, after: Snapshot<S>): void;
  /** The sections that have a plane of their name. */
  readonly planes: readonly string[];
  /** Those that run without a section too. */
  readonly planesByDefault: readonly string[];
  /** One of these planes. */
  plane(name: string): Plane;
  /** The processes of these planes are to run, and no others. */
  run(planes: readonly string[]): void;
  /** The effective model with what the command line says besides. */
  override(section: string, model: unknown): unknown;
  /** Stores the snapshot in force, for the next process of control and for the history. Throws when it cannot. */
  keep(snapshot: Snapshot<S>, note: Note): Promise<void>;
}

/** Makes the next snapshot, given the one in force. Throws what is wrong with it, and nothing changes. */
export type Next<S extends Sections> = (before: Snapshot<S> | undefined) => Snapshot<S> | Promise<Snapshot<S>>;

export interface ControlOptions<S extends Sections> {
  readonly format: DocumentFormat<S>;
  readonly host: ControlHost<S>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly deadlineMilliseconds?: number | undefined;
}

/** Why a plane does not run by the snapshot in force. */
export interface Lag {
  readonly at: string;
  readonly message: string;
}

export interface Applied {
  /** The snapshot's. */
  readonly id: string;
  /** What is different from before, a line each: in the snapshot, or in the planes where the snapshot is the same. */
  readonly changes: readonly string[];
}

/** Opening devices and loading programs takes a second; ten are for a machine that is very busy. */
const defaultDeadlineMilliseconds = 10_000;

/** For each service and each real server besides, on such a machine. */
const millisecondsAPart = 0.2;

/** For the process of a plane to start. */
const startMilliseconds = 60_000;

/** Between two attempts to give a plane that is behind the snapshot in force. */
const retryMilliseconds = 1000;

export class Control<S extends Sections> {
  readonly #format: DocumentFormat<S>;
  readonly #host: ControlHost<S>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #deadlineMilliseconds: number;
  #inForce: Snapshot<S> | undefined;
  #observed: Observed = nothingObserved;
  readonly #changes = new OneAtATime();
  readonly #behind = new Map<string, Lag>();
  /** Planes for which a timer is set. */
  readonly #retrying = new Set<string>();
  #isStopped = false;

  constructor({ format, host, clock, logger, deadlineMilliseconds }: ControlOptions<S>) {
    this.#format = format;
    this.#host = host;
    this.#clock = clock;
    this.#logger = logger;
    this.#deadlineMilliseconds = deadlineMilliseconds ?? defaultDeadlineMilliseconds;
  }

  /** The snapshot in force; undefined until the first has been applied. */
  get snapshot(): Snapshot<S> | undefined {
    return this.#inForce;
  }

  /** The planes that do not run by the snapshot in force, each with the reason. */
  get behind(): ReadonlyMap<string, Lag> {
    return this.#behind;
  }

  /** What was observed, by which the planes run. */
  get observed(): Observed {
    return this.#observed;
  }

  /** The planes that run by the snapshot in force, or should. */
  get planes(): readonly string[] {
    return this.#inForce === undefined ? [] : this.#planesOf(this.#inForce);
  }

  /** Whether a plane of this name runs by the snapshot in force, or should. */
  runs(plane: string): boolean {
    return this.planes.includes(plane);
  }

  /** Goes on by the snapshot that the process before kept: planes that run by it already are left alone. */
  resume(kept: Snapshot<S>): Promise<void> {
    return this.#changes.run(async () => {
      this.#inForce = kept;
      this.#host.run(this.#planesOf(kept));
      for (const name of this.#planesOf(kept)) await this.#catchUp(name);
    });
  }

  /** Brings the next snapshot into force. Throws what is wrong, and everything goes on as before. */
  change(next: Next<S>, note: Note): Promise<Applied> {
    return this.#changes.run(async () => await this.#apply(await this.#made(next), this.#observed, note));
  }

  /** Whether the next snapshot could come into force, and what would be different: all planes prepare it and forget it. */
  attempt(next: Next<S>): Promise<Applied> {
    return this.#changes.run(async () => {
      const snapshot = await this.#made(next);
      await this.#withPlanes(snapshot, this.#observed, 'all', assignments =>
        tryOut(assignments, this.#limits(assignments)),
      );
      return this.#applied(this.#inForce, snapshot, []);
    });
  }

  /** Brings into force what the snapshot means by what was observed now; undefined before the first snapshot. */
  observe(observed: Observed): Promise<Applied | undefined> {
    return this.#changes.run(async () => {
      if (this.#inForce !== undefined) return await this.#apply(this.#inForce, observed, undefined);
      this.#observed = observed;
      return undefined;
    });
  }

  /** Gives a plane the snapshot in force unless the plane runs by it: its process may be a new one. */
  reconcile(name: string): Promise<void> {
    return this.#changes.run(async () => {
      if (this.#inForce !== undefined && this.#planesOf(this.#inForce).includes(name)) await this.#catchUp(name);
    });
  }

  /** No plane is asked for anything from now on. */
  stop(): void {
    this.#isStopped = true;
  }

  async #made(next: Next<S>): Promise<Snapshot<S>> {
    const snapshot = await next(this.#inForce);
    if (this.#inForce !== undefined) this.#host.checkReload(this.#inForce, snapshot);
    return snapshot;
  }

  /** `note` undefined: the snapshot in force stays, and what was observed has changed. */
  async #apply(next: Snapshot<S>, observed: Observed, note: Note | undefined): Promise<Applied> {
    const before = this.#inForce;
    // A document concerns all planes, as its secrets may be others; an observation those whose parts it changes.
    const concerned = note === undefined ? 'changed' : 'all';
    const { behind, changes } = await this.#withPlanes(next, observed, concerned, assignments =>
      bringIntoForce(assignments, {
        ...this.#limits(assignments),
        keep: async () => {
          if (note !== undefined && next.id !== before?.id) await this.#host.keep(next, note);
          this.#inForce = next;
          this.#observed = observed;
        },
      }),
    );
    this.#behind.clear();
    for (const { plane, reason } of behind) this.#fellBehind(plane.name, reason);
    return this.#applied(before, next, changes);
  }

  #applied(before: Snapshot<S> | undefined, next: Snapshot<S>, ofPlanes: readonly string[]): Applied {
    if (before === next) return { id: next.id, changes: ofPlanes };
    return {
      id: next.id,
      changes: before === undefined ? [] : this.#format.describe(this.#format.compare(before, next)),
    };
  }

  /** Runs the planes of the snapshot for the work, and after it those of the snapshot in force. */
  async #withPlanes<T>(
    next: Snapshot<S>,
    observed: Observed,
    concerned: 'all' | 'changed',
    work: (assignments: readonly Assignment[]) => Promise<T>,
  ): Promise<T> {
    const before = this.#inForce;
    const names = this.#planesOf(next);
    const assignments = names.map(name => ({ plane: this.#host.plane(name), part: this.#part(name, next, observed) }));
    this.#host.run([...new Set([...names, ...(before === undefined ? [] : this.#planesOf(before))])]);
    try {
      const inForce = await Promise.all(assignments.map(({ plane }) => this.#partInForce(plane)));
      const changed = assignments.filter(({ part }, index) => part.digest !== inForce[index]);
      return await work(concerned === 'all' ? assignments : changed);
    } finally {
      this.#host.run(this.#inForce === undefined ? [] : this.#planesOf(this.#inForce));
    }
  }

  /** A part of a hundred thousand services is read, compared and carried out for longer than one of ten. */
  #limits(assignments: readonly Assignment[]): Limits {
    const sizes = assignments.map(({ plane, part }) => this.#format.size(plane.name, part.model));
    const more = Math.round(Math.max(0, ...sizes) * millisecondsAPart);
    return { clock: this.#clock, deadlineMilliseconds: this.#deadlineMilliseconds + more };
  }

  async #catchUp(name: string): Promise<void> {
    const snapshot = this.#inForce;
    if (this.#isStopped || snapshot === undefined) return;
    try {
      const plane = this.#host.plane(name);
      const part = this.#part(name, snapshot, this.#observed);
      if ((await this.#partInForce(plane)) !== part.digest) {
        const assignments = [{ plane, part }];
        const limits = this.#limits(assignments);
        const { behind } = await bringIntoForce(assignments, { ...limits, keep: async () => undefined });
        const [failed] = behind;
        if (failed !== undefined) throw failed.reason;
      }
      if (this.#behind.delete(name))
        this.#logger.info({ plane: name, snapshot: snapshot.id }, 'the plane has caught up');
    } catch (reason) {
      this.#fellBehind(name, reason);
    }
  }

  #fellBehind(name: string, reason: unknown): void {
    const message = reason instanceof Error ? reason.message : String(reason);
    if (this.#behind.get(name)?.message !== message) {
      this.#logger.error({ err: reason, plane: name }, 'the plane does not run by the snapshot in force: trying again');
    }
    this.#behind.set(name, { at: new Date(this.#clock.now()).toISOString(), message });
    if (this.#retrying.has(name)) return;
    this.#retrying.add(name);
    this.#clock.after(retryMilliseconds, () => {
      this.#retrying.delete(name);
      if (!this.#isStopped && this.#behind.has(name)) void this.reconcile(name);
    });
  }

  /** The digest of what the plane runs by, once its process answers: a start does not count as time to prepare. */
  async #partInForce(plane: Plane): Promise<string | undefined> {
    return await beforeDeadline(this.#clock, startMilliseconds, plane, 'start', signal => plane.inForce(signal));
  }

  /** The names of the planes whose sections the snapshot has, and of those that run without. */
  #planesOf(snapshot: Snapshot<S>): string[] {
    const present = this.#format.present(snapshot);
    const { planes, planesByDefault } = this.#host;
    return planes.filter(name => present.includes(name) || planesByDefault.includes(name));
  }

  #part(name: string, snapshot: Snapshot<S>, observed: Observed): PlanePart {
    const model = deepFreeze(this.#host.override(name, this.#format.effective(name, snapshot, observed)));
    return { id: snapshot.id, digest: this.#format.digest(name, model), model };
  }
}
