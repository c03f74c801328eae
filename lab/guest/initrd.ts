// SPDX-License-Identifier: Apache-2.0
import { copyFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { execute } from './system-program.ts';

/** Copies kernel modules into `folder`. Their new names sort in the order in which they must be loaded. */
export function copyModules(files: readonly string[], folder: string): void {
  for (const [index, file] of files.entries()) {
    copyFileSync(file, join(folder, `${String(index).padStart(2, '0')}-${basename(file)}`));
  }
}

/** Packs a folder as the initial file system of a kernel. */
export function packInitrd(root: string, initrd: string): void {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' });
  const input = Buffer.from(files.join('\n'));
  writeFileSync(initrd, execute('cpio', ['-o', '-H', 'newc', '--quiet'], { cwd: root, input }));
}
