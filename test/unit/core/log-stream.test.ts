// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LogStream } from '../../../src/core/log-stream.ts';

describe('a log', () => {
  it('on a full disk loses lines, and nothing else happens', () => {
    const full = openSync('/dev/full', 'w');
    const log = new LogStream(full);
    log.onRoom = () => expect.unreachable('there is no room');
    for (let line = 0; line < 10; line++) log.write('a line\n');
    closeSync(full);
  });

  it('whose reader stands still keeps lines, loses the rest, and says how many when the reader goes on', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-log-'));
    const path = join(folder, 'pipe');
    await new Promise(resolve => spawn('mkfifo', [path]).once('exit', resolve));
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const log = new LogStream(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK));
    const lost: number[] = [];
    log.onRoom = lines => lost.push(lines);
    const line = `${'x'.repeat(1023)}\n`;
    const written = 3000;
    for (let number = 0; number < written; number++) log.write(line);
    const buffer = Buffer.alloc(65_536);
    let received = '';
    await expect
      .poll(
        () => {
          try {
            for (let bytes = 1; bytes > 0; ) {
              bytes = readSync(reader, buffer);
              received += buffer.toString('utf8', 0, bytes);
            }
          } catch {
            // The pipe is empty for now.
          }
          return lost.length;
        },
        { timeout: 20_000 },
      )
      .toBe(1);
    const lines = received.split('\n').slice(0, -1);
    expect(lines.every(each => each === line.slice(0, -1))).toBe(true);
    expect(lines.length + (lost[0] ?? 0)).toBe(written);
    closeSync(reader);
    rmSync(folder, { recursive: true });
  });
});
