// SPDX-License-Identifier: Apache-2.0
// The TCP ports of the section `api`, as a plane whose work control does itself: ports are opened and files are read when a
// change is prepared, so that a port that is taken or a certificate that is none refuses the change. The commit puts the
// new servers in place and closes ports that the section has no more. After a crash of control the next process opens
// the ports again, as it gives every plane that is behind the snapshot in force; meanwhile connections are refused.
import type { Answering, RouteDefinition } from '../../core/api/route.ts';
import { type ApiLimits, ApiServer, type ForwardTo } from '../../core/api/server.ts';
import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/logger.ts';
import { OneAtATime } from '../../core/one-at-a-time.ts';
import type { PlanePart, Prepared } from '../../core/plane.ts';
import { metricsRoute } from '../api.ts';
import type { ReadSecret } from '../credential-files.ts';
import type { OwnPlane } from '../own-plane.ts';
import { admitBy, type Credentials, readCredentials } from './credentials.ts';
import { Listener } from './listener.ts';
import { type ApiModel, apiSection, type ListenerSettings } from './settings.ts';

export interface ApiListenersOptions {
  /** What the admin socket answers. */
  readonly answers: readonly Answering[];
  readonly forward: Readonly<Record<string, ForwardTo>>;
  readonly readSecret: ReadSecret;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A change that comes over the network is answered when all planes have committed it. */
const limits: Partial<ApiLimits> = { silentMilliseconds: 30_000, stopMilliseconds: 10_000 };

/** Of an answer with metrics, from when it is begun. */
const freshMilliseconds = 1000;

interface Ready {
  readonly listener: Listener;
  readonly credentials: Credentials;
  readonly settings: ListenerSettings;
}

export class ApiListeners implements OwnPlane {
  readonly name = apiSection.key;
  readonly #options: ApiListenersOptions;
  readonly #answers: readonly Answering[];
  #listeners: ReadonlyMap<string, Listener> = new Map();
  #digest: string | undefined;

  constructor(options: ApiListenersOptions) {
    this.#options = options;
    this.#answers = options.answers.map(each => (isMetrics(each) ? shared(each, options.clock) : each));
  }

  async prepare(part: PlanePart): Promise<Prepared> {
    const { listen } = part.model as ApiModel;
    const opened: Listener[] = [];
    const abort = async (): Promise<void> => void (await Promise.all(opened.map(listener => listener.close())));
    try {
      const ready: Ready[] = [];
      for (const settings of listen) {
        const { address } = settings;
        const credentials = await readCredentials(settings, this.#options.readSecret);
        const listener = this.#listeners.get(address) ?? (await Listener.open(address, this.#options));
        if (!this.#listeners.has(address)) opened.push(listener);
        ready.push({ listener, credentials, settings });
      }
      return { changes: [], commit: () => this.#commit(ready, part.digest), abort };
    } catch (error) {
      await abort();
      throw error;
    }
  }

  async inForce(): Promise<string | undefined> {
    return this.#digest;
  }

  async stop(): Promise<void> {
    const listeners = [...this.#listeners.values()];
    this.#listeners = new Map();
    this.#digest = undefined;
    await Promise.all(listeners.map(listener => listener.close()));
  }

  async #commit(ready: readonly Ready[], digest: string): Promise<void> {
    const before = this.#listeners;
    this.#listeners = new Map(ready.map(({ settings, listener }) => [settings.address, listener]));
    this.#digest = digest;
    for (const [address, listener] of before) if (!this.#listeners.has(address)) void listener.close();
    for (const { listener, credentials, settings } of ready) {
      // Streams go on where nothing is different.
      if (listener.fingerprint === credentials.fingerprint) continue;
      await listener.serve(this.#server(settings, credentials), credentials.fingerprint);
    }
  }

  #server({ address, routes }: ListenerSettings, credentials: Credentials): ApiServer {
    const { forward, logger } = this.#options;
    const { tls } = credentials;
    return new ApiServer({
      name: `port ${address}`,
      answers: routes === 'all' ? this.#answers : this.#answers.filter(isMetrics),
      ...(routes === 'all' ? { forward } : {}),
      ...(tls === undefined ? {} : { tls }),
      admit: admitBy(credentials),
      ...{ limits, logger },
    });
  }
}

function isMetrics({ definition }: { readonly definition: RouteDefinition }): boolean {
  return definition === metricsRoute;
}

/** However many ask, answers are made one after another, and none while the one before is fresh. */
function shared({ definition, handler }: Answering, clock: Clock): Answering {
  const scrapes = new OneAtATime();
  const made = new Map<string | undefined, Promise<unknown>>();
  return {
    definition,
    handler: (parameters, call) => {
      const { mediaType } = call;
      const known = made.get(mediaType);
      if (known !== undefined) return known;
      const forget = (): void => void made.delete(mediaType);
      const next = scrapes.run(async () => {
        clock.after(freshMilliseconds, forget);
        return await handler(parameters, call);
      });
      made.set(mediaType, next);
      next.catch(forget);
      return next;
    },
  };
}
