// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeAsRoot } from '../privileges.ts';
import { runProgram } from './run-program.ts';

it('what an ordinary user cannot run is listed with the reason, and what was skipped without one too', {
  timeout: 90_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-not-run-'));
  try {
    const list = join(folder, 'not-run.json');
    expect(await runProgram('run-skipping', { arguments: [list] })).toMatchObject({ status: 0, signal: null });
    const file = 'test/process/programs/skipping.ts';
    const root = { file, reason: 'needs root' };
    expect(JSON.parse(readFileSync(list, 'utf8'))).toEqual([
      { ...root, name: 'network namespaces [not run: needs root] > are made' },
      { ...root, name: 'network namespaces [not run: needs root] > are removed' },
      { file, reason: 'needs Linux 6.9', name: 'a new system call [not run: needs Linux 6.9] > is used' },
      { file, reason: null, name: 'forgotten > is not seen' },
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

describeAsRoot('a suite for root', () => {
  it('runs as root', () => {
    expect(process.getuid?.()).toBe(0);
  });
});
