// SPDX-License-Identifier: Apache-2.0
import { readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execute, MachineError } from './system-program.ts';

/** What is kept for later runs: packages, and what was made of them. */
export const packageFolder = process.env.SLUICE_ORACLE_DIR ?? join(tmpdir(), 'sluice-ipvs-oracle');

/** Downloads a Debian package into a folder, which keeps no older version of it, and returns the path of its file. */
export function downloadPackage(name: string, folder: string): string {
  const archives = () => readdirSync(folder).filter(file => file.startsWith(`${name}_`) && file.endsWith('.deb'));
  for (const old of archives()) rmSync(join(folder, old));
  execute('apt-get', ['download', name], { cwd: folder });
  const [archive] = archives();
  if (archive === undefined) throw new MachineError(`apt-get download ${name} left no package in ${folder}`);
  return join(folder, archive);
}
