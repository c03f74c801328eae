// SPDX-License-Identifier: Apache-2.0
// What the files of this program are: Sluice's own and the native module. Two builds of one version differ.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot, runsFromSource } from '../core/package-root.ts';
import { version } from '../core/version.ts';
import { addonPath } from '../native/addon.ts';

/** Reads the files: the answer is that of the program that runs only as long as nobody has replaced them. */
export function buildIdentity(): string {
  const folder = join(packageRoot, runsFromSource ? 'src' : 'dist');
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name => /\.[jt]s$/.test(name));
  const hash = createHash('sha256').update(`${version} ${process.version}`);
  for (const path of [...names.sort().map(name => join(folder, name)), addonPath()]) hash.update(readFileSync(path));
  return hash.digest('hex').slice(0, 12);
}
