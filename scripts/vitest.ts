// SPDX-License-Identifier: Apache-2.0
// The TypeScript tests: one run of vitest, what it counted, and what it did not run and why. vitest.config.ts names the
// two files that are read here.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, heading, projectRoot, run } from '../tools/command.ts';
import type { Count } from '../tools/results.ts';

export interface VitestRun {
  /** The Node binary to run on. */
  node?: string;
  /** Options for vitest, and the tests to run; all without any. */
  args?: readonly string[];
  env?: Record<string, string>;
  /** Only some tests were asked for: the others are not skipped, just not asked for. */
  isPartial?: boolean;
}

/** Of vitest's JSON reporter. */
interface Totals {
  numPassedTests: number;
  numFailedTests: number;
}

/** A test that was collected and not run; a reason of null is a test that somebody skipped without saying why. */
interface NotRun {
  file: string;
  name: string;
  reason: string | null;
}

const totalsFile = 'out/vitest.json';
const notRunFile = 'out/not-run.json';

export function vitest(options: VitestRun = {}): Count {
  for (const file of [totalsFile, notRunFile]) rmSync(join(projectRoot, file), { force: true });
  const args = [join(projectRoot, 'node_modules/vitest/vitest.mjs'), 'run', ...(options.args ?? [])];
  const status = run(options.node ?? process.execPath, args, { ...(options.env && { env: options.env }) });
  const totals: Totals = readReport(totalsFile);
  const notRun: NotRun[] = options.isPartial ? [] : readReport(notRunFile);
  report(notRun);
  const unexplained = notRun.filter(test => test.reason === null).length;
  // A file that cannot be loaded, or an error outside of every test, fails the run without failing a test.
  const failed = totals.numFailedTests + unexplained || (status === 0 ? 0 : 1);
  return { passed: totals.numPassedTests, failed, skipped: notRun.length - unexplained };
}

function readReport<Content>(file: string): Content {
  const path = join(projectRoot, file);
  if (!existsSync(path)) throw new Failure(`vitest ended without writing ${file}: its own words are above`);
  return JSON.parse(readFileSync(path, 'utf8'));
}

function report(notRun: readonly NotRun[]): void {
  if (notRun.length === 0) return;
  heading('not run');
  const reasons = new Set(notRun.map(test => test.reason));
  for (const reason of reasons) {
    console.log(reason ?? 'skipped without a reason, which counts as failed');
    for (const test of notRun.filter(other => other.reason === reason)) console.log(`  ${test.file}  ${test.name}`);
  }
}
