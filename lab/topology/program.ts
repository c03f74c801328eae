// SPDX-License-Identifier: Apache-2.0
// A program that runs inside a host. Its output goes to files, not pipes: so the program can outlive this process when the
// topology is kept, and its output can be read when a scenario fails. It has a session of its own: Ctrl-C at the terminal
// reaches only the lab, which then stops the program.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import type { Readiness } from './description.ts';
import { LabError } from './lab-error.ts';
import { scaled } from './time-scale.ts';
import { until } from './until.ts';

/** A busy machine may need seconds to start a program. A program that is not ready after this time hangs. */
const readyMilliseconds = 60_000;
/** After this, a program that was asked to end is killed. */
const endMilliseconds = 3000;
/** An error message shows at most so many characters of an output. */
const shownOfOutput = 2000;

/** Bytes. Limits each file that a program writes, so that a defective program cannot fill the machine's disk. */
const longestFile = 1 << 30;

/** The unit of times in /proc; it is the same on every architecture. */
const ticksASecond = 100;

export interface Ending {
  /** null when a signal ended the program. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly namespacePath: string;
  readonly command: readonly [string, ...string[]];
  /** In messages: `client: iperf3`. */
  readonly name: string;
  /** Output goes to the files `log`.out and `log`.err. */
  readonly log: string;
  /** A text is written to standard input, which is then closed. `open` keeps standard input open for write(). */
  readonly input?: string | { readonly open: true } | undefined;
}

export class Program {
  readonly name: string;
  readonly ending: Promise<Ending>;
  readonly #child: ChildProcess;
  readonly #log: string;
  #hasEnded = false;

  constructor({ namespacePath, command, name, log, input }: ProgramOptions) {
    this.name = name;
    this.#log = log;
    const outputs = [openSync(`${log}.out`, 'w'), openSync(`${log}.err`, 'w')] as const;
    const inside = ['nsenter', `--net=${namespacePath}`, '--', ...command];
    this.#child = spawn('prlimit', [`--fsize=${longestFile}`, '--', ...inside], {
      stdio: [input === undefined ? 'ignore' : 'pipe', ...outputs],
      detached: true,
    });
    for (const output of outputs) closeSync(output);
    // A program that ends before it has read everything closes the pipe. That error is ignored: its status tells the cause.
    this.#child.stdin?.on('error', () => undefined);
    if (typeof input === 'string') this.#child.stdin?.end(input);
    this.ending = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('close', status => {
        this.#hasEnded = true;
        resolve({ status, stdout: this.stdout, stderr: this.stderr });
      });
    });
    // If nobody awaits the ending, its rejection must not end the lab.
    this.ending.catch(() => undefined);
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** What the program has printed so far. */
  get stdout(): string {
    return readOrEmpty(`${this.#log}.out`);
  }

  get stderr(): string {
    return readOrEmpty(`${this.#log}.err`);
  }

  async ready(readiness: Readiness): Promise<void> {
    await this.#until('is ready', readyMilliseconds, () =>
      'prints' in readiness
        ? this.stdout.includes(readiness.prints) || this.stderr.includes(readiness.prints)
        : this.#listens(readiness.listens),
    );
  }

  /** Writes to standard input, if the program was started with an open input. */
  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Closes standard input, if the program was started with an open input. */
  endInput(): void {
    this.#child.stdin?.end();
  }

  /** Waits until its standard output has the text. */
  async says(text: string, milliseconds = readyMilliseconds): Promise<void> {
    await this.#until(`prints "${text}"`, milliseconds, () => this.stdout.includes(text));
  }

  /** Waits until its standard error has the text after the first `from` characters. */
  async logs(text: string, from: number, milliseconds = readyMilliseconds): Promise<void> {
    await this.#until(`logs ${text}`, milliseconds, () => this.stderr.includes(text, from));
  }

  /** The CPU time that the program and its running children have used, on all cores. */
  cpuSeconds(): number {
    return [this.#child.pid, ...this.children()].map(cpuSecondsOf).reduce((sum, seconds) => sum + seconds, 0);
  }

  /** The child processes of the program. */
  children(): number[] {
    const { pid } = this.#child;
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .split(' ')
      .filter(word => word !== '')
      .map(Number);
  }

  kill(signal: NodeJS.Signals): void {
    if (!this.#hasEnded) this.#child.kill(signal);
  }

  /** Sends SIGTERM, and SIGKILL if the program has not ended in time. */
  async stop(): Promise<void> {
    this.kill('SIGTERM');
    const timer = setTimeout(() => this.kill('SIGKILL'), scaled(endMilliseconds));
    await this.ending.catch(() => undefined);
    clearTimeout(timer);
  }

  /** Lets this process end while the program keeps running. */
  release(): void {
    this.#child.unref();
    this.#child.stdin?.destroy();
  }

  async #until(what: string, milliseconds: number, holds: () => boolean): Promise<void> {
    await until(`${this.name} ${what}`, milliseconds, () => {
      if (holds()) return true;
      if (this.#hasEnded) throw new LabError(`${this.name} ended before it ${what}: ${this.#endOfOutput()}`);
      return false;
    });
  }

  /**
   * Reads /proc/PID/net, which shows the network namespace of the process. The child's pid is the program's: prlimit and
   * nsenter replace themselves with it.
   */
  #listens(where: string): boolean {
    const [protocol = '', port] = where.split(':');
    const listening = protocol === 'tcp' ? '0A' : '07';
    const hexPort = Number(port).toString(16).toUpperCase().padStart(4, '0');
    const row = new RegExp(`^ *\\d+: [0-9A-F]+:${hexPort} [0-9A-F]+:0000 ${listening} `, 'm');
    return [protocol, `${protocol}6`].some(table => row.test(readOrEmpty(`/proc/${this.#child.pid}/net/${table}`)));
  }

  #endOfOutput(): string {
    return `${this.stdout}${this.stderr}`.slice(-shownOfOutput).trim() || 'it printed nothing';
  }
}

function cpuSecondsOf(pid: number | undefined): number {
  // The name in the second field may contain spaces and brackets; it ends with the last bracket (proc_pid_stat(5)).
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  const [userTicks, systemTicks] = fields.slice(11, 13).map(Number);
  return ((userTicks ?? 0) + (systemTicks ?? 0)) / ticksASecond;
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
