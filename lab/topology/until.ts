// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';
import { LabError } from './lab-error.ts';
import { scaled } from './time-scale.ts';

/** Short compared with the start of a program, long compared with the cost of one check. */
const pollMilliseconds = 20;

/** Waits until the condition holds. Throws a LabError with its name after `milliseconds`, scaled for this machine. */
export async function until(
  condition: string,
  milliseconds: number,
  holds: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + scaled(milliseconds);
  while (!(await holds())) {
    if (performance.now() > deadline)
      throw new LabError(`not true within ${scaled(milliseconds) / 1000} s: ${condition}`);
    await delay(pollMilliseconds);
  }
}
