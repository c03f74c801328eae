// SPDX-License-Identifier: Apache-2.0
// The native unit tests and corpus replays: built with CMake into a folder of out/, run by ctest.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildAddon } from './build.ts';
import { Failure, mustRun, parallelJobs, projectRoot, run } from './command.ts';
import type { Count } from './results.ts';

export interface NativeBuild {
  /** Below out/. */
  folder: string;
  /** CMake's cache variables. */
  variables: Record<string, string>;
}

/** The tests of what ships. */
export const shipped: NativeBuild = { folder: 'release', variables: { CMAKE_BUILD_TYPE: 'Release' } };

/** Builds the named targets, or all. CMake configures once; later builds find out themselves when they must again. */
export function compile(build: NativeBuild, targets: readonly string[] = []): void {
  const folder = join('out', build.folder);
  // What CMake calls Release links what node-gyp has made.
  if (build.variables.CMAKE_BUILD_TYPE === 'Release') buildAddon();
  const isConfigured = ['build.ninja', 'Makefile'].some(name => existsSync(join(projectRoot, folder, name)));
  if (!isConfigured) {
    const variables = Object.entries(build.variables).map(([name, value]) => `-D${name}=${value}`);
    mustRun('cmake', ['-S', '.', '-B', folder, '-G', 'Ninja', ...variables], { quiet: true });
  }
  const only = targets.length > 0 ? ['--target', ...targets] : [];
  mustRun('cmake', ['--build', folder, `-j${parallelJobs}`, ...only]);
}

export interface TestRun {
  /** Regular expression of the tests to run; all without it. */
  only?: string;
  /** Also the long ones, NAME_deep_test.cc. */
  deep?: boolean;
  env?: Record<string, string>;
  /** A program, with its arguments, that starts ctest: to change how it and its tests run. */
  launcher?: readonly string[];
}

/** Runs the tests of a build. One ctest entry is one test file. */
export function ctest(folder: string, options: TestRun = {}): Count {
  const report = join(projectRoot, 'out', folder, 'ctest.xml');
  const only = options.only === undefined ? [] : ['-R', options.only];
  const long = options.deep ? [] : ['-LE', 'deep'];
  const words = [
    '--test-dir',
    join('out', folder),
    // Networks and timers are waited for.
    `-j${parallelJobs + 1}`,
    '--output-on-failure',
    '--output-junit',
    report,
  ];
  const [program = 'ctest', ...args] = [...(options.launcher ?? []), 'ctest', ...words, ...long, ...only];
  rmSync(report, { force: true });
  run(program, args, { ...(options.env && { env: options.env }) });
  if (!existsSync(report)) throw new Failure('ctest ended without a report: its own words are above');
  const junit = readFileSync(report, 'utf8');
  sayNotRun(junit);
  return countOf(junit);
}

/** A test that needs more than this machine or this user gives prints its reason, which ctest leaves in the report. */
function sayNotRun(junit: string): void {
  for (const test of junit.split('<testcase ').slice(1)) {
    const reason = /\[not run: (.*)\]/.exec(test)?.[1];
    if (reason !== undefined) console.log(`not run: ${/name="(\w+)"/.exec(test)?.[1]}: ${reason}`);
  }
}

/** The totals are attributes of the first element of a JUnit report. */
function countOf(junit: string): Count {
  const attribute = (name: string): number => {
    const value = junit.match(new RegExp(`<testsuite[^>]*?\\b${name}="(\\d+)"`))?.[1];
    if (value === undefined) throw new Failure(`ctest's report has no attribute ${name}`);
    return Number(value);
  };
  const failed = attribute('failures');
  const skipped = attribute('skipped') + attribute('disabled');
  return { passed: attribute('tests') - failed - skipped, failed, skipped };
}
