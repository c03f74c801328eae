// SPDX-License-Identifier: Apache-2.0
// What keeps a fault that happens again and again from filling the log: of the lines of one reason the first few of a
// period pass, and at its end the log says how many were left out. Each reason has its own account, so no fault hides
// another one.
//
//   line ──reason known, period open, few passed──▶ passes
//     │                  └─ many passed ──▶ left out ──▶ counted ──▶ end of the period: one line with the count
//     └──reason new or period over──▶ passes, and a period begins
import type { Clock } from './clock.ts';

export interface LogLimitOptions {
  readonly clock: Clock;
  readonly periodMilliseconds?: number;
  /** Of one reason in a period. */
  readonly mostPassing?: number;
  readonly mostReasons?: number;
}

/** Somebody who reads along sees that it goes on, and a day of it takes 100,000 short lines. */
const usualPeriodMilliseconds = 10_000;
const usualMostPassing = 10;

/** Most reasons are constants of the program. Those beyond that many in one period have one account for each level. */
const usualMostReasons = 1000;

const otherReasons = 'other reasons';

interface Account {
  passed: number;
  leftOut: number;
  /** Says how many lines were left out, as the reason's last line was said. */
  tell: (leftOut: number) => void;
}

export class LogLimit {
  readonly #clock: Clock;
  readonly #periodMilliseconds: number;
  readonly #mostPassing: number;
  readonly #mostReasons: number;
  readonly #accounts = new Map<string, Account>();
  #tellsAtExit = false;

  constructor({ clock, ...limits }: LogLimitOptions) {
    this.#clock = clock;
    this.#periodMilliseconds = limits.periodMilliseconds ?? usualPeriodMilliseconds;
    this.#mostPassing = limits.mostPassing ?? usualMostPassing;
    this.#mostReasons = limits.mostReasons ?? usualMostReasons;
  }

  /** Whether a line of this level and reason passes. `tell` is called at the end of the period when lines were left out. */
  passes(level: string, reason: string, tell: Account['tell']): boolean {
    const whole = `${level}\n${reason}`;
    const hasRoom = this.#accounts.has(whole) || this.#accounts.size < this.#mostReasons;
    const own = hasRoom ? whole : `${level}\n${otherReasons}`;
    const account = this.#accounts.get(own);
    if (account === undefined) {
      this.#begin(own, tell);
      return true;
    }
    account.tell = tell;
    if (account.passed < this.#mostPassing) {
      account.passed++;
      return true;
    }
    account.leftOut++;
    this.#tellAtExit();
    return false;
  }

  #begin(reason: string, tell: Account['tell']): void {
    const account: Account = { passed: 1, leftOut: 0, tell };
    this.#accounts.set(reason, account);
    const timer = this.#clock.after(this.#periodMilliseconds, () => {
      this.#accounts.delete(reason);
      end(account);
    });
    timer.release();
  }

  #tellAtExit(): void {
    if (this.#tellsAtExit) return;
    this.#tellsAtExit = true;
    process.once('exit', () => this.#accounts.forEach(end));
  }
}

function end(account: Account): void {
  const { leftOut, tell } = account;
  account.leftOut = 0;
  if (leftOut > 0) tell(leftOut);
}
