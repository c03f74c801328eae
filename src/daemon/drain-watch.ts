// SPDX-License-Identifier: Apache-2.0
// Tells when a real server that is in maintenance has no connections any more: then it is safe to stop it. Connections end
// in workers, which tell nothing of it, so that the director is asked now and then, while a server is in maintenance.
import { sleep } from '../core/clock.ts';
import { leftOn, type ServerOf } from '../director/drain.ts';
import { serverKey, serviceKey } from '../director/model.ts';
import type { Watch, WatchAccess } from './composition.ts';
import type { sections } from './document.ts';

/** Between two looks. */
export const lookMilliseconds = 5000;

const drainedKind = 'maintenance.drained';

export class DrainWatch implements Watch {
  readonly #options: WatchAccess<typeof sections>;
  readonly #stop = new AbortController();
  /** In maintenance at the look before: the director knows of it since. */
  #before: ReadonlySet<string> = new Set();
  /** Told, and in maintenance since. */
  readonly #told = new Set<string>();

  /** What a control before has told is in the log. */
  constructor(options: WatchAccess<typeof sections>) {
    this.#options = options;
    for (const { kind, subject } of options.events.events) {
      if (kind === drainedKind) this.#told.add(subject);
      else if (kind.startsWith('maintenance.')) this.#told.delete(subject);
    }
  }

  /** Looks until `stop`. */
  async run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await sleep(this.#options.clock, lookMilliseconds, signal).catch(() => undefined);
      // A director that does not answer is asked again.
      if (!signal.aborted) await this.#look().catch(() => undefined);
    }
  }

  stop(): void {
    this.#stop.abort();
  }

  async #look(): Promise<void> {
    const { plane, events } = this.#options;
    const servers = this.#inMaintenance();
    const names = new Set(servers.map(subjectOf));
    const asked = servers.filter(each => this.#before.has(subjectOf(each)) && !this.#told.has(subjectOf(each)));
    for (const subject of this.#told) if (!names.has(subject)) this.#told.delete(subject);
    this.#before = names;
    const director = plane('director');
    if (asked.length === 0 || director === undefined) return;
    for (const { open, persistent, ...each } of await leftOn(director, asked)) {
      if (open > 0) continue;
      const subject = subjectOf(each);
      this.#told.add(subject);
      const kept = persistent === 0 ? '' : `; persistence keeps ${persistent} clients on it`;
      events.tell({
        ...{ kind: drainedKind, severity: 'info', subject },
        text: `real server ${subject} has no connections any more: it is safe to stop it${kept}`,
        fields: { service: each.service, server: each.server, persistent },
      });
    }
  }

  #inMaintenance(): ServerOf[] {
    const services = this.#options.snapshot()?.director.services ?? [];
    return services.flatMap(({ identity, servers }) =>
      servers
        .filter(({ maintenance }) => maintenance === true)
        .map(server => ({ service: serviceKey(identity), server: serverKey(server) })),
    );
  }
}

function subjectOf({ service, server }: ServerOf): string {
  return `${server} of ${service}`;
}
