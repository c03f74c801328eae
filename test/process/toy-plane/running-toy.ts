// SPDX-License-Identifier: Apache-2.0
// `sluice run` with the toy planes, as a process of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../../lab/topology/until.ts';
import { controlReload, controlStatus } from '../../../src/control/api.ts';
import { ApiClient } from '../../../src/core/api/client.ts';
import { bundledCommand } from '../bundled.ts';
import { otherGreeting, toyGreeting } from './plane.ts';

export const toyProgram = bundledCommand(new URL('./', import.meta.url));
/** A limit for hangs: a start takes five processes, each a second of a CPU. */
export const patience = 90_000;

export interface ToyOptions {
  /** Words before the command. */
  readonly under?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Puts other files beside the document before anything is started. */
  readonly prepare?: (folder: string) => void;
}

export class RunningToy {
  readonly folder = mkdtempSync(join(tmpdir(), 'sluice-toy-'));
  readonly file = join(this.folder, 'toy.yaml');
  readonly client = new ApiClient(join(this.folder, 'toy.sock'));
  readonly child: ChildProcess;
  log = '';
  /** The supervisor that has taken over from the child. */
  #next: number | undefined;

  constructor(text: string, { under = [], environment = {}, prepare }: ToyOptions = {}) {
    this.configure(text);
    prepare?.(this.folder);
    const [program = '', ...rest] = [...under, ...toyProgram, this.file, join(this.folder, 'toy.sock')];
    this.child = spawn(program, rest, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...environment },
    });
    this.child.stderr?.setEncoding('utf8').on('data', part => {
      this.log += part;
    });
  }

  configure(text: string): void {
    writeFileSync(this.file, text);
  }

  /** A file that a plane, an ordinary user, can remove. */
  once(): string {
    const file = join(this.folder, 'once');
    writeFileSync(file, '');
    chmodSync(this.folder, 0o777);
    return file;
  }

  async ready(): Promise<this> {
    await until('the toy answers, and no process still starts', patience, async () => {
      if ((await this.says()) === undefined) return false;
      const status = await this.status().catch(() => undefined);
      return status?.processes.every(({ state }) => state !== 'starting') === true;
    });
    return this;
  }

  /** What the plane says, and from which process; undefined while it says nothing. */
  async says() {
    return await this.client.call(toyGreeting, {}).catch(() => undefined);
  }

  async otherSays() {
    return await this.client.call(otherGreeting, {}).catch(() => undefined);
  }

  async status() {
    return await this.client.call(controlStatus, {});
  }

  /** A row of the status. */
  async process(name: string) {
    const row = (await this.status()).processes.find(each => each.name === name);
    if (row === undefined) throw new Error(`there is no process ${name}`);
    return row;
  }

  async pid(name: string): Promise<number> {
    const { pid } = await this.process(name);
    if (pid === undefined) throw new Error(`${name} has no process`);
    return pid;
  }

  /** Of all processes, those that stand by too. */
  async pids(): Promise<number[]> {
    return (await this.status()).processes.flatMap(({ pid, standsBy }) =>
      [pid, standsBy].filter(one => one !== undefined),
    );
  }

  /** Processes of this name that the supervisor has started, whatever they have come to. */
  children(name: string): number[] {
    const { pid } = this.child;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
    return children.filter(child => {
      const words = commandLine(child);
      return words.includes(`\0${name}\0`) || words.startsWith(`sluice: ${name}`);
    });
  }

  /** Another process of this name than the one of the number works. */
  async replaced(name: string, pid: number): Promise<void> {
    await until(`another ${name} works`, patience, async () => {
      const row = await this.process(name).catch(() => undefined);
      return row?.pid !== undefined && row.pid !== pid && row.state === 'running';
    });
  }

  async logs(text: string): Promise<void> {
    await until(`the log has ${text}`, patience, async () => this.log.includes(text));
  }

  reload() {
    return this.client.call(controlReload, {});
  }

  ended(): Promise<number | null> {
    const { child } = this;
    if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
    return new Promise(resolve => child.once('exit', status => resolve(status)));
  }

  /** Another supervisor, which is no child of this process, has taken over. */
  follow(next: number): void {
    this.#next = next;
  }

  async stop(): Promise<void> {
    const next = this.#next;
    if (next !== undefined) {
      process.kill(next, 'SIGTERM');
      await until('the supervisor ends', patience, async () => commandLine(next) === '');
    }
    this.child.kill('SIGTERM');
    await this.ended();
    rmSync(this.folder, { recursive: true });
  }
}

/** Empty when there is no such process any more. */
export function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

/** A line of /proc/PID/status, as words. */
export function statusLine(pid: number, name: string): string[] {
  const lines = readFileSync(`/proc/${pid}/status`, 'utf8').split('\n');
  const line = lines.find(each => each.startsWith(`${name}:`)) ?? '';
  return line.split(/\s+/).slice(1);
}
