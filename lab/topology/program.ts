// SPDX-License-Identifier: Apache-2.0
// A program that runs inside a host: its output goes to a log, its readiness is waited for, and it is ended with the
// topology at the latest.
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import type { Readiness } from './description.ts';
import { LabError } from './lab-error.ts';
import { until } from './until.ts';

/** A shared machine may need seconds to start a program; one that needs more hangs. */
const readyMilliseconds = 20_000;
/** After this, a program that was asked to end is killed. */
const endMilliseconds = 3000;
/** As much of a log as an error message shows. */
const shownOfLog = 2000;

export interface Ending {
  /** null when a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly namespacePath: string;
  readonly command: readonly [string, ...string[]];
  /** In messages: `client: iperf3`. */
  readonly name: string;
  /** Where the output goes, both streams. */
  readonly log: string;
  /** Given to the program's standard input, which is then closed. */
  readonly input?: string | undefined;
}

export class Program {
  readonly name: string;
  readonly ending: Promise<Ending>;
  readonly #child: ChildProcess;
  readonly #log: string;
  #stdout = '';
  #stderr = '';
  #hasEnded = false;

  constructor({ namespacePath, command, name, log, input }: ProgramOptions) {
    this.name = name;
    this.#log = log;
    this.#child = spawn('nsenter', [`--net=${namespacePath}`, '--', ...command], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      appendFileSync(log, text);
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      appendFileSync(log, text);
    });
    // A program that ends before it has read everything closes the pipe: its status says what went wrong.
    this.#child.stdin?.on('error', () => undefined);
    if (input !== undefined) this.#child.stdin?.end(input);
    this.ending = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('close', status => {
        this.#hasEnded = true;
        resolve({ status, stdout: this.#stdout, stderr: this.#stderr });
      });
    });
    // Whoever waits for the ending sees the failure; nobody needs to wait.
    this.ending.catch(() => undefined);
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** What it has printed so far. */
  get stdout(): string {
    return this.#stdout;
  }

  /** Of the program itself: nsenter becomes it. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async ready(readiness: Readiness): Promise<void> {
    await until(`${this.name} is ready`, readyMilliseconds, () => {
      if (this.#hasEnded) throw new LabError(`${this.name} ended before it was ready: ${this.#endOfLog()}`);
      return 'prints' in readiness
        ? `${this.#stdout}\n${this.#stderr}`.split('\n').some(line => line.includes(readiness.prints))
        : this.#listens(readiness.listens);
    });
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Waits until it has printed the text after the first `from` characters. */
  async says(text: string, from = 0, milliseconds = readyMilliseconds): Promise<void> {
    await until(`${this.name} prints "${text}"`, milliseconds, () => {
      if (this.#stdout.includes(text, from)) return true;
      if (this.#hasEnded) throw new LabError(`${this.name} ended before it printed "${text}": ${this.#endOfLog()}`);
      return false;
    });
  }

  kill(signal: NodeJS.Signals): void {
    if (!this.#hasEnded) this.#child.kill(signal);
  }

  /** Ends it in good order, or otherwise. */
  async stop(): Promise<void> {
    this.kill('SIGTERM');
    const timer = setTimeout(() => this.kill('SIGKILL'), endMilliseconds);
    await this.ending.catch(() => undefined);
    clearTimeout(timer);
  }

  /** /proc/PID/net is of the namespace that the process is in: nobody has to enter it to look. */
  #listens(where: string): boolean {
    const [protocol = '', port] = where.split(':');
    const listening = protocol === 'tcp' ? '0A' : '07';
    const hexPort = Number(port).toString(16).toUpperCase().padStart(4, '0');
    const tables = [protocol, `${protocol}6`].map(table => readOrEmpty(`/proc/${this.pid}/net/${table}`));
    return tables
      .flatMap(table => table.split('\n'))
      .some(row => new RegExp(`^ *\\d+: [0-9A-F]+:${hexPort} [0-9A-F]+:0000 ${listening} `).test(row));
  }

  #endOfLog(): string {
    return readOrEmpty(this.#log).slice(-shownOfLog).trim() || 'it printed nothing';
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
