// SPDX-License-Identifier: Apache-2.0
// All that is wrong with a configuration, reported at once: a person corrects a file in one go, not error by error.
import { ConfigError, type ErrorDetails, type Place } from '../errors.ts';

/** Several errors in one configuration, in the order of their places. `errors` holds each of them. */
export class ConfigErrors extends ConfigError {
  readonly errors: readonly ConfigError[];
  /** How many more there were than `errors` holds. */
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

// More errors than a person reads at once; a wrong indentation can cause one for every line of a file.
const mostErrors = 50;

/** Collects what is wrong. Whoever reads goes on as far as makes sense and calls `throwIfAny` at the end. */
export class Problems {
  readonly #errors: ConfigError[] = [];

  get count(): number {
    return this.#errors.length;
  }

  report(code: ConfigErrorCode, problem: string, details: ErrorDetails): void {
    this.#errors.push(new ConfigError(code, problem, details));
  }

  add(error: ConfigError): void {
    this.#errors.push(error);
  }

  /** Sorted by place; those without a place come first. */
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
  return (a?.line ?? 0) - (b?.line ?? 0) || (a?.column ?? 0) - (b?.column ?? 0);
}
