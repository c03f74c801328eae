// SPDX-License-Identifier: Apache-2.0
// Follows what a plane observes, and has control bring it into force. What was known of a target holds until results
// have decided otherwise: a plane whose process was replaced does not make its targets forget.
import type { ApiClient } from '../core/api/client.ts';
import { type Clock, sleep } from '../core/clock.ts';
import { given } from '../core/given.ts';
import type { Logger } from '../core/logger.ts';
import { nothingObserved, type Observed, type ObservedGroup, type ObservedTarget } from '../core/observed.ts';
import { type ObservedAnswer, observedRoute } from '../core/observed-api.ts';
import type { Lag } from './control.ts';

export interface ObserverOptions {
  /** The plane's name. */
  readonly plane: string;
  readonly client: ApiClient;
  /** Whether the plane runs; if not, nothing can be wrong with it. */
  readonly isExpected: () => boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Brings an observation into force. Throws when a plane refuses. */
  readonly observe: (observed: Observed) => Promise<unknown>;
}

/** After a failure of the plane, or of a plane that was given an observation. */
const retryMilliseconds = 500;

export class Observer {
  readonly #options: ObserverOptions;
  readonly #stop = new AbortController();
  #known: Observed = nothingObserved;
  /** Groups whose quorum a new process has not found out yet. */
  #undecided: Set<string> = new Set();
  #asked: { instance?: string; version?: number } = {};
  #refused: Lag | undefined;

  constructor(options: ObserverOptions) {
    this.#options = options;
  }

  get plane(): string {
    return this.#options.plane;
  }

  /** Why what was observed is not in force; undefined when it is. */
  get refused(): Lag | undefined {
    return this.#refused;
  }

  /** Learns what the plane knows already, for a control that goes on where another one ended. */
  async catchUp(milliseconds: number): Promise<void> {
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(milliseconds)]);
    try {
      if (await this.#ask(signal)) await this.#options.observe(this.#known);
    } catch (err) {
      const { logger, plane } = this.#options;
      logger.warn({ err, plane }, 'the plane does not say what it has observed: all targets count as up until it does');
    }
  }

  /** Follows until `stop`. */
  async run(): Promise<void> {
    const { logger, clock, observe, plane, isExpected } = this.#options;
    const { signal } = this.#stop;
    let isPending = false;
    while (!signal.aborted) {
      try {
        if (isPending) await this.#askShortly(signal);
        else isPending = await this.#ask(signal);
        if (isPending) await observe(this.#known);
        isPending = false;
        this.#refused = undefined;
      } catch (err) {
        if (signal.aborted) return;
        if (isExpected()) {
          const message = err instanceof Error ? err.message : String(err);
          this.#refused ??= { at: new Date(clock.now()).toISOString(), message };
          logger.warn({ err, plane }, 'what was observed could not be brought into force: trying again');
        } else this.#refused = undefined;
        await sleep(clock, retryMilliseconds, signal).catch(() => undefined);
      }
    }
  }

  stop(): void {
    this.#stop.abort();
  }

  /** What was observed and refused may be outdated. */
  async #askShortly(signal: AbortSignal): Promise<void> {
    await this.#ask(AbortSignal.any([signal, AbortSignal.timeout(retryMilliseconds)])).catch(() => undefined);
  }

  /** Whether there is something new. */
  async #ask(signal: AbortSignal): Promise<boolean> {
    const { client, plane } = this.#options;
    const answer = await client.call(observedRoute(plane), this.#asked, { signal });
    // A process that has no part yet knows nothing.
    if (answer.digest === undefined) return false;
    if (answer.instance !== this.#asked.instance) this.#undecided = new Set(this.#known.groups.keys());
    this.#known = mergeObserved(this.#known, answer, this.#undecided);
    for (const { key, targets } of answer.groups) if (targets.every(({ known }) => known)) this.#undecided.delete(key);
    this.#asked = { instance: answer.instance, version: answer.version };
    return answer.whole || answer.groups.length > 0;
  }
}

/** What is known after an answer. `undecided`: groups whose quorum holds until the process has results of all targets. */
export function mergeObserved(
  known: Observed,
  { whole, groups }: Pick<ObservedAnswer, 'whole' | 'groups'>,
  undecided: ReadonlySet<string>,
): Observed {
  const merged = groups.map(group => {
    const before = known.groups.get(group.key);
    return [group.key, mergeGroup(before, group, undecided.has(group.key))] as const;
  });
  return { groups: new Map([...(whole ? [] : known.groups), ...merged]) };
}

function mergeGroup(
  known: ObservedGroup | undefined,
  group: ObservedAnswer['groups'][number],
  isUndecided: boolean,
): ObservedGroup {
  const targets = group.targets.map(({ key, known: isKnown, health, weight, share }) => {
    const observed: ObservedTarget = { health, ...given({ weight, share }) };
    return [key, isKnown ? observed : (known?.targets.get(key) ?? observed)] as const;
  });
  const hasUnknown = group.targets.some(target => !target.known);
  const quorum = isUndecided && hasUnknown && known !== undefined ? known.quorum : group.quorum;
  return Object.freeze({ quorum, targets: new Map(targets) });
}
