// SPDX-License-Identifier: Apache-2.0
import type { Host } from '../topology/host.ts';
import { nodeProgram } from './node-program.ts';

export interface Connections {
  /** How many were open at the same time. */
  readonly opened: number;
  /** How many got back what they sent. */
  readonly echoed: number;
}

/** Opens `count` TCP connections to port 7 at once, and uses each of them when all are open. */
export async function openConnections(client: Host, address: string, count: number): Promise<Connections> {
  return JSON.parse(await client.must(nodeProgram('connections', address, String(count))));
}
