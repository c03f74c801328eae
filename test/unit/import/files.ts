// SPDX-License-Identifier: Apache-2.0
// Files that exist in a test only.
import { dirname } from 'node:path';
import type { SourceFiles } from '../../../src/import/keepalived/files.ts';
import { type Imported, importKeepalived } from '../../../src/import/keepalived/import.ts';

export function filesOf(texts: Readonly<Record<string, string>>): SourceFiles {
  return {
    read: path => texts[path] ?? '',
    names: folder =>
      Object.keys(texts)
        .filter(path => dirname(path) === folder)
        .map(path => path.slice(path.lastIndexOf('/') + 1)),
    kind: path => (path in texts ? 'file' : 'none'),
  };
}

/** Imports `/k/k.conf`. */
export function imported(text: string, more: Readonly<Record<string, string>> = {}, id = 'host'): Imported {
  return importKeepalived('/k/k.conf', {
    files: filesOf({ '/k/k.conf': text, ...more }),
    id,
    environment: { HOME: '/root' },
  });
}
