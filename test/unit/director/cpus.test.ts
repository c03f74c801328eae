// SPDX-License-Identifier: Apache-2.0
import { availableParallelism } from 'node:os';
import { expect, test } from 'vitest';
import { allowedCpus, cpusFor } from '../../../src/director/cpus.ts';

test('workers get the CPUs that the process may use', () => {
  const allowed = allowedCpus('Name:\tsluice\nCpus_allowed:\t1f0\nCpus_allowed_list:\t4-7,9\nMems_allowed_list:\t0\n');
  expect(allowed).toEqual([4, 5, 6, 7, 9]);
  expect(cpusFor(2, allowed)).toEqual([4, 5]);
  expect(cpusFor('auto', allowed)).toEqual([4, 5, 6, 7, 9]);
  expect(cpusFor(1, allowed)).toEqual([-1]);
  expect(cpusFor('auto', [3])).toEqual([-1]);
});

test('more workers than the process may use CPUs are refused', () => {
  for (const workers of [0, 3, 1.5]) expect(() => cpusFor(workers, [4, 5])).toThrow('not a number of workers');
});

test('the kernel lists as many CPUs as Node counts', () => {
  expect(allowedCpus()).toHaveLength(availableParallelism());
});
