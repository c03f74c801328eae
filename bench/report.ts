// SPDX-License-Identifier: Apache-2.0
// Shared by all benchmarks: their build, the description of the machine, and the file of their figures.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { outputOf, projectRoot } from '../tools/command.ts';
import { buildFolder } from './programs.ts';

export const optimised = { folder: buildFolder, variables: { CMAKE_BUILD_TYPE: 'Release' } };

export interface Machine {
  readonly kernel: string;
  readonly cpu: string;
  readonly node: string;
  readonly commit: string;
}

export function machine(): Machine {
  const cpu = cpus()[0]?.model ?? 'unknown';
  return {
    kernel: release(),
    cpu,
    node: process.version,
    commit: outputOf('git', ['rev-parse', '--short', 'HEAD']).trim(),
  };
}

export function writeReport(name: string, report: object): void {
  const folder = join(projectRoot, 'out/bench');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(report, null, 2)}\n`);
}
