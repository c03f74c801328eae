// SPDX-License-Identifier: Apache-2.0

/** How many times as long everything takes on this machine: more than 1 in an emulated one. */
const factor = Number(process.env.SLUICE_LAB_TIME_SCALE ?? 1);

/** A time limit on this machine for what may take `milliseconds` on a real machine. */
export function scaled(milliseconds: number): number {
  return milliseconds * factor;
}
