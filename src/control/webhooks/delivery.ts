// SPDX-License-Identifier: Apache-2.0
// Sends the events of the log to one receiver. The log, in memory and on disk, is the queue: what is kept besides is the
// number up to which events were taken, in memory and in a file. So a receiver that is slow or dead, or that answers
// garbage, costs one request at a time, and a receiver that was away gets what the log still has.
//
//   log ──events after the number──▶ POST ──2xx──▶ the number grows, and is written ──▶ the next events
//                                     │ anything else
//                                     └──▶ the same again, after a second, two, four, … a minute
//
// An event is sent at least once: after a crash between the answer and the write of the number it is sent again. Its own
// number tells the receiver. A receiver that is new gets the events from then on.
import { hostname } from 'node:os';
import { type Clock, sleep } from '../../core/clock.ts';
import type { Problem } from '../../core/explanation.ts';
import type { Logger } from '../../core/logger.ts';
import { reasonOf } from '../credential-files.ts';
import type { EventLog } from '../events/event-log.ts';
import type { Position } from './position.ts';
import { post, type Receiver } from './post.ts';

export interface DeliveryOptions {
  readonly name: string;
  readonly receiver: Receiver;
  /** Kinds of events, or what they begin with up to a dot; undefined: all. */
  readonly kinds: readonly string[] | undefined;
  readonly position: Position;
  readonly log: EventLog;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** An event has 10 KB at most, usually 500 bytes. */
const mostInBatch = 50;

const firstRetryMilliseconds = 1000;
const lastRetryMilliseconds = 60_000;

export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #failure: { readonly since: string; readonly reason: string } | undefined;

  /** Begins at once. */
  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#running = this.#run(options.log.last);
  }

  /** That nothing is taken, and since when; undefined while all is well. */
  get problem(): Problem | undefined {
    if (this.#failure === undefined) return undefined;
    const { name, receiver } = this.#options;
    const { since, reason } = this.#failure;
    const text = `events are not delivered to ${receiver.url}: ${reason}`;
    const remedy = 'mend the receiver; sluice tries again every minute, and sends what its log still has';
    return { about: `webhook ${name}`, text, since, remedy };
  }

  /** Ends a request in progress: its events are sent again next time. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** `last`: the number of the last event before the delivery began. */
  async #run(last: number): Promise<void> {
    const { position, log } = this.#options;
    const { signal } = this.#stop;
    const known = await position.read();
    // A higher number than any of the log's was of events that the disk has lost: numbers went on before it.
    let at = Math.min(known ?? last, last);
    if (at !== known) await position.write(at);
    while (!signal.aborted) {
      await log.added(at, signal);
      const { events, missed } = log.select({ after: at, kind: this.#options.kinds });
      const batch = events.slice(0, mostInBatch);
      const next = batch.length < events.length ? (batch.at(-1)?.number ?? at) : log.last;
      if (batch.length > 0 || missed > 0) {
        await this.#send(JSON.stringify({ host: hostname(), missed, events: batch }), signal);
      }
      if (signal.aborted) return;
      if (next > at) await position.write(next);
      at = next;
    }
  }

  /** Until it is taken, or the signal is aborted. */
  async #send(body: string, signal: AbortSignal): Promise<void> {
    const { clock, logger, name, receiver } = this.#options;
    for (let wait = firstRetryMilliseconds; !signal.aborted; wait = Math.min(2 * wait, lastRetryMilliseconds)) {
      try {
        await post(receiver, body, signal);
        if (this.#failure !== undefined) logger.info({ webhook: name }, 'events are delivered again');
        this.#failure = undefined;
        return;
      } catch (err) {
        if (signal.aborted) return;
        const since = this.#failure?.since ?? new Date(clock.now()).toISOString();
        if (this.#failure === undefined) logger.warn({ err, webhook: name }, 'events are not delivered: trying again');
        this.#failure = { since, reason: reasonOf(err) };
        await sleep(clock, wait, signal).catch(() => undefined);
      }
    }
  }
}
