// SPDX-License-Identifier: Apache-2.0
// The layers of the native code: a folder includes its own headers and headers of lower layers. The folders of the core are
// pure: they make no system calls.

/** From the lowest layer to the highest. Folders of one layer do not include each other. */
export const layers: readonly (readonly string[])[] = [
  ['core', 'wire', 'bpf'],
  ['director/network', 'director/states', 'memory'],
  ['director/flows'],
  ['director/services'],
  ['director/pools'],
  ['director/outgoing'],
  ['director/tracking'],
  ['director/handshake'],
  ['director/stages'],
  ['port', 'host'],
  ['engine', 'probe'],
  ['decap'],
  ['binding', 'client'],
];

/** Folders of native/ outside of the layers: they may include every folder, and no folder includes them. */
const outside = ['test', 'fuzz', 'bench'];

/** Folders without I/O: the time, the memory and the frames are passed in. */
const isPure = (folder: string): boolean => /^(core|wire|director)(\/|$)/.test(folder);

/** Headers of the C++ library that do I/O, read a clock or start threads. */
const impure = new Set(['chrono', 'filesystem', 'fstream', 'iostream', 'mutex', 'thread', 'condition_variable']);

/** System headers that pure folders may include, as these make no system calls: addresses as text, vector instructions. */
const harmless = new Set(['arpa/inet.h', 'emmintrin.h']);

interface Source {
  path: string;
  text: string;
}

const layerOf = (folder: string): number => layers.findIndex(layer => layer.includes(folder));

/** The folder of a file, whose path begins below native/. Undefined when no layer has it. */
export function folderOf(path: string): string | undefined {
  return layers
    .flat()
    .filter(folder => path.startsWith(`${folder}/`))
    .sort((a, b) => b.length - a.length)[0];
}

function brokenInclude(folder: string, included: string): string | undefined {
  const other = included.includes('/') ? folderOf(included) : folder;
  if (other === undefined) return `includes "${included}", whose folder is in no layer`;
  if (other === folder || layerOf(other) < layerOf(folder)) return undefined;
  return `includes "${included}": ${other} is not below ${folder} (scripts/native-layers.ts)`;
}

function impureInclude(folder: string, header: string): string | undefined {
  const isOfTheLibrary = !header.includes('.') && !impure.has(header);
  if (isOfTheLibrary || harmless.has(header)) return undefined;
  return `includes <${header}>, but ${folder} must not do I/O: pass in what it needs`;
}

/** What is wrong with the includes of a native source. */
export function brokenLayers({ path, text }: Source): string[] {
  if (!/^native\/.*\.(h|cc)$/.test(path)) return [];
  const inside = path.slice('native/'.length);
  if (outside.some(name => inside.startsWith(`${name}/`))) return [];
  const folder = folderOf(inside);
  if (folder === undefined) return ['its folder is in no layer: add it to the layers in scripts/native-layers.ts'];
  const own = [...text.matchAll(/^#include "([^"]+)"/gm)].flatMap(match => brokenInclude(folder, match[1] ?? '') ?? []);
  if (!isPure(folder)) return own;
  return [
    ...own,
    ...[...text.matchAll(/^#include <([^>]+)>/gm)].flatMap(match => impureInclude(folder, match[1] ?? '') ?? []),
  ];
}
