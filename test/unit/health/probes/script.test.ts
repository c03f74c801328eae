// SPDX-License-Identifier: Apache-2.0
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../../../src/core/clock.ts';
import { createScriptProbes } from '../../../../src/health/probes/script.ts';
import { checkOf, resultOf, scriptProbe, target } from '../checks.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-scripts-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const inFolder = (name: string): string => join(folder, name);

const start = createScriptProbes(systemClock);
const sh = (text: string) => ['/bin/sh', '-c', text];
const verdict = async (command: readonly string[], settings = {}, timeout = 30) => {
  const { milliseconds, ...found } = await resultOf(start, scriptProbe(command, settings), target(80), { timeout });
  return found;
};
const isGone = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
};
/** The numbers that a script wrote into a file, once they are there. */
const pidsIn = (name: string, count: number): Promise<number[]> =>
  vi.waitFor(
    () => {
      const pids = readFileSync(inFolder(name), 'utf8').trim().split('\n').map(Number);
      expect(pids).toHaveLength(count);
      return pids;
    },
    { timeout: 30_000 },
  );
const allGone = (pids: number[]) => vi.waitFor(() => expect(pids.every(isGone)).toBe(true), { timeout: 30_000 });

describe('an exit status', () => {
  it.each([
    ['exit 0', false, { passed: true, detail: 'exit status 0' }],
    ['echo all is well', false, { passed: true, detail: 'exit status 0: all is well' }],
    ['echo broken >&2; exit 1', false, { passed: false, detail: 'exit status 1: broken' }],
    ['exit 7', false, { passed: false, detail: 'exit status 7' }],
    ['exit 0', true, { passed: true, detail: 'exit status 0' }],
    ['exit 1', true, { passed: false, detail: 'exit status 1' }],
    ['exit 2', true, { passed: true, detail: 'exit status 2', weight: 0 }],
    ['exit 255', true, { passed: true, detail: 'exit status 255', weight: 253 }],
    ['kill -9 $$', true, { passed: false, detail: 'ended by SIGKILL' }],
  ])('of %j, which sets the weight: %j', async (text, setsWeight, expected) => {
    expect(await verdict(sh(text), { setsWeight })).toEqual(expected);
  });
});

it('gives no more environment than the check has, PATH, and what is tried', async () => {
  const names = await verdict(sh('/usr/bin/env | /usr/bin/cut -d= -f1 | /usr/bin/sort | /usr/bin/tr "\\n" " "'), {
    environment: [['DEPTH', '2']],
  });
  // The shell adds PWD, and SHLVL and _ if it is bash.
  expect(
    names.detail.split(' ').filter(name => /^[A-Z]+/.test(name) && !['PWD', 'SHLVL', 'OLDPWD'].includes(name)),
  ).toEqual(['DEPTH', 'PATH', 'SLUICE_ADDRESS', 'SLUICE_CHECK', 'SLUICE_PORT']);
  expect((await verdict(sh('echo $SLUICE_ADDRESS $SLUICE_PORT $SLUICE_CHECK'))).detail).toBe(
    'exit status 0: 127.0.0.1 80 alive',
  );
});

it('passes words without a shell', async () => {
  expect((await verdict(['/bin/echo', '$HOME', '; exit 1'])).detail).toBe('exit status 0: $HOME ; exit 1');
});

it('reads output without end, and keeps its beginning', async () => {
  const found = await verdict(sh('/usr/bin/head -c 100000000 /dev/zero | /usr/bin/tr "\\0" a'));
  expect(found).toEqual({ passed: true, detail: `exit status 0: ${'a'.repeat(100)}…` });
});

it('does not wait for a process that a script leaves with its output', async () => {
  const found = await verdict(sh(`/bin/sleep 1000 & echo $! > ${inFolder('left')}; echo done`));
  expect(found).toEqual({ passed: true, detail: 'exit status 0: done' });
  process.kill(Number(readFileSync(inFolder('left'), 'utf8')));
});

describe('a program that cannot be run', () => {
  it.each([
    ['that does not exist', '/nowhere/at-all', 'no such file or directory'],
    ['that is a folder', '/tmp', 'permission denied'],
    ['with a NUL in its name', '/bin/\0', ''],
  ])('%s fails', async (_, program, words) => {
    const found = await verdict([program]);
    expect(found.passed).toBe(false);
    expect(found.detail).toContain(`${program} cannot be run: ${words}`);
  });

  it('as it is not executable fails', async () => {
    writeFileSync(inFolder('plain'), '#!/bin/sh\n');
    chmodSync(inFolder('plain'), 0o644);
    expect((await verdict([inFolder('plain')])).detail).toBe(`${inFolder('plain')} cannot be run: permission denied`);
  });
});

describe('the whole group of a script ends', () => {
  const stubborn = (name: string) =>
    sh(
      `trap "" TERM; echo $$ > ${inFolder(name)}; /bin/sh -c 'trap "" TERM; echo $$ >> ${inFolder(name)}; while :; do /bin/sleep 0.1; done'`,
    );

  it('when its time has passed, also against its will', async () => {
    const result = verdict(stubborn('late'), {}, 3);
    const pids = await pidsIn('late', 2);
    expect(await result).toEqual({ passed: false, detail: 'no exit within 3 s' });
    await allGone(pids);
  });

  it('when it is cancelled, without a result', async () => {
    let results = 0;
    const probe = start(checkOf(scriptProbe(stubborn('cancelled'))), target(), () => results++);
    const pids = await pidsIn('cancelled', 2);
    probe.cancel();
    await allGone(pids);
    expect(results).toBe(0);
  });
});

it('runs 32 at once; the others wait for their turn, within their time', async () => {
  const hold = inFolder('hold');
  const waiting = sh(`echo $$ >> ${inFolder('many')}; while [ ! -e ${hold} ]; do /bin/sleep 0.2; done`);
  const first = Array.from({ length: 32 }, () => verdict(waiting));
  await pidsIn('many', 32);
  expect(await verdict(sh('exit 0'), {}, 0.1)).toEqual({
    passed: false,
    detail: 'not tried, as 32 other scripts were running: no turn within 0.1 s',
    isOpen: true,
  });
  const next = verdict(sh(`test -e ${hold}`));
  const given = start(checkOf(scriptProbe(sh(`touch ${inFolder('never')}`))), target(), () => {});
  given.cancel();
  writeFileSync(hold, '');
  expect(await next).toEqual({ passed: true, detail: 'exit status 0' });
  expect((await Promise.all(first)).every(found => found.passed)).toBe(true);
  expect(existsSync(inFolder('never'))).toBe(false);
});
