// SPDX-License-Identifier: Apache-2.0
// The events of a plane in its process, until control has fetched them.
import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { Tell, ToldEvent } from './event.ts';
import { EventRing } from './ring.ts';

/** A thousand servers that go down at once are not lost while control is replaced. */
const mostKept = 4000;

export class ToldEvents {
  /** Names this process: numbers begin at 1 in each. */
  readonly instance = randomUUID();
  readonly ring = new EventRing<ToldEvent>(mostKept);
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  readonly tell: Tell = facts => {
    this.ring.add(number => ({ number, at: new Date(this.#clock.now()).toISOString(), ...facts }));
  };
}
