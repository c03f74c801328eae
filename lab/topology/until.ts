// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';
import { LabError } from './lab-error.ts';
import { patient } from './patience.ts';

/** Short beside what a program needs to start, long beside what a look costs. */
const pollMilliseconds = 20;

/** Looks until the condition holds; a LabError that names it when that takes longer than `milliseconds`, or what they are here. */
export async function until(
  condition: string,
  milliseconds: number,
  holds: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + patient(milliseconds);
  while (!(await holds())) {
    if (performance.now() > deadline) throw new LabError(`not within ${patient(milliseconds) / 1000} s: ${condition}`);
    await delay(pollMilliseconds);
  }
}
