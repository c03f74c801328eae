// SPDX-License-Identifier: Apache-2.0
import type { Host } from '../topology/host.ts';
import type { Program } from '../topology/program.ts';
import { nodeProgram } from './node-program.ts';

/** Longer than what a person at a terminal takes for "it hangs". */
const answerMilliseconds = 5000;

/** A TCP connection in which somebody types and reads, as in SSH. */
export class Session {
  readonly #program: Program;
  /** The client's. */
  readonly port: number;
  #lines = 0;

  private constructor(program: Program) {
    this.#program = program;
    this.port = Number(/^open (\d+)$/m.exec(program.stdout)?.[1]);
  }

  static async open(client: Host, address: string): Promise<Session> {
    const program = client.start('session', nodeProgram('session', address), { open: true });
    await program.says('open ');
    return new Session(program);
  }

  /** Types a line; fails unless it comes back in the same connection. */
  async type(): Promise<void> {
    this.#lines += 1;
    const line = `line ${this.#lines} of the session`;
    this.#program.write(`${line}\n`);
    await this.#program.says(`heard ${line}`, answerMilliseconds);
  }
}
