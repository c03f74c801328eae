// SPDX-License-Identifier: Apache-2.0
import type { Host } from '../topology/host.ts';
import { nodeProgram } from './node-program.ts';

export interface Connections {
  /** Were open at the same time. */
  readonly stood: number;
  /** Got back what they said. */
  readonly echoed: number;
}

/** Opens so many TCP connections to port 7 at once and uses each when all stand. */
export async function openConnections(client: Host, address: string, count: number): Promise<Connections> {
  return JSON.parse(await client.must(nodeProgram('connections', address, String(count))));
}
