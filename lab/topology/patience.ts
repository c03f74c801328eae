// SPDX-License-Identifier: Apache-2.0

/** On a machine that is emulated everything takes so many times as long. */
const factor = Number(process.env.SLUICE_LAB_PATIENCE ?? 1);

/** How long to wait here for what may take so long on a real machine. */
export function patient(milliseconds: number): number {
  return milliseconds * factor;
}
