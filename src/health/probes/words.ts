// SPDX-License-Identifier: Apache-2.0
// Errors of the system and of Node, in words.
import { getSystemErrorMap } from 'node:util';

/** By a number of errno(3), which is positive. */
export function errnoWords(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[1] ?? `error ${errno}`;
}

export function errorWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { errno } = error as NodeJS.ErrnoException;
  return typeof errno === 'number' && errno < 0 ? errnoWords(-errno) : error.message;
}
