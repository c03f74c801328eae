// SPDX-License-Identifier: Apache-2.0
// The receivers of the section `events`, as a plane whose work control does itself: their secrets and authorities are read
// when a change is prepared. A receiver that a change leaves as it is goes on undisturbed.

import type { Clock } from '../../core/clock.ts';
import { canonicalJson } from '../../core/config/canonical.ts';
import type { Problem } from '../../core/explanation.ts';
import type { Logger } from '../../core/logger.ts';
import type { PlanePart, Prepared } from '../../core/plane.ts';
import { type ReadSecret, readPem, readToken } from '../credential-files.ts';
import type { EventLog } from '../events/event-log.ts';
import type { OwnPlane } from '../own-plane.ts';
import { Delivery } from './delivery.ts';
import { Position } from './position.ts';
import type { Receiver } from './post.ts';
import { type EventsModel, eventsSection, type WebhookSettings } from './settings.ts';

export interface WebhooksOptions {
  readonly events: EventLog;
  /** Where the position of each receiver is kept. */
  readonly folder: string;
  readonly readSecret: ReadSecret;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The receiver has made it, and knows how long it has to be. */
const tokenLength = { least: 1, most: 4096 };

interface Ready {
  readonly settings: WebhookSettings;
  readonly receiver: Receiver;
  /** Equal while settings and files are the same. */
  readonly identity: string;
}

interface Working {
  readonly identity: string;
  readonly delivery: Delivery;
}

export class Webhooks implements OwnPlane {
  readonly name = eventsSection.key;
  readonly #options: WebhooksOptions;
  readonly #working = new Map<string, Working>();
  #digest: string | undefined;

  constructor(options: WebhooksOptions) {
    this.#options = options;
  }

  get problems(): readonly Problem[] {
    return [...this.#working.values()].flatMap(({ delivery: { problem } }) => (problem === undefined ? [] : [problem]));
  }

  async prepare(part: PlanePart): Promise<Prepared> {
    const { webhooks } = part.model as EventsModel;
    const ready: Ready[] = [];
    for (const settings of webhooks) ready.push(await this.#read(settings));
    return { changes: [], commit: () => this.#commit(ready, part.digest), abort: async () => undefined };
  }

  async inForce(): Promise<string | undefined> {
    return this.#digest;
  }

  async stop(): Promise<void> {
    await this.#commit([], undefined);
  }

  async #read(settings: WebhookSettings): Promise<Ready> {
    const { url, token, authorities } = settings;
    const receiver: Receiver = {
      url,
      token: token === null ? undefined : await readToken(token, this.#options.readSecret, tokenLength),
      authorities: authorities === null ? undefined : await readPem(authorities),
    };
    return { settings, receiver, identity: canonicalJson({ settings, receiver }) };
  }

  async #commit(ready: readonly Ready[], digest: string | undefined): Promise<void> {
    this.#digest = digest;
    const same = new Set(ready.map(({ settings: { name }, identity }) => `${name} ${identity}`));
    const ending = [...this.#working].filter(([name, { identity }]) => !same.has(`${name} ${identity}`));
    for (const [name] of ending) this.#working.delete(name);
    // Two deliveries of one name would write one position.
    await Promise.all(ending.map(([, { delivery }]) => delivery.stop()));
    for (const one of ready) if (!this.#working.has(one.settings.name)) this.#begin(one);
  }

  #begin({ settings: { name, kinds }, receiver, identity }: Ready): void {
    const { events, folder, clock, logger } = this.#options;
    const delivery = new Delivery({
      ...{ name, receiver, clock, logger },
      kinds: kinds ?? undefined,
      position: new Position(folder, name, logger),
      log: events,
    });
    this.#working.set(name, { identity, delivery });
  }
}
