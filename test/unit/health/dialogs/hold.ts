// SPDX-License-Identifier: Apache-2.0
// Holds dialogs with answers that are cut anywhere.
import { expect } from 'vitest';
import type { Dialog, Verdict } from '../../../../src/health/dialog.ts';

export interface Held {
  readonly verdict: Verdict;
  /** What the dialog sent, as latin1. */
  readonly sent: string;
}

/** Gives the pieces to the dialog, and then closes, until there is a verdict. */
export function hold(dialog: Dialog, pieces: readonly Uint8Array[]): Held {
  let sent = '';
  for (const piece of [undefined, ...pieces]) {
    const step = piece === undefined ? dialog.begin() : dialog.received(piece);
    sent += Buffer.from(step.send ?? []).toString('latin1');
    if (step.verdict !== undefined) return { verdict: step.verdict, sent };
  }
  return { verdict: dialog.closed(), sent };
}

/** The same verdict has to fall for an answer that comes whole, byte by byte, and in two pieces cut at every byte. */
export function holdCut(make: () => Dialog, answer: string | Uint8Array): Held {
  const bytes = typeof answer === 'string' ? Buffer.from(answer, 'latin1') : answer;
  const whole = hold(make(), [bytes]);
  const single = Array.from(bytes, byte => Uint8Array.of(byte));
  expect(hold(make(), single), 'byte by byte').toEqual(whole);
  for (let at = 0; at <= bytes.length; at++) {
    expect(hold(make(), [bytes.subarray(0, at), bytes.subarray(at)]), `cut at ${at}`).toEqual(whole);
  }
  return whole;
}

export const passed = (detail: string): Verdict => ({ passed: true, detail });
export const failed = (detail: string): Verdict => ({ passed: false, detail });
