// SPDX-License-Identifier: Apache-2.0
// What the checks of a target have found, in words.
import type { TargetAnswer } from './api.ts';

type CheckAnswer = TargetAnswer['checks'][number];

/** What is said of a target besides its state. */
export function targetNotes({ known, since, weight, foundWeight, share }: TargetAnswer): string[] {
  return [
    ...(known ? [] : ['no results yet']),
    ...(since === undefined ? [] : [`since ${since}`]),
    ...(weight === 0 ? ['weight 0'] : []),
    ...(foundWeight === undefined ? [] : [`weight ${foundWeight} found`]),
    ...(share < 1 ? [`slow start: ${Math.round(share * 100)} % of its weight`] : []),
  ];
}

export function checkLine(view: CheckAnswer): string {
  const { check, destination, health, last, against, needed, flapping, heldBy } = view;
  const result =
    last === undefined ? 'no result yet' : `${last.detail} (${last.milliseconds.toFixed(1)} ms, ${last.at})`;
  const notes = [
    ...(against === 0 ? [] : [`${against} of ${needed} ${health === 'down' ? 'passed' : 'failed'}`]),
    ...(flapping ? ['flapping'] : []),
    ...(heldBy === undefined ? [] : [`does not count while ${heldBy} is down`]),
  ];
  return `${check} ${health ?? 'unknown'}: ${[result, ...notes].join('; ')}, at ${destination}`;
}

/** What the checks found that do not pass. */
export function failures({ checks }: TargetAnswer): string {
  const failing = checks.filter(({ health }) => health === 'down');
  return failing.map(({ check, last }) => `${check}: ${last?.detail ?? 'no result yet'}`).join('; ');
}
