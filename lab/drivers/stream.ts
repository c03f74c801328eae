// SPDX-License-Identifier: Apache-2.0
// Numbered datagrams to the echo servers and back, as an account of what is lost on the way.
import type { Host } from '../topology/host.ts';
import { LabError } from '../topology/lab-error.ts';
import type { Program } from '../topology/program.ts';
import { nodeProgram } from './node-program.ts';

/** Small enough that a busy machine keeps up with both ends. */
const microsecondsBetween = 1000;

export interface Account {
  readonly sent: number;
  /** Their numbers. */
  readonly lost: readonly number[];
  readonly doubled: readonly number[];
}

export class Stream {
  readonly #program: Program;

  private constructor(program: Program) {
    this.#program = program;
  }

  /** Returns when the first datagram has come back. */
  static async open(client: Host, address: string): Promise<Stream> {
    const program = client.start('stream', nodeProgram('stream', address, String(microsecondsBetween)), { open: true });
    await program.says('flows');
    return new Stream(program);
  }

  async end(): Promise<Account> {
    this.#program.endInput();
    const { stdout } = await this.#program.ending;
    const last = stdout.trim().split('\n').at(-1) ?? '';
    if (!last.startsWith('{')) throw new LabError(`the stream broke off: ${stdout.trim()}`);
    return JSON.parse(last);
  }
}

/** Datagrams that came to a host and found the buffer of their receiver full: lost by the receiver, not by the way. */
export async function lostByReceivers(host: Host): Promise<number> {
  const printed = await host.must(['cat', '/proc/net/snmp']);
  const [names = [], values = []] = [...printed.matchAll(/^Udp: (.*)$/gm)].map(match => (match[1] ?? '').split(' '));
  return Number(values[names.indexOf('RcvbufErrors')] ?? 0);
}
