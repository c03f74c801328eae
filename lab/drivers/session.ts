// SPDX-License-Identifier: Apache-2.0
import type { Host } from '../topology/host.ts';
import type { Program } from '../topology/program.ts';
import { nodeProgram } from './node-program.ts';

/** A person at a terminal would call a longer wait a hang. */
const answerMilliseconds = 5000;

/** An interactive TCP connection, as that of SSH. */
export class Session {
  readonly #program: Program;
  /** The client's port. */
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

  /** Sends a line. Fails unless it comes back in the same connection. */
  async type(): Promise<void> {
    this.#lines += 1;
    const line = `line ${this.#lines} of the session`;
    this.#program.write(`${line}\n`);
    await this.#program.says(`heard ${line}`, answerMilliseconds);
  }
}
