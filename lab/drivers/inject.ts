// SPDX-License-Identifier: Apache-2.0
// Crafted packets, sent by the npm package raw-socket from inside a host.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '../topology/host.ts';
import { LabError } from '../topology/lab-error.ts';
import { nodeProgram } from './node-program.ts';

const projectRoot = join(import.meta.dirname, '../..');
const nativePart = join(projectRoot, 'node_modules/raw-socket/build/Release/raw.node');

/** Builds the package's native part if it is missing: `npm ci` runs no package's code. */
export function buildRawSocket(): void {
  if (existsSync(nativePart)) return;
  const words = ['--import=tsx', 'tools/build.ts', '--raw-socket'];
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { cwd: projectRoot, encoding: 'utf8' });
  if (status !== 0) throw new LabError(`raw-socket cannot be built:\n${stdout}${stderr}`);
}

/** Sends IP packets unchanged, also with false sources or checksums. The host routes them to `address`. */
export async function inject(from: Host, address: string, packets: readonly Uint8Array[]): Promise<void> {
  buildRawSocket();
  const lines = packets.map(packet => `${Buffer.from(packet).toString('hex')}\n`);
  const sent = await from.must(nodeProgram('inject', address), { input: lines.join('') });
  if (Number(sent) !== packets.length) throw new LabError(`${sent.trim()} of ${packets.length} packets were sent`);
}
