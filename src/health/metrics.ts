// SPDX-License-Identifier: Apache-2.0
// The metrics of health checks.
import {
  BoundedRows,
  type CountedRow,
  countersOf,
  gaugesOf,
  labelledCountersOf,
} from '../core/metrics/bounded-rows.ts';
import { type Metric, metric } from '../core/metrics/family.ts';
import { authority } from './dialogs/http.ts';
import type { Group, TargetView } from './engine/group.ts';
import type { Monitor } from './engine/monitor.ts';
import type { Watch } from './engine/watch.ts';
import * as families from './metric-families.ts';

export class HealthMetrics {
  readonly #groups = new BoundedRows(families.mostGroups);
  readonly #targets = new BoundedRows(families.mostTargets);
  readonly #checks = new BoundedRows(families.mostChecks);

  collect(monitor: Pick<Monitor, 'groups' | 'watches'>): Metric[] {
    const groups = [...monitor.groups];
    const targets = groups.flatMap(group => group.targets.map(view => targetRow(group, view)));
    const checks = [...monitor.watches].map(checkRow);
    return [
      metric(families.groups, [{ labels: [], value: groups.length }]),
      metric(families.targets, [{ labels: [], value: targets.length }]),
      metric(families.checks, [{ labels: [], value: checks.length }]),
      metric(families.groupQuorum, gaugesOf(this.#groups.take(groups.map(groupRow)), 0)),
      ...targetMetrics(this.#targets.take(targets)),
      ...checkMetrics(this.#checks.take(checks)),
    ];
  }
}

const flag = (value: boolean): number => (value ? 1 : 0);

function groupRow({ key, quorum }: Group): CountedRow {
  return { labels: [key], counters: [], gauges: [flag(quorum === 'up')] };
}

function targetRow({ key }: Group, { target, health, known, transitions }: TargetView): CountedRow {
  return { labels: [key, target.key], counters: [transitions], gauges: [flag(health === 'up'), flag(!known)] };
}

function checkRow({ check, to, health, isFlapping, counts }: Watch): CountedRow {
  const { transitions, passed, failed, undecided, seconds } = counts;
  return {
    labels: [check.name, authority(to)],
    counters: [transitions, passed, failed, undecided, seconds],
    gauges: [flag(health === 'up'), flag(health === undefined), flag(isFlapping)],
  };
}

function targetMetrics(rows: readonly CountedRow[]): Metric[] {
  return [
    metric(families.targetUp, gaugesOf(rows, 0)),
    metric(families.targetUnknown, gaugesOf(rows, 1)),
    metric(families.targetTransitions, countersOf(rows, 0)),
  ];
}

const results = ['passed', 'failed', 'undecided'] as const;

function checkMetrics(rows: readonly CountedRow[]): Metric[] {
  return [
    metric(families.checkUp, gaugesOf(rows, 0)),
    metric(families.checkUnknown, gaugesOf(rows, 1)),
    metric(families.checkFlapping, gaugesOf(rows, 2)),
    metric(families.checkTransitions, countersOf(rows, 0)),
    metric(families.checkProbes, labelledCountersOf(rows, 1, results)),
    metric(
      families.checkDuration,
      rows.map(({ labels, counters: [_, passed = 0, failed = 0, undecided = 0, sum = 0] }) => ({
        labels,
        value: { count: passed + failed + undecided, sum },
      })),
    ),
  ];
}
