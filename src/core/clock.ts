// SPDX-License-Identifier: Apache-2.0
// The clock of the control plane. Code never reads the machine's time itself: it gets a Clock, so that a test can pass
// in a clock that stands still.

/** A timer that has been set. */
export interface Timer {
  /** The callback does not run after a call of this. */
  cancel(): void;
  /** The process may end before the callback has run. */
  release(): void;
}

/** The source of time for a component. */
export interface Clock {
  /** Wall time in milliseconds since 1970, for time stamps. Wall time may jump. */
  now(): number;
  /** Nanoseconds since an arbitrary moment, for durations. This time never runs backwards. */
  monotonic(): bigint;
  /** Runs the callback once, after this many milliseconds. */
  after(milliseconds: number, callback: () => void): Timer;
}

// Node's setTimeout takes at most 31 bits of milliseconds (24 days) and fires at once for more. Timeouts of IPVS reach
// 31 days, so a long wait is made of several timers.
const longestTimeout = 2 ** 31 - 1;

/** The machine's clock. A pending timer keeps the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => process.hrtime.bigint(),
  after(milliseconds, callback) {
    let timeout: NodeJS.Timeout;
    let isReleased = false;
    const set = (remaining: number): void => {
      const step = Math.min(remaining, longestTimeout);
      timeout = setTimeout(() => (remaining > step ? set(remaining - step) : callback()), step);
      if (isReleased) timeout.unref();
    };
    set(milliseconds);
    const release = (): void => {
      isReleased = true;
      timeout.unref();
    };
    return { cancel: () => clearTimeout(timeout), release };
  },
};

/**
 * Resolves after this many milliseconds of the clock. Rejects with the reason of the signal when the signal is aborted
 * earlier.
 */
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
 * A clock for tests and simulations. It stands still until `advance` moves it. Timers run in the order of their times;
 * timers of the same time run in the order in which they were set. While a timer runs, the clock shows the time of that
 * timer.
 */
export class VirtualClock implements Clock {
  readonly #start: number;
  #elapsed = 0;
  // In the order in which they were set. A simulation has tens of timers, so a search for the earliest one is fast
  // enough.
  readonly #timers = new Set<VirtualTimer>();

  /** `start` is the wall time at the beginning, in milliseconds since 1970. */
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
    return { cancel: () => this.#timers.delete(timer), release: () => undefined };
  }

  /** The number of timers that are set. A test can check that a component has left none behind. */
  get pending(): number {
    return this.#timers.size;
  }

  /**
   * Moves the clock forward and runs all timers that become due, including timers that other timers set meanwhile.
   * Before each timer, and before the returned promise resolves, all promises that can settle do settle. So code after
   * an `await` sets its timers in time.
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

// Promise callbacks run before the event loop enters its next phase, and setImmediate runs in that phase.
function settle(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
