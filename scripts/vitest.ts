// SPDX-License-Identifier: Apache-2.0
// Runs the TypeScript tests with vitest, counts them, and prints which were not run and why. vitest.config.ts makes vitest
// write the two files that are read here.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Failure, heading, projectRoot, run } from '../tools/command.ts';
import type { Count } from '../tools/results.ts';

export interface VitestRun {
  /** The Node binary to run on. */
  node?: string;
  /** Options for vitest, and the tests to run; all tests unless given. */
  args?: readonly string[];
  env?: Record<string, string>;
  /** Only some tests were requested, so the others do not count as skipped. */
  isPartial?: boolean;
}

/** The output of vitest's JSON reporter; only the fields that are read here. */
interface Totals {
  numPassedTests: number;
  numFailedTests: number;
  testResults: readonly TestFile[];
}

interface TestFile {
  name: string;
  status: string;
  /** Why the file could not be loaded. */
  message?: string;
  assertionResults: readonly { fullName: string; status: string; failureMessages?: readonly string[] }[];
}

/** A test that was not run. `reason` is null when the test was skipped without a reason. */
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
  const failures = totals.testResults.flatMap(failuresIn);
  return { passed: totals.numPassedTests, failed, skipped: notRun.length - unexplained, failures };
}

function failuresIn({ name, status, message, assertionResults }: TestFile): string[] {
  const file = relative(projectRoot, name);
  const failed = assertionResults.filter(test => test.status === 'failed');
  if (failed.length === 0 && status === 'failed') return [`${file}: ${firstLine(message)}`];
  return failed.map(({ fullName, failureMessages }) => `${file}: ${fullName}: ${firstLine(failureMessages?.[0])}`);
}

function firstLine(text = ''): string {
  return text.trimStart().split('\n', 1)[0] ?? '';
}

function readReport<Content>(file: string): Content {
  const path = join(projectRoot, file);
  if (!existsSync(path)) throw new Failure(`vitest ended without writing ${file}: see its output above`);
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
