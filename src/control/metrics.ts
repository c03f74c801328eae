// SPDX-License-Identifier: Apache-2.0
// What control answers for `GET /metrics`: its own metrics, and those that the planes contribute. A plane that does not
// answer in time is missing, and a metric says so: a scrape shows what there is.
import type { AnswerOf } from '../core/api/route.ts';
import type { Sections } from '../core/config/snapshot.ts';
import type { Logger } from '../core/logger.ts';
import { type Metric, metric } from '../core/metrics/family.ts';
import { version } from '../core/version.ts';
import type { controlStatus } from './api.ts';
import type { ChangeOutcomes } from './change-outcomes.ts';
import type { Control } from './control.ts';
import type { History } from './history/history.ts';
import * as families from './metric-families.ts';
import { areMetricsOf } from './own-metrics.ts';

type Process = AnswerOf<typeof controlStatus>['processes'][number];

/** The metrics of a plane's process. */
export interface PlaneMetrics {
  readonly plane: string;
  ask(signal: AbortSignal): Promise<readonly Metric[]>;
}

export interface ControlMetricsOptions<S extends Sections> {
  readonly control: Control<S>;
  readonly outcomes: ChangeOutcomes;
  readonly history: History;
  /** All processes of this sluice. */
  readonly processes: () => readonly Process[];
  /** The number of warnings of the status. */
  readonly warnings: () => number;
  /** Of the planes that run. */
  readonly planes: () => readonly PlaneMetrics[];
  readonly logger: Logger;
}

/** Prometheus waits 10 s for all of a scrape, unless it is told otherwise. */
const planeMilliseconds = 5000;

const states = ['starting', 'running', 'waiting', 'stopped'] as const;

export async function collectMetrics<S extends Sections>(options: ControlMetricsOptions<S>): Promise<Metric[]> {
  const { planes, logger } = options;
  const answers = await Promise.all(planes().map(plane => askPlane(plane, logger)));
  return [...ownMetrics(options), ...scrapeMetrics(answers), ...answers.flatMap(({ metrics }) => metrics ?? [])];
}

interface PlaneAnswer {
  readonly plane: string;
  /** Undefined: it did not answer. */
  readonly metrics: readonly Metric[] | undefined;
  readonly seconds: number;
}

async function askPlane({ plane, ask }: PlaneMetrics, logger: Logger): Promise<PlaneAnswer> {
  const began = performance.now();
  const metrics = await ask(AbortSignal.timeout(planeMilliseconds)).catch((err: unknown) => {
    logger.warn({ err, plane }, 'the plane does not give its metrics');
    return undefined;
  });
  const isForeign = metrics !== undefined && !areMetricsOf(plane, metrics);
  if (isForeign) logger.warn({ plane }, 'the plane gives metrics that are not its own');
  return { plane, metrics: isForeign ? undefined : metrics, seconds: (performance.now() - began) / 1000 };
}

function scrapeMetrics(answers: readonly PlaneAnswer[]): Metric[] {
  return [
    metric(
      families.planeAnswers,
      answers.map(({ plane, metrics }) => ({ labels: [plane], value: metrics === undefined ? 0 : 1 })),
    ),
    metric(
      families.planeDuration,
      answers.map(({ plane, seconds }) => ({ labels: [plane], value: seconds })),
    ),
  ];
}

function ownMetrics<S extends Sections>(options: ControlMetricsOptions<S>): Metric[] {
  const { control, outcomes, history, planes } = options;
  const { snapshot, behind } = control;
  const entry = history.entries.findLast(({ id }) => id === snapshot?.id);
  return [
    metric(families.build, [{ labels: [version], value: 1 }]),
    metric(families.snapshot, snapshot === undefined ? [] : [{ labels: [snapshot.id], value: 1 }]),
    metric(families.snapshotTime, entry === undefined ? [] : [{ labels: [], value: secondsOf(entry.at) }]),
    metric(
      families.changes,
      outcomes.counts.map(({ action, outcome, count }) => ({ labels: [action, outcome], value: count })),
    ),
    metric(families.lastChange, [{ labels: [], value: outcomes.last === 'applied' ? 1 : 0 }]),
    metric(families.changePending, [{ labels: [], value: history.pending === undefined ? 0 : 1 }]),
    metric(families.warnings, [{ labels: [], value: options.warnings() }]),
    ...processMetrics(options.processes()),
    metric(
      families.planeBehind,
      planes().map(({ plane }) => ({ labels: [plane], value: behind.has(plane) ? 1 : 0 })),
    ),
  ];
}

function processMetrics(processes: readonly Process[]): Metric[] {
  return [
    metric(
      families.processState,
      processes.flatMap(({ name, state }) =>
        states.map(each => ({ labels: [name, each], value: each === state ? 1 : 0 })),
      ),
    ),
    metric(
      families.processRestarts,
      processes.map(({ name, restarts }) => ({ labels: [name], value: restarts })),
    ),
    metric(
      families.processStart,
      processes.flatMap(({ name, since }) =>
        since === undefined ? [] : [{ labels: [name], value: secondsOf(since) }],
      ),
    ),
  ];
}

function secondsOf(instant: string): number {
  return Date.parse(instant) / 1000;
}
