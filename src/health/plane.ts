// SPDX-License-Identifier: Apache-2.0
// Health checks as a plane. A part that another one replaces keeps the states of the checks and targets that both have.
import { randomUUID } from 'node:crypto';
import type { Answering } from '../core/api/route.ts';
import { systemClock } from '../core/clock.ts';
import type { SecretFile } from '../core/config/secret.ts';
import type { Tell } from '../core/events/event.ts';
import type { Finding, Subject } from '../core/explanation.ts';
import type { Logger } from '../core/logger.ts';
import type { Plane, PlanePart, Prepared } from '../core/plane.ts';
import type { SecretContent } from '../core/secret-content.ts';
import { createProber } from '../native/prober.ts';
import { healthAnswers } from './answers.ts';
import { readClientKeys } from './client-keys.ts';
import { Monitor } from './engine/monitor.ts';
import { healthFindings } from './findings.ts';
import { HealthMetrics } from './metrics.ts';
import type { HealthModel } from './model.ts';
import { eventOf, logNews } from './news.ts';
import { createProbes } from './probes/start.ts';
import { healthSection } from './section.ts';

export interface HealthEnvironment {
  readonly logger: Logger;
  readonly readSecret: (secret: SecretFile) => Promise<SecretContent>;
  readonly tell: Tell;
}

export function createHealthPlane({ logger, readSecret, tell }: HealthEnvironment) {
  const probes = createProbes(createProber, systemClock, key => plane.key(key));
  const monitor = new Monitor({
    clock: systemClock,
    random: Math.random,
    probe: probes.start,
    news: news => {
      logNews(logger, news);
      tell(eventOf(news));
    },
  });
  const plane: HealthPlane = new HealthPlane(monitor, readSecret);
  const answers: readonly Answering[] = healthAnswers({ monitor, plane, instance: randomUUID(), clock: systemClock });
  const close = (): void => {
    monitor.close();
    probes.close();
  };
  const metrics = new HealthMetrics();
  return { plane, answers, metrics: () => metrics.collect(monitor), close };
}

export class HealthPlane implements Plane<HealthModel> {
  readonly name = healthSection.key;
  readonly #monitor: Monitor;
  readonly #readSecret: HealthEnvironment['readSecret'];
  #digest: string | undefined;
  /** The keys of client certificates, by their files. */
  #keys: ReadonlyMap<string, SecretContent> = new Map();

  constructor(monitor: Monitor, readSecret: HealthEnvironment['readSecret']) {
    this.#monitor = monitor;
    this.#readSecret = readSecret;
  }

  key({ file }: SecretFile): SecretContent | undefined {
    return this.#keys.get(file);
  }

  /** Of the part in force; undefined before the first. */
  get digest(): string | undefined {
    return this.#digest;
  }

  async prepare({ model, digest }: PlanePart<HealthModel>): Promise<Prepared> {
    const keys = await readClientKeys(model.checks, this.#readSecret);
    const targets = model.groups.reduce((sum, group) => sum + group.targets.length, 0);
    return {
      changes: [`${model.checks.length} checks of ${targets} targets`],
      commit: async () => {
        this.#keys = keys;
        if (digest !== this.#digest) this.#monitor.configure(model);
        this.#digest = digest;
      },
      abort: async () => undefined,
    };
  }

  async inForce(): Promise<string | undefined> {
    return this.#digest;
  }

  async explain(subject: Subject): Promise<readonly Finding[]> {
    return healthFindings(this.#monitor, subject);
  }
}
