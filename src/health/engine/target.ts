// SPDX-License-Identifier: Apache-2.0
// The state of a target, made of the states of its checks. It is computed again whenever one of them changes.
import type { AppliedCheck, CheckedTarget, Health } from '../../core/observed.ts';
import type { Watch } from './watch.ts';

/** A check that the target has to pass, at work. */
export interface TargetCheck extends Pick<AppliedCheck, 'weight'> {
  readonly watch: Watch;
}

export interface TargetState {
  readonly health: Health;
  /** Whether results have decided. Until then the state is what the group says of the start. */
  readonly known: boolean;
  /** The lowest weight that its checks have found. */
  readonly weight: number | undefined;
}

/** `start`: what a check without a result counts as. */
export function stateOfTarget({ need }: CheckedTarget, checks: readonly TargetCheck[], start: Health): TargetState {
  const sum = (wanted: Health | undefined): number =>
    checks.filter(({ watch }) => watch.health === wanted).reduce((total, { weight }) => total + weight, 0);
  const passing = sum('up');
  const possible = passing + sum(undefined);
  const found = checks.map(({ watch }) => watch.weight).filter(weight => weight !== undefined);
  const weight = found.length === 0 ? undefined : Math.min(...found);
  if (passing >= need) return { health: 'up', known: true, weight };
  if (possible < need) return { health: 'down', known: true, weight };
  return { health: start, known: false, weight };
}
