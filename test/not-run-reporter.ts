// SPDX-License-Identifier: Apache-2.0
// Writes out/not-run.json: every test that was collected and not run. A reason of null means that somebody skipped a
// test without saying why, which is never allowed.
import { mkdirSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { Reporter, TestModule } from 'vitest/node';

const marker = /\[not run: (?<reason>[^\]]+)\]/;

/** The name of a suite that is not run, for this reason. */
export function nameNotRun(name: string, reason: string): string {
  return `${name} [not run: ${reason}]`;
}

export interface NotRun {
  readonly file: string;
  readonly name: string;
  readonly reason: string | null;
}

export class NotRunReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const notRun: NotRun[] = [];
    for (const module of modules) {
      const file = relative(process.cwd(), module.moduleId);
      for (const test of module.children.allTests('skipped')) {
        notRun.push({ file, name: test.fullName, reason: marker.exec(test.fullName)?.groups?.reason ?? null });
      }
    }
    mkdirSync('out', { recursive: true });
    writeFileSync('out/not-run.json', `${JSON.stringify(notRun, null, 2)}\n`);
  }
}
