// SPDX-License-Identifier: Apache-2.0
// Health checks as a plane. A part that another one replaces keeps the states of the checks and targets that both have.
import { randomUUID } from 'node:crypto';
import type { Answering } from '../core/api/route.ts';
import { systemClock } from '../core/clock.ts';
import type { Logger } from '../core/logger.ts';
import type { Plane, PlanePart, Prepared } from '../core/plane.ts';
import { createProber } from '../native/prober.ts';
import { healthAnswers } from './answers.ts';
import type { GroupNews } from './engine/group.ts';
import { Monitor } from './engine/monitor.ts';
import type { HealthModel } from './model.ts';
import { createProbes } from './probes/start.ts';
import { healthSection } from './section.ts';

export interface HealthEnvironment {
  readonly logger: Logger;
}

export function createHealthPlane({ logger }: HealthEnvironment) {
  const probes = createProbes(createProber, systemClock);
  const monitor = new Monitor({
    clock: systemClock,
    random: Math.random,
    probe: probes.start,
    news: news => logNews(logger, news),
  });
  const plane = new HealthPlane(monitor);
  const answers: readonly Answering[] = healthAnswers({ monitor, plane, instance: randomUUID(), clock: systemClock });
  const close = (): void => {
    monitor.close();
    probes.close();
  };
  return { plane, answers, close };
}

export class HealthPlane implements Plane<HealthModel> {
  readonly name = healthSection.key;
  readonly #monitor: Monitor;
  #digest: string | undefined;

  constructor(monitor: Monitor) {
    this.#monitor = monitor;
  }

  /** Of the part in force; undefined before the first. */
  get digest(): string | undefined {
    return this.#digest;
  }

  async prepare({ model, digest }: PlanePart<HealthModel>): Promise<Prepared> {
    const targets = model.groups.reduce((sum, group) => sum + group.targets.length, 0);
    return {
      changes: [`${model.checks.length} checks of ${targets} targets`],
      commit: async () => {
        this.#digest = digest;
        this.#monitor.configure(model);
      },
      abort: async () => undefined,
    };
  }

  async inForce(): Promise<string | undefined> {
    return this.#digest;
  }
}

function logNews(logger: Logger, { group, target, health }: GroupNews): void {
  if (target === undefined) {
    if (health === 'up') logger.info({ group }, 'the quorum is met');
    else logger.warn({ group }, 'the quorum is lost');
    return;
  }
  const evidence = target.checks.map(({ watch }) => `${watch.check.name}: ${watch.last?.detail ?? 'no result yet'}`);
  const fields = { group, target: target.target.key, evidence };
  if (health === 'up') logger.info(fields, 'the target is up');
  else logger.warn(fields, 'the target is down');
}
