// SPDX-License-Identifier: Apache-2.0
// The latest events, a bounded number of them. Their numbers grow by one: who knows the number of the last event that it
// has seen knows how many it has missed.
import { Awaited } from '../awaited.ts';

export class EventRing<Event extends { readonly number: number }> {
  readonly #most: number;
  #events: Event[];
  #last: number;
  readonly #awaited = new Awaited();

  /** Goes on after the events of an earlier ring, in the order of their numbers. */
  constructor(most: number, events: readonly Event[] = []) {
    this.#most = most;
    this.#events = events.slice(-most);
    this.#last = events.at(-1)?.number ?? 0;
  }

  /** The oldest comes first. */
  get events(): readonly Event[] {
    return this.#events;
  }

  /** The number of the latest event; 0 before the first. */
  get last(): number {
    return this.#last;
  }

  /** `make` is given the number of the event. */
  add(make: (number: number) => Event): Event {
    const event = make(this.#last + 1);
    this.#last = event.number;
    this.#events.push(event);
    // Half as many again are kept before the oldest go: so adding costs the same, however many are kept.
    if (this.#events.length > this.#most * 1.5) this.#events = this.#events.slice(-this.#most);
    this.#awaited.changed();
    return event;
  }

  /** The events after this number, and how many of those after it are not kept any more. */
  after(number: number): { readonly events: readonly Event[]; readonly missed: number } {
    const events = this.#events.filter(event => event.number > number);
    const expected = Math.max(0, this.#last - number);
    return { events, missed: expected - events.length };
  }

  /** Resolves when there is an event after this number, or the signal is aborted. */
  added(number: number, signal: AbortSignal): Promise<void> {
    return this.#awaited.until(() => this.#last > number, signal);
  }
}
