// SPDX-License-Identifier: Apache-2.0
// Writes a list of every test that was collected and not run, out/not-run.json in the project's own runs. A reason of
// null means that a test was skipped without a reason, which is never allowed.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
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
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const notRun: NotRun[] = [];
    for (const module of modules) {
      const file = relative(process.cwd(), module.moduleId);
      for (const test of module.children.allTests('skipped')) {
        notRun.push({ file, name: test.fullName, reason: marker.exec(test.fullName)?.groups?.reason ?? null });
      }
    }
    mkdirSync(dirname(this.#path), { recursive: true });
    writeFileSync(this.#path, `${JSON.stringify(notRun, null, 2)}\n`);
  }
}
