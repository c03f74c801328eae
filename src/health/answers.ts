// SPDX-License-Identifier: Apache-2.0
// What the running health checks answer.
import { type Answering, answering } from '../core/api/route.ts';
import type { Clock } from '../core/clock.ts';
import { given } from '../core/given.ts';
import { type ObservedAnswer, observedWaitMilliseconds } from '../core/observed-api.ts';
import { healthObservedRoute, summaryRoute, type TargetAnswer, targetsRoute } from './api.ts';
import { authority } from './dialogs/http.ts';
import type { Group, TargetView } from './engine/group.ts';
import type { Monitor } from './engine/monitor.ts';
import type { TargetCheck } from './engine/target.ts';

export interface HealthAnswersOptions {
  readonly monitor: Monitor;
  readonly plane: { readonly digest: string | undefined };
  /** Names this process. */
  readonly instance: string;
  readonly clock: Clock;
}

export function healthAnswers({ monitor, plane, instance, clock }: HealthAnswersOptions): readonly Answering[] {
  return [
    answering(healthObservedRoute, async (asked, { signal }): Promise<ObservedAnswer> => {
      const known = asked.instance === instance ? (asked.version ?? 0) : 0;
      const patience = new AbortController();
      const timer = clock.after(observedWaitMilliseconds, () => patience.abort());
      await monitor.changed(known, AbortSignal.any([signal, patience.signal]));
      timer.cancel();
      const { version } = monitor;
      const whole = known === 0 || monitor.removedAfter(known);
      const groups = whole ? [...monitor.groups] : monitor.changedAfter(known);
      return { ...{ instance, version, whole }, ...given({ digest: plane.digest }), groups: groups.map(observedGroup) };
    }),
    answering(targetsRoute, async function* ({ group: wanted, target: named, health }) {
      for (const group of monitor.groups) {
        if (wanted !== undefined && group.key !== wanted) continue;
        for (const view of group.targets) {
          if (health !== undefined && view.health !== health) continue;
          if (named !== undefined && named !== view.target.key && named !== view.target.address) continue;
          yield targetAnswer(group, view);
        }
      }
    }),
    answering(summaryRoute, () => {
      const groups = [...monitor.groups];
      const targets = groups.flatMap(group => group.targets);
      return {
        groups: groups.length,
        withoutQuorum: groups.filter(({ quorum }) => quorum === 'down').length,
        targets: targets.length,
        down: targets.filter(({ health, known }) => known && health === 'down').length,
        unknown: targets.filter(({ known }) => !known).length,
        checks: [...monitor.watches].length,
      };
    }),
  ];
}

function observedGroup({ key, quorum, targets, checked }: Group): ObservedAnswer['groups'][number] {
  return {
    key,
    quorum,
    targets: targets
      .filter(
        ({ health, known, weight, share }) =>
          checked.start === 'down' || health === 'down' || !known || weight !== undefined || share < 1,
      )
      .map(({ target, health, known, weight, share }) => ({
        ...{ key: target.key, health, known },
        ...given({ weight, share: share < 1 ? share : undefined }),
      })),
  };
}

export function targetAnswer(group: Group, view: TargetView): TargetAnswer {
  const { target, health, known, since, weight, share, checks } = view;
  return {
    group: group.key,
    quorum: group.quorum,
    target: target.key,
    weight: target.weight,
    ...{ health, known, share, need: target.need },
    ...given({ since: instant(since), foundWeight: weight }),
    checks: checks.map(checkAnswer),
  };
}

function checkAnswer({ watch, weight }: TargetCheck): TargetAnswer['checks'][number] {
  const { check, to, health, since, last, streak, isFlapping, heldBy } = watch;
  return {
    check: check.name,
    destination: authority(to),
    weight,
    ...given({ health, since: instant(since), heldBy: heldBy?.check.name }),
    ...given({
      last: last && {
        at: new Date(last.at).toISOString(),
        passed: last.passed,
        detail: last.detail,
        milliseconds: last.milliseconds,
      },
    }),
    ...streak,
    flapping: isFlapping,
  };
}

function instant(milliseconds: number | undefined): string | undefined {
  return milliseconds === undefined ? undefined : new Date(milliseconds).toISOString();
}
