// SPDX-License-Identifier: Apache-2.0
// Numbered datagrams to the echo servers and back, to count those that are lost on the way.
import type { Host } from '../topology/host.ts';
import { LabError } from '../topology/lab-error.ts';
import type { Program } from '../topology/program.ts';
import { nodeProgram } from './node-program.ts';

/** Long enough for both ends to keep up on a busy machine. */
const microsecondsBetween = 1000;

export interface StreamResult {
  readonly sent: number;
  /** The numbers of the datagrams that did not come back. */
  readonly lost: readonly number[];
  /** The numbers of those that came back more than once. */
  readonly duplicated: readonly number[];
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

  async end(): Promise<StreamResult> {
    this.#program.endInput();
    const { stdout } = await this.#program.ending;
    const last = stdout.trim().split('\n').at(-1) ?? '';
    if (!last.startsWith('{')) throw new LabError(`the stream broke off: ${stdout.trim()}`);
    return JSON.parse(last);
  }
}

/** Datagrams that a host dropped because the receiver's buffer was full. The network did not lose them. */
export async function lostByReceivers(host: Host): Promise<number> {
  const printed = await host.must(['cat', '/proc/net/snmp']);
  const [names = [], values = []] = [...printed.matchAll(/^Udp: (.*)$/gm)].map(match => (match[1] ?? '').split(' '));
  return Number(values[names.indexOf('RcvbufErrors')] ?? 0);
}
