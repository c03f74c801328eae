// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';
import { LabError } from './lab-error.ts';

/** Short beside what a program needs to start, long beside what a look costs. */
const pollMilliseconds = 20;

/** Looks until the condition holds; a LabError that names it when that takes longer than `milliseconds`. */
export async function until(
  condition: string,
  milliseconds: number,
  holds: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + milliseconds;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new LabError(`not within ${milliseconds / 1000} s: ${condition}`);
    await delay(pollMilliseconds);
  }
}
