// SPDX-License-Identifier: Apache-2.0
// Compiles the relay of a link when its source is newer than the compiled program.
import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { LabError } from '../topology/lab-error.ts';

const source = join(import.meta.dirname, 'relay.cc');
const program = join(import.meta.dirname, '../../out/lab/relay');

/** The path of the relay's program. */
export function relayCommand(): string {
  if (changedAt(program) >= changedAt(source)) return program;
  mkdirSync(dirname(program), { recursive: true });
  // Two runs may compile at the same time, so each writes a file of its own and renames it when it is complete.
  const unfinished = `${program}.${process.pid}`;
  const compiled = spawnSync('g++', ['-std=c++20', '-O2', '-Wall', '-Wextra', '-o', unfinished, source], {
    encoding: 'utf8',
  });
  if (compiled.status !== 0) throw new LabError(`the relay does not compile: ${compiled.stderr}`);
  renameSync(unfinished, program);
  return program;
}

function changedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
