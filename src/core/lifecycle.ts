// SPDX-License-Identifier: Apache-2.0
// Starts components in order and stops them in the reverse order, once each.
//
//   idle ── start() ──▶ starting ── all started ──▶ running ── stop() ──▶ stopping ──▶ stopped
//                          │ one failed, start's signal aborted, or stop() was called    ▲
//                          └─────────────────────────────────────────────────────────────┘
//
// A component is stopped if and only if its start succeeded. All stops together have one deadline. When the deadline
// passes, the signal that every stop has received is aborted ("drop what is left"). The components that were not
// stopped yet are still asked to stop, with the aborted signal, but nobody waits for them any more. All errors are
// collected and thrown together at the end: a component that fails does not prevent the stop of the others.
//
// A start that is called off learns this from its signal. The start may then reject, or it may succeed, after which the
// component is stopped. A start that does neither before the deadline is abandoned.
import { type Clock, systemClock } from './clock.ts';
import { LifecycleError } from './errors.ts';
import { settleBefore } from './settle-before.ts';

/** A part of a program that is started and stopped. */
export interface Component {
  /** The name in logs and errors. */
  readonly name: string;
  /** Resolves when the component does its work. When the signal is aborted, the start is called off. */
  start(signal: AbortSignal): Promise<void> | void;
  /** Resolves when the component has released everything. When the signal is aborted, the time for the stop is over. */
  stop(signal: AbortSignal): Promise<void> | void;
}

export type LifecycleState = 'idle' | 'starting' | 'running' | 'stopping' | 'stopped';

export interface LifecycleOptions {
  readonly clock?: Clock;
  /** The time limit for all stops together. */
  readonly stopMilliseconds?: number;
}

// systemd kills a service after 90 s, and a connection that is drained usually needs less than 30 s.
const defaultStopMilliseconds = 30_000;

export class Lifecycle {
  readonly #components: readonly Component[];
  readonly #clock: Clock;
  readonly #stopMilliseconds: number;
  readonly #started: Component[] = [];
  readonly #callOff = new AbortController();
  #state: LifecycleState = 'idle';
  #beingStarted: { readonly name: string; readonly settled: Promise<unknown> } | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  /** The components in the order in which they start. A component stands after the components that it needs. */
  constructor(components: readonly Component[], options: LifecycleOptions = {}) {
    this.#components = components;
    this.#clock = options.clock ?? systemClock;
    this.#stopMilliseconds = options.stopMilliseconds ?? defaultStopMilliseconds;
  }

  get state(): LifecycleState {
    return this.#state;
  }

  /**
   * Starts all components, one after the other. When a component fails, or the signal is aborted, or `stop` is called,
   * the components that have started are stopped again. A LifecycleError is thrown, whose first element of `errors` is
   * the reason. A second call starts nothing and returns the result of the first call.
   */
  start(signal?: AbortSignal): Promise<void> {
    this.#starting ??= this.#startAll(signal);
    return this.#starting;
  }

  /**
   * Stops all components; the component that started last is stopped first. A second call stops nothing and returns the
   * result of the first call. Throws a LifecycleError when components failed to stop or the deadline passed.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #startAll(outer: AbortSignal | undefined): Promise<void> {
    const signal = outer === undefined ? this.#callOff.signal : AbortSignal.any([outer, this.#callOff.signal]);
    if (this.#state === 'idle') this.#state = 'starting';
    for (const component of this.#components) {
      try {
        await this.#startOne(component, signal);
      } catch (reason) {
        const calledOff = signal.aborted;
        const errors = [reason, ...(await this.stop().then(() => [], errorsOf))];
        throw calledOff ? callOffError(component, errors) : startError(component, errors);
      }
    }
    this.#state = 'running';
  }

  async #startOne(component: Component, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const start = async (): Promise<void> => {
      await component.start(signal);
      this.#started.push(component);
    };
    const started = start();
    this.#beingStarted = { name: component.name, settled: Promise.allSettled([started]) };
    await settleBefore(started, signal);
    this.#beingStarted = undefined;
    signal.throwIfAborted();
  }

  async #stopAll(): Promise<void> {
    this.#state = 'stopping';
    this.#callOff.abort(new Error('stop was called'));
    const deadline = new AbortController();
    const timer = this.#clock.after(this.#stopMilliseconds, () => {
      deadline.abort(new Error(`not within ${this.#stopMilliseconds} ms`));
    });
    const errors: LifecycleError[] = [];
    const attempt = async (what: string, name: string, work: Promise<unknown>): Promise<void> => {
      try {
        await settleBefore(work, deadline.signal);
      } catch (cause) {
        errors.push(new LifecycleError('SLUICE_LIFECYCLE_STOP', what, { value: name, cause, errors: [cause] }));
      }
    };
    if (this.#beingStarted !== undefined) {
      const { name, settled } = this.#beingStarted;
      await attempt('a component still starts', name, settled);
    }
    for (const component of this.#started.toReversed()) {
      const stop = async (): Promise<void> => component.stop(deadline.signal);
      await attempt('a component did not stop', component.name, stop());
    }
    timer.cancel();
    this.#state = 'stopped';
    if (errors.length > 0) throw stopError(errors);
  }
}

function callOffError(component: Component, errors: readonly unknown[]): LifecycleError {
  const problem = `starting was called off (${messageOf(errors[0])})`;
  return new LifecycleError('SLUICE_LIFECYCLE_ABORTED', problem, { value: component.name, cause: errors[0], errors });
}

function startError(component: Component, errors: readonly unknown[]): LifecycleError {
  const problem = `a component did not start (${messageOf(errors[0])})`;
  return new LifecycleError('SLUICE_LIFECYCLE_START', problem, { value: component.name, cause: errors[0], errors });
}

function stopError(errors: readonly LifecycleError[]): LifecycleError {
  const names = errors.map(error => `${error.value}: ${messageOf(error.cause)}`).join('; ');
  return new LifecycleError('SLUICE_LIFECYCLE_STOP', `not everything stopped cleanly (${names})`, { errors });
}

function errorsOf(error: unknown): readonly unknown[] {
  return error instanceof LifecycleError ? error.errors : [error];
}

function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}
