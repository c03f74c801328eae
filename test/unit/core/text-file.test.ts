// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { longestFile, readTextFile } from '../../../src/core/text-file.ts';

describe('a file that a person names', () => {
  let folder = '';
  const file = (name: string): string => join(folder, name);
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-text-'));
    spawnSync('mkfifo', [file('pipe')]);
    writeFileSync(file('text'), 'director: {} # é\n');
    writeFileSync(file('latin'), Buffer.from([0x61, 0xe9, 0x0a]));
    writeFileSync(file('long'), '');
    truncateSync(file('long'), longestFile + 1);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('is read as a whole', async () => {
    expect(await readTextFile(file('text'))).toBe('director: {} # é\n');
    expect(await readTextFile('/proc/self/status')).toContain('Name:');
  });

  it.each([
    ['a pipe that nobody writes to', () => file('pipe'), /no regular file/],
    ['a device without an end', () => '/dev/zero', /no regular file/],
    ['a folder', () => folder, /no regular file/],
    ['a file that is too long', () => file('long'), /too long/],
    ['text of another encoding', () => file('latin'), /not UTF-8/],
    ['a file that is not there', () => file('none'), /ENOENT, no such file/],
  ])('is refused with its name when it is %s', async (_, path, problem) => {
    await expect(readTextFile(path())).rejects.toMatchObject({
      place: { file: path() },
      message: expect.stringMatching(problem),
    });
  });
});
