// SPDX-License-Identifier: Apache-2.0
// `sluice top` on a terminal: asks, draws, and waits for keys or for the next time to ask. An answer that does not come
// holds up neither keys nor the end. What was measured last stays on the screen, with the reason why nothing newer does.
import type { ApiClient } from '../../core/api/client.ts';
import { sleep, systemClock } from '../../core/clock.ts';
import { SluiceError, UnavailableError } from '../../core/errors.ts';
import { given } from '../../core/given.ts';
import { directorConnections, directorTop } from '../../director/api.ts';
import type { Key } from './keys.ts';
import { type Connection, mostConnections } from './listing.ts';
import { type Measurement, ratesBetween } from './rates.ts';
import { afterKey, shownTable, startState, type Table, type TopState } from './state.ts';
import { Terminal } from './terminal.ts';
import { linesOf, pageRowsOf, type Shown, shownRows } from './view.ts';

/** A process that has not answered after this time is stopped, or the machine is too busy. */
const patienceMilliseconds = 5000;
/** Between the first two measurements, so that the first rates do not take a second. */
const firstMilliseconds = 250;

/** Returns when a key or a signal has asked for the end. Throws at once when no Sluice answers. */
export async function showOnTerminal(client: ApiClient): Promise<void> {
  const session = new TopSession(client);
  await session.begin();
  await session.run();
}

class TopSession {
  readonly #client: ApiClient;
  readonly #terminal: Terminal;
  readonly #ending = new AbortController();
  #waking = new AbortController();
  #state: TopState = startState;
  #shown: Shown = {};
  #before: Measurement | undefined;
  #measuredAt = 0;
  /** Whose connections #shown has. */
  #listed: string | undefined;

  constructor(client: ApiClient) {
    this.#client = client;
    this.#terminal = new Terminal(process.stdin, process.stdout, {
      keys: keys => this.#press(keys),
      redraw: () => this.#draw(),
      end: () => this.#end(),
    });
  }

  /** The first measurement, before the terminal changes. Only a director that is being started is waited for. */
  async begin(): Promise<void> {
    this.#measuredAt = milliseconds();
    try {
      this.#before = await this.#client.call(directorTop, {});
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      this.#shown = { failure: error.message };
    }
  }

  async run(): Promise<void> {
    this.#terminal.open();
    try {
      this.#draw();
      while (!this.#ending.signal.aborted) {
        await this.#wait();
        await this.#ask();
        if (!this.#ending.signal.aborted) this.#draw();
      }
    } finally {
      this.#terminal.close();
    }
  }

  #press(keys: readonly Key[]): void {
    for (const key of keys) {
      if (key === 'ctrl-z') this.#terminal.suspend();
      const rows = shownRows(this.#state, this.#shown);
      this.#state = afterKey(this.#state, key, rows, pageRowsOf(this.#terminal.screen, this.#shown));
      // The keys after it are for whatever comes next on this terminal.
      if (this.#state.hasEnded) {
        this.#end();
        return;
      }
      if (subjectOf(this.#state) !== this.#listed) this.#forgetConnections();
    }
    this.#draw();
    this.#waking.abort();
  }

  #end(): void {
    this.#ending.abort();
    this.#waking.abort();
  }

  #draw(): void {
    this.#terminal.draw(linesOf(this.#state, this.#shown, this.#terminal.screen));
  }

  get #dueIn(): number {
    const between = this.#shown.rates === undefined ? firstMilliseconds : this.#state.seconds * 1000;
    return this.#state.isPaused ? Number.POSITIVE_INFINITY : this.#measuredAt + between - milliseconds();
  }

  /** Until the next measurement is due, or a key was pressed. */
  async #wait(): Promise<void> {
    const { signal } = this.#waking;
    await sleep(systemClock, Math.max(0, Math.min(this.#dueIn, 60_000)), signal).catch(() => undefined);
    this.#waking = new AbortController();
  }

  async #ask(): Promise<void> {
    const signal = AbortSignal.any([this.#ending.signal, AbortSignal.timeout(patienceMilliseconds)]);
    try {
      const isDue = this.#dueIn <= 0;
      if (isDue) await this.#measure(signal);
      if (isDue || this.#listed !== subjectOf(this.#state)) await this.#list(signal);
    } catch (error) {
      if (!(error instanceof SluiceError) && !signal.aborted) throw error;
      const failure = error instanceof SluiceError ? error.message : `no answer in ${patienceMilliseconds / 1000} s`;
      this.#shown = { ...this.#shown, failure };
    }
  }

  async #measure(signal: AbortSignal): Promise<void> {
    this.#measuredAt = milliseconds();
    const now = await this.#client.call(directorTop, {}, { signal });
    const rates = this.#before === undefined ? undefined : ratesBetween(this.#before, now);
    this.#before = now;
    const { connections } = this.#shown;
    this.#shown = given({ rates, connections });
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { kind, service, server } = shownTable(this.#state);
    const subject = subjectOf(this.#state);
    this.#listed = subject;
    if (kind !== 'connections') return;
    const connections: Connection[] = [];
    for await (const row of this.#client.stream(directorConnections, given({ service, server }), { signal })) {
      connections.push(row);
      if (connections.length === mostConnections) break;
    }
    // A key may have chosen another table meanwhile.
    if (subject === subjectOf(this.#state)) this.#shown = { ...this.#shown, connections };
  }

  #forgetConnections(): void {
    const { rates, failure } = this.#shown;
    this.#listed = undefined;
    this.#shown = given({ rates, failure });
  }
}

/** A name of what the table that is shown lists. */
function subjectOf(state: TopState): string {
  const { kind, service, server }: Table = shownTable(state);
  return [kind, service, server].join(' > ');
}

/** Of a clock that never jumps. */
function milliseconds(): number {
  return Number(systemClock.monotonic() / 1_000_000n);
}
