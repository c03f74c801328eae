// SPDX-License-Identifier: Apache-2.0
// The files that a source includes or imports, directly or indirectly. Tests are selected by them, so that nobody has to
// keep lists of tests.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { projectRoot } from '../tools/command.ts';
import { filesUnder } from '../tools/files.ts';

const textOf = (path: string): string => readFileSync(join(projectRoot, path), 'utf8');

/** The sources that `path` reaches by `next`, including itself. */
function closure(path: string, next: (path: string) => readonly string[]): Set<string> {
  const reached = new Set<string>();
  const waiting = [path];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    waiting.push(...next(file));
  }
  return reached;
}

const isThere = (path: string): boolean => existsSync(join(projectRoot, path));

/** The headers that a C++ source includes, and the sources of these headers, which its program links. */
function included(path: string): string[] {
  const names = [...textOf(path).matchAll(/^#include "([^"]+)"/gm)].map(match => match[1] ?? '');
  return names.flatMap(name => {
    const places = [dirname(path), 'native', 'native/test', 'native/fuzz'].map(folder => normalize(join(folder, name)));
    const header = places.find(isThere);
    return header === undefined ? [] : [header, header.replace(/\.h$/, '.cc')].filter(isThere);
  });
}

/** Signs of code with threads. */
const threads = /#include <(thread|future|pthread\.h|condition_variable|mutex|shared_mutex|semaphore)>|pthread_create/;

/** The folders of native/test with a test that has threads, or that links code with threads. */
export function foldersWithThreads(): string[] {
  const tests = filesUnder('native/test', path => path.endsWith('_test.cc'));
  const threaded = tests.filter(test => [...closure(test, included)].some(path => threads.test(textOf(path))));
  return [...new Set(threaded.map(path => path.split('/')[2] ?? ''))];
}

function imported(path: string): string[] {
  const names = [...textOf(path).matchAll(/\bfrom '(\.\.?\/[^']+)'/g)].map(match => match[1] ?? '');
  return names.map(name => normalize(join(dirname(path), name))).filter(isThere);
}

/** The TypeScript tests that make networks. They are slow, because they start a process for each question. */
export function testsWithNetworks(): string[] {
  const makesNetworks = /^describeAsRoot\(|\bTopology\.up\(/m;
  const isTest = (path: string): boolean => path.endsWith('.test.ts');
  return filesUnder('test', isTest).filter(test =>
    [...closure(test, imported)].some(path => path.startsWith('test/') && makesNetworks.test(textOf(path))),
  );
}
