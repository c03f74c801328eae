// SPDX-License-Identifier: Apache-2.0
import type { Service } from '../programs/service.ts';
import type { Host } from '../topology/host.ts';
import { LabError } from '../topology/lab-error.ts';
import { nodeProgram } from './node-program.ts';

type Answer = Service | null | { readonly error: string };

async function ask(client: Host, address: string, bytes: number, count: number): Promise<Answer[]> {
  const printed = await client.must(nodeProgram('udp-client', address, String(bytes), String(count)));
  const lines = printed.trim().split('\n');
  return lines.map(line => JSON.parse(line));
}

/** Sends datagrams of `bytes` bytes, each from a new port, and returns who answered. Fails when one is lost or changed. */
export async function whoEchoes(client: Host, address: string, bytes: number, count: number): Promise<Service[]> {
  return (await ask(client, address, bytes, count)).map(answer => {
    if (answer !== null && 'server' in answer) return answer;
    const how = answer === null ? 'did not come back' : `was answered with ${answer.error}`;
    throw new LabError(`a datagram of ${bytes} bytes to ${address} ${how}`);
  });
}

/** Sends one small datagram. Returns the name of the error that comes back, or undefined when none does. */
export async function udpError(client: Host, address: string): Promise<string | undefined> {
  const [answer] = await ask(client, address, 1, 1);
  return answer && 'error' in answer ? answer.error : undefined;
}
