// SPDX-License-Identifier: Apache-2.0
// Suites that need more than an ordinary machine or user has. Without it they are reported as not run, with the reason in
// their name. test/not-run-reporter.ts lists them in out/not-run.json. `npm test` accepts such tests for an ordinary user,
// and fails for root.
import { describe } from 'vitest';
import { nameNotRun } from './not-run-reporter.ts';

/** Like `describe`, for tests that change network namespaces, open raw sockets and the like. */
export function describeAsRoot(name: string, define: () => void): void {
  describeIf(process.getuid?.() === 0, 'needs root', name, define);
}

/** Like `describe` when the condition holds; otherwise the suite is not run, for this reason. */
export function describeIf(condition: boolean, reason: string, name: string, define: () => void): void {
  if (condition) describe(name, define);
  else describe.skip(nameNotRun(name, reason), define);
}
