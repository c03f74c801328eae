// SPDX-License-Identifier: Apache-2.0
// The start of every script of the project, and how scripts run other programs: the command is shown before it runs, its
// output goes to the screen, and a failure ends the script with one line that says what failed.
// Exit status: 0 done, 1 failed, 2 misuse.
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';

export const projectRoot = fileURLToPath(new URL('..', import.meta.url));

/** Characters of a command line that are shown: two lines of a terminal. */
const longestShown = 160;

/** Seconds. The time of a program that ran for less is not shown. */
const shortestTimed = 1;

export const parallelJobs = availableParallelism();

export const isRoot = process.getuid?.() === 0;

/** An error for the person at the terminal: its message says what went wrong, and no stack trace is shown. */
export class Failure extends Error {
  readonly exitStatus: number;

  constructor(message: string, exitStatus = 1) {
    super(message);
    this.exitStatus = exitStatus;
  }
}

export interface RunOptions {
  /** The words to show instead of the command. */
  shownAs?: readonly string[];
  env?: Record<string, string>;
  /** Keep the output and show it only when the program fails. */
  quiet?: boolean;
}

export function heading(text: string): void {
  console.log(`\n── ${text}`);
}

/** A command line with paths relative to the project's root, cut if it is long. */
function shown(words: readonly string[]): string {
  const line = words.map(word => word.replace(projectRoot, './')).join(' ');
  return line.length > longestShown ? `${line.slice(0, longestShown)} …` : line;
}

/** Runs a program in the project's root and returns its exit status. Shows its seconds below its output. */
export function run(program: string, args: readonly string[], options: RunOptions = {}): number {
  console.log(`$ ${shown(options.shownAs ?? [program, ...args])}`);
  const began = performance.now();
  const result = spawnSync(program, args, {
    cwd: projectRoot,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', options.quiet ? 'pipe' : 'inherit', options.quiet ? 'pipe' : 'inherit'],
    encoding: 'utf8',
    maxBuffer: Number.POSITIVE_INFINITY,
  });
  const seconds = (performance.now() - began) / 1000;
  if (seconds >= shortestTimed) console.log(`  ${seconds.toFixed(1)} s`);
  return exitStatus(result, program, options.quiet ?? false);
}

function exitStatus(result: SpawnSyncReturns<string>, program: string, quiet: boolean): number {
  if (result.error) throw new Failure(`${program} could not be started: ${result.error.message}`);
  const status = result.status ?? 1;
  if (quiet && status !== 0) process.stdout.write(result.stdout + result.stderr);
  if (result.signal) console.log(`${program} was ended by ${result.signal}`);
  return status;
}

/** Runs a program whose failure is the script's failure. */
export function mustRun(program: string, args: readonly string[], options: RunOptions = {}): void {
  const status = run(program, args, options);
  if (status !== 0) throw new Failure(`${program} failed with exit status ${status}`);
}

/** Runs a program and returns what it prints, without the line end of the last line. */
export function outputOf(program: string, args: readonly string[]): string {
  const result = spawnSync(program, args, { cwd: projectRoot, encoding: 'utf8', maxBuffer: Number.POSITIVE_INFINITY });
  if (result.error) throw new Failure(`${program} could not be started: ${result.error.message}`);
  if (result.status !== 0) throw new Failure(`${program} failed: ${result.stderr.trim()}`);
  return result.stdout.trimEnd();
}

/**
 * Runs `body` if the module at `moduleUrl` is the started program. Does nothing if another script imports the module.
 * `--help` prints `usage`.
 */
export async function startScript(
  moduleUrl: string,
  usage: string,
  body: (args: string[]) => void | Promise<void>,
): Promise<void> {
  if (process.argv[1] !== fileURLToPath(moduleUrl)) return;
  const args = process.argv.slice(2);
  if (args.includes('--help') || args.includes('-h')) {
    console.log(usage.trim());
    return;
  }
  try {
    await body(args);
  } catch (error) {
    process.exitCode = report(error);
  }
}

function report(error: unknown): number {
  if (error instanceof Failure) {
    console.error(`\n${error.message}`);
    return error.exitStatus;
  }
  if (isMisuse(error)) {
    console.error(`${error.message}\nTry --help.`);
    return 2;
  }
  throw error;
}

/** The errors of node:util's parseArgs have codes with this prefix. */
function isMisuse(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_');
}
