// SPDX-License-Identifier: Apache-2.0
// Counts what became of attempts to bring another snapshot into force.
import { actions, type Note } from './history/entry.ts';

export type Action = Note['action'];

const outcomes = ['applied', 'refused'] as const;
export type Outcome = (typeof outcomes)[number];

export interface OutcomeCount {
  readonly action: Action;
  readonly outcome: Outcome;
  readonly count: number;
}

export class ChangeOutcomes {
  readonly #counts = new Map<string, number>();
  #last: Outcome = 'applied';

  /** Of the last attempt; applied before the first. */
  get last(): Outcome {
    return this.#last;
  }

  /** Also those that have not happened yet: a start is none, without it there is no sluice. */
  get counts(): OutcomeCount[] {
    return actions
      .filter(action => action !== 'start')
      .flatMap(action =>
        outcomes.map(outcome => ({ action, outcome, count: this.#counts.get(`${action} ${outcome}`) ?? 0 })),
      );
  }

  /** Waits for the attempt, and counts it. */
  async of<T>(action: Action, attempt: Promise<T>): Promise<T> {
    try {
      const result = await attempt;
      this.#count(action, 'applied');
      return result;
    } catch (error) {
      this.#count(action, 'refused');
      throw error;
    }
  }

  #count(action: Action, outcome: Outcome): void {
    const key = `${action} ${outcome}`;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    this.#last = outcome;
  }
}
