// SPDX-License-Identifier: Apache-2.0
// A host of a topology: a network namespace in which programs are run.
import { join } from 'node:path';
import type { ServiceDescription } from './description.ts';
import { LabError } from './lab-error.ts';
import { type Ending, Program } from './program.ts';
import { namespaceOf, namespacePath } from './run.ts';
import { scaled } from './time-scale.ts';

/** A command that has not ended after this time hangs. */
const commandMilliseconds = 60_000;

export interface CommandOptions {
  readonly input?: string;
  readonly milliseconds?: number;
}

export class Host {
  readonly name: string;
  readonly namespace: string;
  /** Holds the logs of its programs and the files that they read. It is removed with the topology. */
  readonly folder: string;
  readonly #programs: Program[] = [];
  #started = 0;

  constructor(id: string, name: string, folder: string) {
    this.name = name;
    this.namespace = namespaceOf(id, name);
    this.folder = folder;
  }

  /** Starts a program and leaves it running. */
  start(name: string, command: readonly [string, ...string[]], input?: string | { open: true }): Program {
    this.#started += 1;
    const log = join(this.folder, `${this.name}-${this.#started}-${name}`);
    const path = namespacePath(this.namespace);
    const program = new Program({ namespacePath: path, command, name: `${this.name}: ${name}`, log, input });
    this.#programs.push(program);
    return program;
  }

  async startService({ name, command, ready }: ServiceDescription): Promise<Program> {
    const program = this.start(name, command);
    await program.ready(ready);
    return program;
  }

  /** Runs a command to its end, with any exit status. */
  async run(command: readonly [string, ...string[]], options: CommandOptions = {}): Promise<Ending> {
    const { input = '' } = options;
    const milliseconds = scaled(options.milliseconds ?? commandMilliseconds);
    const program = this.start(command[0].replace(/^.*\//, ''), command, input);
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      program.kill('SIGKILL');
    }, milliseconds);
    try {
      const ending = await program.ending;
      if (isLate) throw new LabError(`${this.name}: did not end within ${milliseconds / 1000} s: ${command.join(' ')}`);
      return ending;
    } finally {
      clearTimeout(timer);
      this.#programs.splice(this.#programs.indexOf(program), 1);
    }
  }

  /** Runs a command and returns what it prints. Throws a LabError when the command fails. */
  async must(command: readonly [string, ...string[]], options: CommandOptions = {}): Promise<string> {
    const { status, stdout, stderr } = await this.run(command, options);
    if (status !== 0) {
      const said = (stderr.trim() || stdout.trim() || 'it said nothing').slice(-2000);
      throw new LabError(`${this.name}: \`${command.join(' ')}\` ended with ${status ?? 'a signal'}: ${said}`);
    }
    return stdout;
  }

  /** Lets this process end while the programs keep running. */
  release(): void {
    for (const program of this.#programs) program.release();
  }

  /** Stops the programs that still run, the last started first. */
  async stopPrograms(): Promise<void> {
    for (const program of this.#programs.splice(0).toReversed()) await program.stop();
  }
}
