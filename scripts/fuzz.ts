// SPDX-License-Identifier: Apache-2.0
// Looks for inputs that crash a parser: libFuzzer with AddressSanitizer and UBSan, one process for each target.
//
// A run starts with the committed inputs in native/fuzz/corpus/NAME and those that earlier runs kept in out/fuzz-corpus/NAME,
// to which it adds inputs that reach new code. Crashing inputs are kept in out/fuzz-artifacts, with the log of the run.
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { Failure, heading, mustRun, parallelJobs, projectRoot, startScript } from '../tools/command.ts';
import { filesUnder } from '../tools/files.ts';
import { compile } from '../tools/native-tests.ts';
import { record } from '../tools/results.ts';
import { setup } from '../tools/setup.ts';

const usage = `
Usage: npm run fuzz [-- [--minutes N] [--target NAME]… [--jobs N] [--merge] [--list]]

Runs the fuzz targets of native/fuzz with libFuzzer, AddressSanitizer and UBSan. Crashing inputs and logs are kept in
out/fuzz-artifacts; to repeat a crash, run the target with that input: out/fuzz/native/NAME_fuzz FILE.

  --minutes N    how long each target runs; 1 unless given
  --target NAME  run only this target: pcapng for native/fuzz/pcapng_fuzz.cc; may be repeated; all unless given
  --jobs N       how many targets run at once; ${parallelJobs} on this machine unless given
  --merge        instead of fuzzing, copy inputs that earlier runs found to native/fuzz/corpus: the fewest that reach the
                 same code
  --list         print the targets
`;

const longestRun = 24 * 60;
const secondsBetweenReports = 10;

// Packet parsers read at most a jumbo frame, capture parsers need only a few records. Longer inputs only cost time.
const libFuzzerLimits = ['-max_len=16384', '-timeout=10', '-rss_limit_mb=2048'];

interface Target {
  name: string;
  program: string;
  committed: string;
  found: string;
  /** libFuzzer's latest status line, for the report on the screen. */
  status: string;
}

function targetsNamed(names: readonly string[]): Target[] {
  const all = filesUnder('native/fuzz', path => path.endsWith('_fuzz.cc')).map(path => basename(path, '_fuzz.cc'));
  const unknown = names.filter(name => !all.includes(name));
  if (unknown.length > 0) throw new Failure(`no such target: ${unknown.join(', ')}; there are ${all.join(', ')}`, 2);
  return (names.length > 0 ? names : all).map(name => ({
    name,
    program: join(projectRoot, 'out/fuzz/native', `${name}_fuzz`),
    committed: join(projectRoot, 'native/fuzz/corpus', name),
    found: join(projectRoot, 'out/fuzz-corpus', name),
    status: 'starting',
  }));
}

function compileTargets(targets: readonly Target[]): void {
  const variables = {
    CMAKE_CXX_COMPILER: 'clang++-14',
    CMAKE_BUILD_TYPE: 'RelWithDebInfo',
    FUZZ: 'ON',
    SANITIZE: 'address,undefined',
  };
  compile(
    { folder: 'fuzz', variables },
    targets.map(target => basename(target.program)),
  );
  for (const target of targets) mkdirSync(target.found, { recursive: true });
}

/** Runs one target for `seconds`. Resolves with true when it found nothing. */
function fuzz(target: Target, seconds: number, running: Set<ChildProcess>): Promise<boolean> {
  const artifacts = join(projectRoot, 'out/fuzz-artifacts');
  mkdirSync(artifacts, { recursive: true });
  const corpora = [target.found, target.committed].filter(existsSync);
  const limits = [
    `-max_total_time=${seconds}`,
    `-artifact_prefix=${join(artifacts, target.name)}-`,
    ...libFuzzerLimits,
  ];
  const child = spawn(target.program, [...limits, ...corpora], { stdio: ['ignore', 'ignore', 'pipe'] });
  running.add(child);
  const log = createWriteStream(join(artifacts, `${target.name}.log`));
  createInterface({ input: child.stderr }).on('line', line => {
    log.write(`${line}\n`);
    if (/^#\d+/.test(line)) target.status = line.replace(/\s+/g, ' ');
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', status => {
      running.delete(child);
      log.end();
      const verdict =
        status === 0 ? 'nothing found' : `FAILED, see ${join('out/fuzz-artifacts', `${target.name}.log`)}`;
      console.log(`${target.name}: ${verdict} (${target.status})`);
      resolve(status === 0);
    });
  });
}

/** Runs the targets, `jobs` of them at once. Returns the names of those that failed. */
async function fuzzAll(targets: readonly Target[], seconds: number, jobs: number): Promise<string[]> {
  const waiting = [...targets];
  const active = new Set<Target>();
  const running = new Set<ChildProcess>();
  const failed: string[] = [];
  const stop = (): void => {
    for (const child of running) child.kill('SIGINT');
    waiting.length = 0;
  };
  process.once('SIGINT', stop);
  const reports = setInterval(() => {
    for (const target of active) console.log(`${target.name}: ${target.status}`);
  }, secondsBetweenReports * 1000);
  const work = async (): Promise<void> => {
    for (let target = waiting.shift(); target !== undefined; target = waiting.shift()) {
      active.add(target);
      if (!(await fuzz(target, seconds, running))) failed.push(target.name);
      active.delete(target);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  clearInterval(reports);
  process.removeListener('SIGINT', stop);
  return failed;
}

function merge(targets: readonly Target[]): void {
  for (const target of targets) {
    mkdirSync(target.committed, { recursive: true });
    const before = readdirSync(target.committed).length;
    mustRun(target.program, ['-merge=1', ...libFuzzerLimits, target.committed, target.found], { quiet: true });
    console.log(`${target.name}: ${readdirSync(target.committed).length - before} new inputs`);
  }
}

function numberBetween(text: string, least: number, most: number, option: string): number {
  const value = Number(text);
  if (!(value >= least && value <= most))
    throw new Failure(`${option}: ${text} is not between ${least} and ${most}`, 2);
  return value;
}

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: 'string', default: '1' },
      target: { type: 'string', multiple: true, default: [] },
      jobs: { type: 'string', default: String(parallelJobs) },
      merge: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
    },
  });
  const minutes = numberBetween(values.minutes, 0.01, longestRun, '--minutes');
  const jobs = Math.floor(numberBetween(values.jobs, 1, 1024, '--jobs'));
  const targets = targetsNamed(values.target);
  if (values.list) {
    console.log(targets.map(target => target.name).join('\n'));
    return;
  }
  setup(['fuzz']);
  compileTargets(targets);
  heading(values.merge ? 'merging' : `fuzzing: ${targets.length} targets, ${minutes} minutes each, ${jobs} at once`);
  if (values.merge) {
    merge(targets);
    return;
  }
  const failed = await fuzzAll(targets, Math.ceil(minutes * 60), jobs);
  record('fuzz', { passed: targets.length - failed.length, failed: failed.length, skipped: 0 });
  if (failed.length > 0) throw new Failure(`These targets crashed: ${failed.join(', ')}. See out/fuzz-artifacts.`);
}

await startScript(import.meta.url, usage, main);
