// SPDX-License-Identifier: Apache-2.0
// `npm run bench`: builds the benchmarks optimised, runs them, and writes their figures with the machine that they are from.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Failure, heading, outputOf, projectRoot, startScript } from '../scripts/command.ts';
import { compile } from '../scripts/native-tests.ts';
import { setup } from '../scripts/setup.ts';
import { type Figure, isSubject, parseFigure, type Run, type Subject, subjects } from './programs.ts';

const names = Object.keys(subjects) as Subject[];

const usage = `Usage: npm run bench -- [SUBJECT…] [--json]

Measures what Sluice costs. Without a subject, all of them; allow some minutes and leave the machine alone meanwhile.

${names.map(name => `  ${name.padEnd(12)} ${subjects[name].about}`).join('\n')}

  --json       print one JSON document instead of text
  --help       print this

The figures also go to out/bench/SUBJECT.json, with kernel, CPU, Node and commit. docs/performance.md explains them.
`;

const build = { folder: 'release', variables: { CMAKE_BUILD_TYPE: 'Release' } };

interface Report {
  readonly subject: Subject;
  readonly machine: { readonly kernel: string; readonly cpu: string; readonly node: string; readonly commit: string };
  readonly runs: readonly {
    readonly command: string;
    readonly figures: readonly Figure[];
    readonly text: readonly string[];
  }[];
}

function machine(): Report['machine'] {
  const cpu = cpus()[0]?.model ?? 'unknown';
  return {
    kernel: release(),
    cpu,
    node: process.version,
    commit: outputOf('git', ['rev-parse', '--short', 'HEAD']).trim(),
  };
}

function measure({ program, args }: Run, quiet: boolean): Report['runs'][number] {
  const command = [`out/${build.folder}/native/${program}`, ...args];
  const result = spawnSync(join(projectRoot, command[0] ?? ''), args, { cwd: projectRoot, encoding: 'utf8' });
  if (result.status !== 0) throw new Failure(`${command.join(' ')} failed: ${result.stderr}`);
  const lines = result.stdout.split('\n').filter(line => line !== '');
  const figures = lines.flatMap(line => parseFigure(line) ?? []);
  const text = lines.filter(line => parseFigure(line) === undefined);
  if (!quiet) {
    console.log(`\n${command.join(' ')}`);
    for (const { figure, value, unit } of figures) console.log(`  ${figure.padEnd(60)} ${value} ${unit}`);
    for (const line of text) console.log(`  ${line}`);
  }
  return { command: command.join(' '), figures, text };
}

function bench(subject: Subject, quiet: boolean): Report {
  if (!quiet) heading(subject);
  const report: Report = { subject, machine: machine(), runs: subjects[subject].runs.map(one => measure(one, quiet)) };
  const folder = join(projectRoot, 'out/bench');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${subject}.json`), `${JSON.stringify(report, null, 2)}\n`);
  return report;
}

await startScript(import.meta.url, usage, args => {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: { json: { type: 'boolean' } } });
  const unknown = positionals.find(name => !isSubject(name));
  if (unknown !== undefined) throw new Failure(`there is no subject "${unknown}"; there are ${names.join(', ')}`, 2);
  const chosen = positionals.length > 0 ? positionals.filter(isSubject) : names;
  setup(['build', 'test']);
  compile(build, [...new Set(chosen.flatMap(name => subjects[name].runs.map(one => one.program)))]);
  const reports = chosen.map(name => bench(name, values.json === true));
  if (values.json) console.log(JSON.stringify(reports, null, 2));
});
