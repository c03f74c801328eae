// SPDX-License-Identifier: Apache-2.0
// Lists files of the project, with paths relative to its root, sorted by name.
import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { outputOf, projectRoot } from './command.ts';

/** The files below `folder` that `wanted` accepts. None if the folder does not exist. */
export function filesUnder(folder: string, wanted: (path: string) => boolean): string[] {
  const start = join(projectRoot, folder);
  if (!existsSync(start)) return [];
  return readdirSync(start, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => relative(projectRoot, join(entry.parentPath, entry.name)))
    .filter(wanted)
    .sort();
}

/** The project's own files: committed, or new and not ignored. */
export function ownFiles(): string[] {
  const listed = outputOf('git', ['ls-files', '--cached', '--others', '--exclude-standard', '--deduplicate']);
  return listed.split('\n').filter(path => path !== '' && existsSync(join(projectRoot, path)));
}
