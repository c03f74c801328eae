// SPDX-License-Identifier: Apache-2.0
// Fetches the events of a plane from its process, as soon as there are any. A control that goes on where another one ended
// knows from the events on disk which it has: none is told twice. Where the last event of the plane is not kept any more,
// control leaves out what is older than all that is kept.
import type { ApiClient } from '../../core/api/client.ts';
import { type Clock, sleep } from '../../core/clock.ts';
import { planeEventsRoute } from '../plane-api.ts';
import type { EventLog } from './event-log.ts';

export interface PlaneEventsOptions {
  readonly plane: string;
  readonly client: ApiClient;
  readonly log: EventLog;
  readonly clock: Clock;
}

/** While the plane does not run, or does not answer. */
const retryMilliseconds = 500;

export class PlaneEvents {
  readonly #options: PlaneEventsOptions;
  readonly #stop = new AbortController();
  #asked: { readonly instance?: string; readonly after?: number };
  /** What the plane told before this time is known. */
  #knownBefore: string | undefined;

  constructor(options: PlaneEventsOptions) {
    this.#options = options;
    const source = options.log.events.findLast(event => event.source?.plane === options.plane)?.source;
    this.#asked = source === undefined ? {} : { instance: source.instance, after: source.number };
    if (source === undefined) this.#knownBefore = options.log.forgottenBefore;
  }

  /** Follows until `stop`. */
  async run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#ask(signal);
      } catch {
        // Whether the plane runs, `sluice status` and events of its process say.
        await sleep(this.#options.clock, retryMilliseconds, signal).catch(() => undefined);
      }
    }
  }

  stop(): void {
    this.#stop.abort();
  }

  async #ask(signal: AbortSignal): Promise<void> {
    const { client, plane, log } = this.#options;
    const { instance, last, missed, events } = await client.call(planeEventsRoute, this.#asked, { signal });
    if (missed > 0) {
      const text = `${missed} events of ${plane} were lost: control was away for too long`;
      log.tell({ kind: 'events.missed', severity: 'warning', subject: plane, text, fields: { missed } });
    }
    const known = this.#knownBefore;
    this.#knownBefore = undefined;
    log.take(plane, instance, known === undefined ? events : events.filter(({ at }) => at >= known));
    this.#asked = { instance, after: last };
  }
}
