// SPDX-License-Identifier: Apache-2.0
// Builds the native unit tests and corpus replays with CMake into a folder of out/, and runs them with ctest.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildAddon } from './build.ts';
import { Failure, mustRun, parallelJobs, projectRoot, run } from './command.ts';
import type { Count } from './results.ts';

export interface NativeBuild {
  /** The build's folder, below out/. */
  folder: string;
  /** CMake's cache variables. */
  variables: Record<string, string>;
}

/** The tests of the objects that ship. */
export const shipped: NativeBuild = { folder: 'release', variables: { CMAKE_BUILD_TYPE: 'Release' } };

/** Builds the named targets, or all. CMake is configured once; later builds configure again by themselves if necessary. */
export function compile(build: NativeBuild, targets: readonly string[] = []): void {
  const folder = join('out', build.folder);
  // CMake's build type Release links the objects that node-gyp has built.
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
  /** Regular expression of the tests to run; all tests unless given. */
  only?: string;
  /** Also run the long tests, NAME_deep_test.cc. */
  deep?: boolean;
  env?: Record<string, string>;
  /** A program with arguments that starts ctest, to change the environment of the tests. */
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
    // One more than there are CPUs, as some tests wait for networks and timers.
    `-j${parallelJobs + 1}`,
    '--output-on-failure',
    '--output-junit',
    report,
  ];
  const [program = 'ctest', ...args] = [...(options.launcher ?? []), 'ctest', ...words, ...long, ...only];
  rmSync(report, { force: true });
  run(program, args, { ...(options.env && { env: options.env }) });
  if (!existsSync(report)) throw new Failure('ctest ended without a report: see its output above');
  const junit = readFileSync(report, 'utf8');
  printNotRun(junit);
  return countOf(junit);
}

/** Prints the tests that could not run on this machine or by this user. The report has the reason that each of them printed. */
function printNotRun(junit: string): void {
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
  return { passed: attribute('tests') - failed - skipped, failed, skipped, failures: failedIn(junit) };
}

function failedIn(junit: string): string[] {
  return [...junit.matchAll(/<testcase name="(\w+)"[^>]* status="fail"/g)].map(([, name = '']) => name);
}
