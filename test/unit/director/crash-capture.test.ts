// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../src/core/clock.ts';
import { writeCrashCapture } from '../../../src/director/crash-capture.ts';

describe('captures of crashes', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-crashes-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const frame = { worker: 0, port: 0, age: 0n, length: 60, bytes: Buffer.alloc(60) };
  const write = (clock: VirtualClock): string => basename(writeCrashCapture(folder, [frame], ['eth0'], clock));

  it('can be read by their owner alone', () => {
    const file = write(new VirtualClock(1_700_000_000_000));
    expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
  });

  it('give way to newer ones, and nothing else in the folder does', async () => {
    writeFileSync(join(folder, 'crash-notes.txt'), '');
    const clock = new VirtualClock(1_700_000_000_000);
    const written: string[] = [];
    for (let crash = 0; crash < 20; crash++) {
      written.push(write(clock));
      await clock.advance(1000);
    }
    expect(readdirSync(folder).sort()).toEqual([...written.slice(-16), 'crash-notes.txt'].sort());
  });
});
