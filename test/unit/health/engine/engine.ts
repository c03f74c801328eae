// SPDX-License-Identifier: Apache-2.0
// Checks at work against destinations that answer as a test wants, on a clock that stands still.
import { VirtualClock } from '../../../../src/core/clock.ts';
import { documentFormat } from '../../../../src/daemon/document.ts';
import type { GroupNews } from '../../../../src/health/engine/group.ts';
import { Monitor } from '../../../../src/health/engine/monitor.ts';
import type { HealthModel } from '../../../../src/health/model.ts';
import type { ProbeResult, StartProbe } from '../../../../src/health/probe.ts';

export const passed: ProbeResult = { passed: true, detail: 'it answers', milliseconds: 1 };
export const failed: ProbeResult = { passed: false, detail: 'it does not answer', milliseconds: 1 };

/** The model that the plane runs: of the checks and of one service with servers 10.0.2.1, 10.0.2.2, … */
export function modelOf(
  checks: Readonly<Record<string, unknown>>,
  services: readonly { readonly servers: readonly unknown[]; readonly health: unknown }[],
): HealthModel {
  const snapshot = documentFormat.from({
    health: { checks },
    director: { services: services.map((service, index) => ({ tcp: `10.0.1.${index + 1}:80`, ...service })) },
  });
  return documentFormat.effective('health', snapshot);
}

/** `answers`: the results by `CHECK ADDRESS`; a destination that has none passes. A probe takes 1 ms. */
export function monitorOf(model: HealthModel) {
  const clock = new VirtualClock(1_700_000_000_000);
  const answers = new Map<string, ProbeResult>();
  const probes: { readonly at: number; readonly what: string }[] = [];
  const news: string[] = [];
  const start = clock.now();
  const probe: StartProbe = (check, to, done) => {
    const what = `${check.name} ${to.address}`;
    probes.push({ at: clock.now() - start, what });
    const timer = clock.after(1, () => done(answers.get(what) ?? passed));
    return { cancel: () => timer.cancel() };
  };
  const monitor = new Monitor({ clock, random: () => 0.5, probe, news: each => news.push(lineOf(each)) });
  monitor.configure(model);
  return { clock, monitor, answers, probes, news };
}

function lineOf({ group, about, target, health }: GroupNews): string {
  return target === undefined ? `${group} ${about} ${health}` : `${target.target.key} ${health}`;
}

/** The healths of the targets of all groups, by their keys. */
export function healthOf(monitor: Monitor): Record<string, string> {
  const targets = [...monitor.groups].flatMap(group => group.targets);
  return Object.fromEntries(targets.map(({ target, health, known }) => [target.key, known ? health : `${health}?`]));
}
