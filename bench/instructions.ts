// SPDX-License-Identifier: Apache-2.0
// Instructions a packet, as callgrind counts them. They repeat exactly whatever else the machine does, so CI can hold
// the director to them: none of the figures may rise above 120 % of what bench/recorded.json has.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, projectRoot } from '../tools/command.ts';
import { type Figure, type Run, readFigures } from './programs.ts';

/** What a figure may grow to. Compilers differ by some percent; what is more than this was a change of ours. */
const tolerance = 1.2;

const recordFile = join(projectRoot, 'bench/recorded.json');
const unit = 'instructions a packet';

/** Counts what the program does within MemoryPort::pass(), where its packets go through the director. */
export function count(run: Run): readonly Figure[] {
  const folder = join(projectRoot, 'out/bench');
  mkdirSync(folder, { recursive: true });
  const result = spawnSync('valgrind', ['--tool=callgrind', ...callgrindOptions(folder), ...run.command], {
    cwd: projectRoot,
    encoding: 'utf8',
  });
  if (result.error) throw new Failure(`valgrind could not be started: ${result.error.message}`);
  const collected = Number(result.stderr.match(/Collected : (\d+)/)?.[1]);
  if (result.status !== 0 || !(collected > 0)) {
    throw new Failure(`valgrind ${run.command.join(' ')} failed: ${result.stderr}`);
  }
  return readFigures(result.stdout).figures.map(({ figure, value }) => ({
    figure,
    value: Math.round((collected / value) * 10) / 10,
    unit,
  }));
}

/** For `callgrind_annotate` of the last run. */
function callgrindOptions(folder: string): string[] {
  return [`--callgrind-out-file=${join(folder, 'callgrind.out')}`, '--toggle-collect=*MemoryPort*::pass(*'];
}

type Recorded = Readonly<Record<string, number>>;

function readRecord(): Recorded {
  return existsSync(recordFile) ? JSON.parse(readFileSync(recordFile, 'utf8')) : {};
}

export function record(figures: readonly Figure[]): void {
  const recorded = Object.fromEntries(figures.map(({ figure, value }) => [figure, value]));
  writeFileSync(recordFile, `${JSON.stringify(recorded, null, 2)}\n`);
  console.log(`\nbench/recorded.json has these figures now.`);
}

/** What is wrong with the figures against those on record, a line each. */
export function complaints(figures: readonly Figure[], recorded: Recorded = readRecord()): readonly string[] {
  return figures.flatMap(({ figure, value }) => {
    const before = recorded[figure];
    if (before === undefined) return [`${figure}: nothing on record; npm run bench -- instructions --record`];
    if (value <= before * tolerance) return [];
    return [`${figure}: ${value} ${unit}, ${Math.round((value / before) * 100)} % of the ${before} on record`];
  });
}
