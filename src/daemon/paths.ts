// SPDX-License-Identifier: Apache-2.0
import { relative, resolve, sep } from 'node:path';

/** Whether the path leads to something in the folder or in one below. Symbolic links are not followed. */
export function isBelow(folder: string, path: string): boolean {
  const way = relative(resolve(folder), resolve(path));
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`);
}
