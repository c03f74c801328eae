// SPDX-License-Identifier: Apache-2.0
// Instructions a packet, counted by callgrind. They do not depend on the machine's load, so CI can check them: no figure may
// rise above 120 % of its value in bench/recorded.json.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, projectRoot } from '../tools/command.ts';
import { type Figure, type Run, readFigures } from './programs.ts';

/** A figure may grow by this factor, as compilers differ by some percent. More is a change of our code. */
const tolerance = 1.2;

const recordFile = join(projectRoot, 'bench/recorded.json');
const unit = 'instructions a packet';

/** Counts the instructions within MemoryPort::pass(), in which packets go through the director. */
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

/** The output file is for `callgrind_annotate`; it holds the last run. */
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

/** The figures that exceed their recorded values or have none, a line each. */
export function regressions(figures: readonly Figure[], recorded: Recorded = readRecord()): readonly string[] {
  return figures.flatMap(({ figure, value }) => {
    const before = recorded[figure];
    if (before === undefined)
      return [`${figure}: no recorded value; record it with: npm run bench -- instructions --record`];
    if (value <= before * tolerance) return [];
    return [`${figure}: ${value} ${unit}, ${Math.round((value / before) * 100)} % of the recorded ${before}`];
  });
}
