// SPDX-License-Identifier: Apache-2.0
// The TypeScript tests: one run of vitest, what it counted, and what it did not run and why.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, projectRoot, run } from './command.ts';
import type { Count } from './results.ts';

export interface VitestRun {
  /** The Node binary to run on. */
  node?: string;
  args?: readonly string[];
  env?: Record<string, string>;
}

interface JsonReport {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  numFailedTestSuites: number;
  success: boolean;
}

const jsonReport = join(projectRoot, 'out/vitest.json');

export function vitest(options: VitestRun = {}): Count {
  mkdirSync(join(projectRoot, 'out'), { recursive: true });
  rmSync(jsonReport, { force: true });
  const program = join(projectRoot, 'node_modules/vitest/vitest.mjs');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${jsonReport}`];
  const args = [program, 'run', ...reporters, ...(options.args ?? [])];
  const status = run(options.node ?? process.execPath, args, { ...(options.env && { env: options.env }) });
  if (!existsSync(jsonReport)) throw new Failure('vitest ended without a report: its own words are above');
  return countOf(JSON.parse(readFileSync(jsonReport, 'utf8')), status);
}

/** A file that cannot be loaded, or an error outside of every test, fails the run without failing a test: it counts as one. */
function countOf(report: JsonReport, status: number): Count {
  const failed = status !== 0 && report.numFailedTests === 0 ? 1 : report.numFailedTests;
  return { passed: report.numPassedTests, failed, skipped: report.numPendingTests + report.numTodoTests };
}
