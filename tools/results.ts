// SPDX-License-Identifier: Apache-2.0
// The number of passed and failed tests, and which failed. Each run writes a file in out/results/, so that CI can add up its
// runs and name their failures at its end.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, isRoot, projectRoot } from './command.ts';

export interface Count {
  passed: number;
  failed: number;
  skipped: number;
  /** A line for each failed test that is known by name. */
  failures?: readonly string[];
}

/** Relative to the project's root. */
export const resultsFolder = 'out/results';
const resultsPath = join(projectRoot, resultsFolder);

export const none: Count = { passed: 0, failed: 0, skipped: 0 };

export function sum(counts: readonly Count[]): Count {
  return counts.reduce((total, count) => {
    const failures = [...(total.failures ?? []), ...(count.failures ?? [])];
    return {
      passed: total.passed + count.passed,
      failed: total.failed + count.failed,
      skipped: total.skipped + count.skipped,
      ...(failures.length > 0 && { failures }),
    };
  }, none);
}

/** The last line of a run of tests, for people and for CI systems. */
export function closingLine(count: Count): string {
  const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
  return `${count.passed} passed, ${count.failed} failed${skipped}`;
}

/** Writes the count of a run for CI's total. */
export function record(name: string, count: Count): void {
  mkdirSync(resultsPath, { recursive: true });
  writeFileSync(join(resultsPath, `${name}.json`), `${JSON.stringify(count)}\n`);
}

/**
 * Ends a run of tests: writes and prints its count, and throws a Failure if a test failed. For root a skipped test is a
 * failure, too, as root can run every test.
 */
export function finish(name: string, count: Count): void {
  record(name, count);
  console.log(`\n${closingLine(count)}`);
  if (count.failed > 0) throw new Failure('Some tests failed: see above.');
  if (count.skipped > 0 && isRoot) throw new Failure('Root can run every test, yet some were not run: see above.');
}

export function recorded(): Map<string, Count> {
  const names = existsSync(resultsPath) ? readdirSync(resultsPath).filter(name => name.endsWith('.json')) : [];
  return new Map(
    names
      .sort()
      .map(name => [name.slice(0, -'.json'.length), JSON.parse(readFileSync(join(resultsPath, name), 'utf8'))]),
  );
}
