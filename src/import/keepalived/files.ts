// SPDX-License-Identifier: Apache-2.0
// The files that includes name: csh's braces and the wildcards of glob(7), as keepalived has them from glob(3).
import { constants, readdirSync, readFileSync, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';

/** What an import reads of the host. */
export interface SourceFiles {
  read(path: string): string;
  /** The names in a folder; none when it cannot be read. */
  names(folder: string): string[];
  /** executable: keepalived does not read files that can be executed. */
  kind(path: string): 'file' | 'executable' | 'folder' | 'none';
}

export const hostFiles: SourceFiles = {
  read: path => readFileSync(path, 'utf8'),
  names(folder) {
    try {
      return readdirSync(folder);
    } catch {
      return [];
    }
  },
  kind(path) {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat?.isDirectory()) return 'folder';
    if (stat?.isFile() !== true) return 'none';
    const executable = constants.S_IXUSR | constants.S_IXGRP | constants.S_IXOTH;
    return (stat.mode & executable) === 0 ? 'file' : 'executable';
  },
};

/** More patterns, or more matches, than anybody includes by one line. */
const mostMatches = 1000;

/** The paths that a pattern names, sorted within each of its brace alternatives; undefined when they are too many. */
export function matches(pattern: string, folder: string, files: SourceFiles): string[] | undefined {
  const patterns = braced(pattern);
  if (patterns === undefined) return undefined;
  const found: string[] = [];
  for (const one of patterns) {
    const start = isAbsolute(one) ? '/' : folder;
    const steps = one.split('/').filter(step => step !== '');
    const paths = walk(start, steps, files);
    found.push(...paths);
    if (found.length > mostMatches) return undefined;
  }
  return found;
}

// `a{b,c}d` as abd and acd; undefined when they are too many.
function braced(pattern: string): string[] | undefined {
  const done: string[] = [];
  const open = [pattern];
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    if (done.length + open.length > mostMatches) return undefined;
    const group = firstGroup(one);
    if (group === undefined) done.push(one);
    else for (const choice of group.choices.reverse()) open.push(group.before + choice + group.after);
  }
  return done;
}

function firstGroup(text: string): { before: string; choices: string[]; after: string } | undefined {
  const start = text.indexOf('{');
  if (start < 0) return undefined;
  const choices: string[] = [];
  let depth = 0;
  let from = start + 1;
  for (let at = start; at < text.length; at++) {
    const sign = text[at];
    if (sign === '{') depth++;
    else if (sign === '}') depth--;
    const ends = depth === 0 || (depth === 1 && sign === ',');
    if (!ends) continue;
    choices.push(text.slice(from, at));
    from = at + 1;
    if (depth === 0) return { before: text.slice(0, start), choices, after: text.slice(from) };
  }
  return undefined;
}

function walk(folder: string, steps: readonly string[], files: SourceFiles): string[] {
  const [step, ...rest] = steps;
  if (step === undefined) return [];
  const names = /[*?[]/.test(step)
    ? files
        .names(folder)
        .filter(name => fits(name, step))
        .sort()
    : [step];
  return names
    .map(name => join(folder, name))
    .flatMap(path => {
      if (rest.length > 0) return walk(path, rest, files);
      return files.kind(path) === 'none' ? [] : [path];
    });
}

function fits(name: string, pattern: string): boolean {
  if (name.startsWith('.') && !pattern.startsWith('.')) return false;
  const source = pattern.replaceAll(/\[!?[^\]]+\]|[\s\S]/g, part => {
    if (part === '*') return '[^]*';
    if (part === '?') return '[^]';
    if (part.length === 1) return part.replace(/[\\^$.*+?()[\]{}|]/, '\\$&');
    return part.replaceAll('\\', '\\\\').replace('[!', '[^');
  });
  try {
    return new RegExp(`^${source.replaceAll(/(\[\^\]\*)+/g, '[^]*')}$`).test(name);
  } catch {
    return false;
  }
}
