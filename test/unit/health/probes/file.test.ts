// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { systemClock } from '../../../../src/core/clock.ts';
import { createFileProbes } from '../../../../src/health/probes/file.ts';
import { resultOf, target } from '../checks.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-files-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'state');

const start = createFileProbes(systemClock);
const verdict = async (setsWeight: boolean, at = path) => {
  const { milliseconds, ...found } = await resultOf(start, { type: 'file', path: at, setsWeight }, target());
  return found;
};

it.each([
  ['0\n', false, { passed: true, detail: `${path} holds 0` }],
  ['1', false, { passed: false, detail: `${path} holds 1` }],
  ['-1', false, { passed: false, detail: `${path} holds -1` }],
  ['up', false, { passed: false, detail: `${path} holds no number: "up"` }],
  ['', false, { passed: false, detail: `${path} holds no number: ""` }],
  ['1e3', false, { passed: false, detail: `${path} holds no number: "1e3"` }],
  [' +20 \n', true, { passed: true, detail: `${path} holds 20`, weight: 20 }],
  ['0', true, { passed: true, detail: `${path} holds 0`, weight: 0 }],
  ['-1', true, { passed: false, detail: `${path} holds -1` }],
  [
    '2147483648',
    true,
    { passed: false, detail: `${path} holds 2147483648, which is above the highest weight, 2147483647` },
  ],
  ['0'.repeat(65), true, { passed: false, detail: `${path} is longer than 64 bytes` }],
])('%j, which sets the weight: %j', async (content, setsWeight, expected) => {
  writeFileSync(path, content);
  expect(await verdict(setsWeight)).toEqual(expected);
});

it.each([
  ['/nowhere', '/nowhere cannot be read: no such file or directory'],
  ['/tmp', '/tmp cannot be read: illegal operation on a directory'],
  ['/dev/zero', '/dev/zero is longer than 64 bytes'],
])('%s fails', async (at, detail) => {
  expect(await verdict(false, at)).toEqual({ passed: false, detail });
});

it('does not wait at a pipe that nobody writes to', async () => {
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  expect(await verdict(false, pipe)).toEqual({ passed: false, detail: `${pipe} holds no number: ""` });
});
