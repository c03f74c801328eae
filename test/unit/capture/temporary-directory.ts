// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** A function that gives paths in a directory of this test file's own, which goes when its tests are over. */
export function temporaryDirectory(): (name: string, contents?: Uint8Array) => string {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-capture-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  return (name, contents) => {
    const path = join(directory, name);
    if (contents !== undefined) writeFileSync(path, contents);
    return path;
  };
}
