// SPDX-License-Identifier: Apache-2.0
// Time as the control plane sees it: always through a Clock that was passed in, so that a test can hold it still.

/** A timer that has been set. */
export interface Timer {
  /** After this the callback does not run any more. */
  cancel(): void;
}

/** Where a component takes its time from. */
export interface Clock {
  /** Wall time in milliseconds since 1970: for stamps. It may jump. */
  now(): number;
  /** Nanoseconds since some moment: for durations. It never goes back. */
  monotonic(): bigint;
  /** Runs the callback once, after this many milliseconds. */
  after(milliseconds: number, callback: () => void): Timer;
}

// Node's setTimeout takes 31 bits and runs at once when given more; timeouts of IPVS reach 31 days.
const longestTimeout = 2 ** 31 - 1;

/** The machine's clock. A pending timer keeps the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => process.hrtime.bigint(),
  after(milliseconds, callback) {
    let timeout: NodeJS.Timeout;
    const set = (remaining: number): void => {
      const step = Math.min(remaining, longestTimeout);
      timeout = setTimeout(() => (remaining > step ? set(remaining - step) : callback()), step);
    };
    set(milliseconds);
    return { cancel: () => clearTimeout(timeout) };
  },
};

/** Resolves after this many milliseconds of the clock; rejects with the signal's reason when it is aborted before. */
export function sleep(clock: Clock, milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const giveUp = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.after(milliseconds, () => {
      signal?.removeEventListener('abort', giveUp);
      resolve();
    });
    signal?.addEventListener('abort', giveUp, { once: true });
  });
}

interface VirtualTimer {
  readonly due: number;
  readonly callback: () => void;
}

/**
 * A clock for tests and simulations that stands still until `advance` moves it. Timers run in the order of their times,
 * those of the same time in the order in which they were set, and each sees the clock at its own time.
 */
export class VirtualClock implements Clock {
  readonly #start: number;
  #elapsed = 0;
  // In order of setting. Simulations hold tens of timers, not thousands: a search for the earliest is quick enough.
  readonly #timers = new Set<VirtualTimer>();

  /** Starts at this wall time, in milliseconds since 1970. */
  constructor(start = 0) {
    this.#start = start;
  }

  now(): number {
    return this.#start + this.#elapsed;
  }

  monotonic(): bigint {
    return BigInt(Math.round(this.#elapsed * 1e6));
  }

  after(milliseconds: number, callback: () => void): Timer {
    const timer = { due: this.#elapsed + Math.max(0, milliseconds), callback };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  /** How many timers are set: a test's way to see that a component left none behind. */
  get pending(): number {
    return this.#timers.size;
  }

  /**
   * Moves the clock on and runs what becomes due on the way, also what is set on the way. Before each timer, and before
   * it resolves, whatever promises wait for is let run, so that code after an `await` sets its timers in time.
   */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#elapsed + milliseconds;
    await settle();
    for (let timer = this.#earliest(end); timer !== undefined; timer = this.#earliest(end)) {
      this.#timers.delete(timer);
      this.#elapsed = timer.due;
      timer.callback();
      await settle();
    }
    this.#elapsed = end;
  }

  #earliest(end: number): VirtualTimer | undefined {
    let earliest: VirtualTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.due <= end && (earliest === undefined || timer.due < earliest.due)) earliest = timer;
    }
    return earliest;
  }
}

// All promises that can go on have gone on when the event loop comes round to its next phase.
function settle(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
