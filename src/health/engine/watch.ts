// SPDX-License-Identifier: Apache-2.0
// One check of one destination: when the next probe begins, and how many results in a row change the state.
//
//   unknown ──first result──▶ up or down
//   up ──`fall` failures in a row──▶ down ──`rise` successes in a row──▶ up
//
// A destination that goes down often within a short time is flapping: each further fall doubles the successes that it
// needs to come back, up to eight times as many.
import type { Clock, Timer } from '../../core/clock.ts';
import type { Health } from '../../core/observed.ts';
import type { Check } from '../model.ts';
import type { Destination, ProbeResult, RunningProbe, StartProbe } from '../probe.ts';

/** A result and when it came, as wall time in milliseconds. */
export interface LastResult extends ProbeResult {
  readonly at: number;
}

export interface WatchOptions {
  readonly check: Check;
  readonly to: Destination;
  readonly clock: Clock;
  /** At least 0 and less than 1. */
  readonly random: () => number;
  readonly probe: StartProbe;
  /** Is called when the state or the weight that was found is another one. */
  readonly changed: (watch: Watch) => void;
}

const mostFlapFactor = 8;
/** Falls within this many intervals, or within a minute if that is longer, count as flapping. */
const flapIntervals = 30;
const leastFlapMilliseconds = 60_000;
/** Falls within that time that are no flapping yet. */
const calmFalls = 2;

/** What was counted since the check began. */
export interface WatchCounts {
  /** From up to down, or back. */
  readonly transitions: number;
  readonly passed: number;
  readonly failed: number;
  /** Probes that say nothing, because this host lacked something. */
  readonly undecided: number;
  /** That all these probes took. */
  readonly seconds: number;
}

export class Watch {
  readonly to: Destination;
  #check: Check;
  readonly #options: WatchOptions;
  #health: Health | undefined;
  #since: number | undefined;
  /** Results in a row that differ from the state. */
  #against = 0;
  /** Failures in a row. */
  #failures = 0;
  #last: LastResult | undefined;
  #weight: number | undefined;
  /** Wall times at which it went down, within the time that counts. */
  #falls: number[] = [];
  #timer: Timer | undefined;
  #running: RunningProbe | undefined;
  #dependencies: readonly Watch[] = [];
  #counts = { transitions: 0, passed: 0, failed: 0, undecided: 0, seconds: 0 };

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#check = options.check;
    this.to = options.to;
  }

  get check(): Check {
    return this.#check;
  }

  /** Undefined before the first result. */
  get health(): Health | undefined {
    return this.#health;
  }

  /** Wall time of the last change of the state, in milliseconds. */
  get since(): number | undefined {
    return this.#since;
  }

  get last(): LastResult | undefined {
    return this.#last;
  }

  /** The weight that the last success found. */
  get weight(): number | undefined {
    return this.#weight;
  }

  get counts(): WatchCounts {
    return this.#counts;
  }

  /** Results in a row that differ from the state, and how many of them change it. */
  get streak(): { readonly against: number; readonly needed: number } {
    return { against: this.#against, needed: this.#health === 'down' ? this.#rise() : this.#check.fall };
  }

  get isFlapping(): boolean {
    return this.#recentFalls().length > calmFalls;
  }

  /** The dependency that is not certainly up, for whose sake results change nothing now. */
  get heldBy(): Watch | undefined {
    return this.#dependencies.find(({ health, streak }) => health !== 'up' || streak.against > 0);
  }

  /** The first probes of many watches spread over an interval. */
  start(dependencies: readonly Watch[]): void {
    this.#dependencies = dependencies;
    this.#wait(this.#check.interval * 1000 * this.#options.random());
  }

  /** Goes on with another form of the check. The state stays until results say something else. */
  reconfigure(check: Check, dependencies: readonly Watch[]): void {
    this.#dependencies = dependencies;
    if (check === this.#check) return;
    this.#check = check;
    this.#against = 0;
    this.stop();
    this.#wait(Math.min(check.interval * 1000, 1000) * this.#options.random());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#running?.cancel();
    this.#timer = undefined;
    this.#running = undefined;
  }

  #wait(milliseconds: number): void {
    this.#timer = this.#options.clock.after(milliseconds, () => this.#probe());
  }

  #probe(): void {
    const began = this.#options.clock.monotonic();
    this.#running = this.#options.probe(this.#check, this.to, result => {
      this.#running = undefined;
      const took = Number(this.#options.clock.monotonic() - began) / 1e6;
      const changed = this.#take(result);
      this.#wait(Math.max(0, this.#interval() - took));
      if (changed) this.#options.changed(this);
    });
  }

  /** Whether the state or the weight is another one now. */
  #take(result: ProbeResult): boolean {
    const now = this.#options.clock.now();
    this.#last = { ...result, at: now };
    this.#counts.seconds += result.milliseconds / 1000;
    this.#counts[result.isOpen ? 'undecided' : result.passed ? 'passed' : 'failed']++;
    if (result.isOpen) return false;
    if (this.heldBy !== undefined) {
      this.#against = 0;
      return false;
    }
    this.#failures = result.passed ? 0 : this.#failures + 1;
    const found: Health = result.passed ? 'up' : 'down';
    const hasOtherWeight = result.passed && result.weight !== this.#weight;
    if (result.passed) this.#weight = result.weight;
    if (found === this.#health) {
      this.#against = 0;
      return hasOtherWeight;
    }
    this.#against++;
    const needed = this.#health === undefined ? 1 : found === 'up' ? this.#rise() : this.#check.fall;
    if (this.#against < needed) return false;
    if (this.#health !== undefined) this.#counts.transitions++;
    if (this.#health === 'up') this.#falls = [...this.#recentFalls(), now];
    this.#health = found;
    this.#since = now;
    this.#against = 0;
    return true;
  }

  /** Successes in a row that a destination needs to come back. */
  #rise(): number {
    const beyond = Math.max(0, this.#recentFalls().length - calmFalls);
    return this.#check.rise * Math.min(mostFlapFactor, 2 ** beyond);
  }

  #recentFalls(): number[] {
    const window = Math.max(leastFlapMilliseconds, this.#check.interval * 1000 * flapIntervals);
    const from = this.#options.clock.now() - window;
    return this.#falls.filter(at => at > from);
  }

  /** Milliseconds from the beginning of the last probe to that of the next. */
  #interval(): number {
    const { interval, retryInterval, downInterval, fall, jitter } = this.#check;
    const seconds =
      this.#against > 0
        ? retryInterval
        : this.#health === 'down' && downInterval > interval
          ? Math.min(downInterval, interval * 2 ** Math.min(30, Math.max(0, this.#failures - fall)))
          : interval;
    return seconds * 1000 * (1 + ((2 * this.#options.random() - 1) * jitter) / 100);
  }
}
