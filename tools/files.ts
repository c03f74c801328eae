// SPDX-License-Identifier: Apache-2.0
// The files of the tree, with paths relative to the project's root, in the order of their names.
import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { outputOf, projectRoot } from './command.ts';

/** Every file below `folder` that `wanted` accepts; none when there is no such folder. */
export function filesUnder(folder: string, wanted: (path: string) => boolean): string[] {
  const start = join(projectRoot, folder);
  if (!existsSync(start)) return [];
  return readdirSync(start, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => relative(projectRoot, join(entry.parentPath, entry.name)))
    .filter(wanted)
    .sort();
}

/** The files of the project's own: committed, or new and not ignored. */
export function ownFiles(): string[] {
  const listed = outputOf('git', ['ls-files', '--cached', '--others', '--exclude-standard', '--deduplicate']);
  return listed.split('\n').filter(path => path !== '' && existsSync(join(projectRoot, path)));
}
