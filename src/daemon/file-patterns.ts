// SPDX-License-Identifier: Apache-2.0
// The files that a pattern stands for: `*` and `?` in the names of files and folders, as in a shell. A name that begins
// with a dot is not meant by a wildcard. The pattern may come from an attacker (document-files.ts): folders are read piece
// by piece, what is compared and what is found is limited, and a comparison takes no more than the product of both lengths.
import { access, opendir } from 'node:fs/promises';
import { join, normalize, sep } from 'node:path';
import { byText } from '../core/config/canonical.ts';
import { ConfigError, SystemError } from '../core/errors.ts';
import { longestFile } from '../core/text-file.ts';

/** All names that one pattern may have compared. */
const mostCompared = 100_000;

/** Of all names that are found, so that they fit into one message between processes. */
const mostCharacters = longestFile;

/** Sorted by name. A pattern without wildcards stands for itself, whether or not there is such a file. */
export async function filesMatching(pattern: string): Promise<readonly string[]> {
  const steps = normalize(pattern).split(sep);
  const first = steps.findIndex(isWild);
  if (first < 0) return [pattern];
  const walk = new Walk(pattern);
  let found = [steps.slice(0, first).join(sep) || (pattern.startsWith(sep) ? sep : '.')];
  for (const [index, step] of steps.slice(first).entries()) {
    const next: string[] = [];
    for (const folder of found) {
      // A folder that is written out must be there; one that a wildcard stands for need not be a folder.
      if (isWild(step)) next.push(...(await walk.entries(folder, step, index > 0)));
      else if (await exists(join(folder, step))) next.push(join(folder, step));
    }
    found = next;
  }
  return found.toSorted(byText);
}

/** Whether the wildcards of the pattern can stand for the rest of the name. */
export function matchesName(pattern: string, name: string): boolean {
  let [at, star, retry] = [0, -1, 0];
  for (let index = 0; index < name.length; ) {
    if (pattern[at] === '*') {
      star = at++;
      retry = index;
    } else if (pattern[at] === '?' || pattern[at] === name[index]) {
      at++;
      index++;
    } else if (star >= 0) {
      // The last star takes one character more.
      at = star + 1;
      index = ++retry;
    } else {
      return false;
    }
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}

function isWild(step: string): boolean {
  return /[*?]/.test(step);
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

class Walk {
  readonly #pattern: string;
  #compared = 0;
  #characters = 0;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  async entries(folder: string, step: string, mayBeAbsent: boolean): Promise<string[]> {
    const names: string[] = [];
    try {
      for await (const { name } of await opendir(folder)) {
        if (++this.#compared > mostCompared) this.#fail();
        const isHidden = name.startsWith('.') && !step.startsWith('.');
        if (!isHidden && matchesName(step, name)) names.push(this.#found(join(folder, name)));
      }
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      if (mayBeAbsent && ['ENOENT', 'ENOTDIR'].includes(String((error as NodeJS.ErrnoException).code))) return [];
      throw SystemError.from(error, `cannot read the folder ${folder}`);
    }
    return names;
  }

  #found(path: string): string {
    this.#characters += path.length;
    if (this.#characters > mostCharacters) this.#fail();
    return path;
  }

  #fail(): never {
    throw new ConfigError('SLUICE_CONFIG_INVALID', 'the pattern is compared with too many files', {
      value: this.#pattern,
      remedy: 'put the files into a folder of their own',
    });
  }
}
