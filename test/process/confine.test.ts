// SPDX-License-Identifier: Apache-2.0
// Node still works in a process that has given up system calls.
import { expect, it } from 'vitest';
import { runProgram } from './run-program.ts';

const confined = {
  serves: true,
  threads: true,
  filter: ['NoNewPrivs: 1', 'Seccomp: 2'],
};

it('a confined process serves and has threads, and starts no program', async () => {
  const { stdout, stderr } = await runProgram('confined');
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual({ ...confined, starts: 'spawnSync true EPERM' });
});

it('a confined process starts programs where it is allowed to', async () => {
  const { stdout } = await runProgram('confined', { arguments: ['exec'] });
  expect(JSON.parse(stdout)).toEqual({ ...confined, starts: 'a program' });
});
