// SPDX-License-Identifier: Apache-2.0
// `npm run bench`: builds the benchmarks optimised, runs them, and writes their figures with a description of the machine.
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { build } from '../tools/build.ts';
import { Failure, heading, projectRoot, startScript } from '../tools/command.ts';
import { compile } from '../tools/native-tests.ts';
import { finish } from '../tools/results.ts';
import { setup } from '../tools/setup.ts';
import { count, record, regressions } from './instructions.ts';
import { benchPath, pathUsage } from './path/main.ts';
import { type Figure, isSubject, type Run, readFigures, type Subject, subjects } from './programs.ts';
import { type Machine, machine, optimised, writeReport } from './report.ts';

const names = Object.keys(subjects) as Subject[];

const usage = `Usage: npm run bench -- [SUBJECT…] [--json | --record]
       npm run bench -- path [OPTION…]

Measures the cost of Sluice. Without a subject, measures all of them except path. This takes some minutes, in which the
machine should do nothing else.

${names.map(name => `  ${name.padEnd(12)} ${subjects[name].about}`).join('\n')}
  ${'path'.padEnd(12)} live traffic beside other forwarders (root); see below

  --json       print one JSON document instead of text
  --record     with instructions: record the figures; later runs are compared with them
  --help       print this text

The figures are also written to out/bench/SUBJECT.json, with kernel, CPU, Node and commit. docs/performance.md explains
them.

${pathUsage}`;

interface Report {
  readonly subject: Subject;
  readonly machine: Machine;
  readonly runs: readonly {
    readonly command: string;
    readonly figures: readonly Figure[];
    readonly text: readonly string[];
  }[];
}

function execute({ command }: Run): ReturnType<typeof readFigures> {
  const [program = '', ...args] = command;
  const result = spawnSync(program, args, { cwd: projectRoot, encoding: 'utf8' });
  if (result.error) throw new Failure(`${program} could not be started: ${result.error.message}`);
  if (result.status !== 0) throw new Failure(`${command.join(' ')} failed: ${result.stderr}`);
  return readFigures(result.stdout);
}

function measure(subject: Subject, run: Run, quiet: boolean): Report['runs'][number] {
  const command = run.command.join(' ');
  if (!quiet) console.log(`\n${command}`);
  const { figures, text } = subject === 'instructions' ? { figures: count(run), text: [] } : execute(run);
  if (!quiet) {
    for (const { figure, value, unit } of figures) console.log(`  ${figure.padEnd(60)} ${value} ${unit}`);
    for (const line of text) console.log(`  ${line}`);
  }
  return { command, figures, text };
}

function bench(subject: Subject, quiet: boolean): Report {
  if (!quiet) heading(subject);
  const report: Report = {
    subject,
    machine: machine(),
    runs: subjects[subject].runs.map(run => measure(subject, run, quiet)),
  };
  writeReport(subject, report);
  return report;
}

/** Counts as one test for CI: no figure exceeds its recorded value. */
function checkAgainstRecord(report: Report): void {
  const wrong = regressions(report.runs.flatMap(run => run.figures));
  for (const line of wrong) console.log(line);
  finish('instructions', { passed: wrong.length === 0 ? 1 : 0, failed: wrong.length === 0 ? 0 : 1, skipped: 0 });
}

await startScript(import.meta.url, usage, async args => {
  if (args[0] === 'path') return await benchPath(args.slice(1));
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false }, record: { type: 'boolean', default: false } },
  });
  const unknown = positionals.find(name => !isSubject(name));
  if (unknown !== undefined) throw new Failure(`there is no subject "${unknown}"; there are ${names.join(', ')}`, 2);
  const chosen = positionals.length > 0 ? positionals.filter(isSubject) : names;
  if (values.record && !chosen.includes('instructions')) throw new Failure('--record goes with instructions', 2);
  setup(['test', 'bench']);
  const runs: readonly Run[] = chosen.flatMap(name => [...subjects[name].runs]);
  const targets = new Set(runs.flatMap(run => run.target ?? []));
  if (targets.size > 0) compile(optimised, [...targets]);
  if (runs.some(run => run.needs === 'package')) build();
  const reports = chosen.map(name => bench(name, values.json));
  if (values.json) console.log(JSON.stringify(reports, null, 2));
  const instructions = reports.find(report => report.subject === 'instructions');
  if (instructions === undefined) return;
  if (values.record) record(instructions.runs.flatMap(run => run.figures));
  else if (!values.json) checkAgainstRecord(instructions);
});
