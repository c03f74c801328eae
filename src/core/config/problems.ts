// SPDX-License-Identifier: Apache-2.0
// Collects all mistakes in a configuration, so that a person sees all of them at once.
import { ConfigError, type ErrorDetails, type Place } from '../errors.ts';
import { byText } from './canonical.ts';

/** Several errors in one configuration. `errors` has them in the order of their places. */
export class ConfigErrors extends ConfigError {
  readonly errors: readonly ConfigError[];
  /** The number of errors that `errors` leaves out. */
  readonly omitted: number;

  constructor(first: ConfigError, errors: readonly ConfigError[], omitted: number) {
    super(first.code as ConfigErrorCode, first.problem, { ...first });
    this.errors = errors;
    this.omitted = omitted;
    const lines = errors.map(error => error.message);
    if (omitted > 0) lines.push(`… and ${omitted} more`);
    this.message = lines.join('\n');
  }

  override toJSON(): ReturnType<ConfigError['toJSON']> {
    return { ...super.toJSON(), errors: this.errors.map(error => error.toJSON()), omitted: this.omitted };
  }
}

export type ConfigErrorCode = 'SLUICE_CONFIG_SYNTAX' | 'SLUICE_CONFIG_INVALID' | 'SLUICE_CONFIG_CONFLICT';

// A person reads fewer errors than this at once. One wrong indentation can cause an error for every line of a file.
const mostErrors = 50;

// After so many mistakes nobody looks for more: a file of another kind has one in every line.
const mostCollected = 1000;

/**
 * A list of mistakes. A reader reports mistakes, goes on reading as far as possible, and calls `throwIfAny` at the end.
 */
export class Problems {
  readonly #errors: ConfigError[] = [];

  get count(): number {
    return this.#errors.length;
  }

  /** Whoever reads may stop: there are more mistakes than a person wants to know. */
  get isFull(): boolean {
    return this.#errors.length >= mostCollected;
  }

  report(code: ConfigErrorCode, problem: string, details: ErrorDetails): void {
    if (!this.isFull) this.#errors.push(new ConfigError(code, problem, details));
  }

  add(error: ConfigError): void {
    if (!this.isFull) this.#errors.push(error);
  }

  /** The errors in the order of their places. Errors without a place come first. */
  list(): ConfigError[] {
    return this.#errors.toSorted((a, b) => comparePlaces(a.place, b.place));
  }

  throwIfAny(): void {
    if (this.count > 0) this.throwAll();
  }

  throwAll(): never {
    const sorted = this.list();
    const [first] = sorted;
    if (first === undefined) throw new TypeError('there is no problem to throw');
    if (sorted.length === 1) throw first;
    throw new ConfigErrors(first, sorted.slice(0, mostErrors), Math.max(0, sorted.length - mostErrors));
  }
}

function comparePlaces(a: Place | undefined, b: Place | undefined): number {
  return byText(a?.file ?? '', b?.file ?? '') || (a?.line ?? 0) - (b?.line ?? 0) || (a?.column ?? 0) - (b?.column ?? 0);
}
