// SPDX-License-Identifier: Apache-2.0
// The rooms of the native code and the floors that they form: a room includes its own headers and those of the floors
// below it. The lower rooms are pure: they ask no operating system for anything.

/** From the ground up. Rooms on one floor know nothing of each other. */
export const floors: readonly (readonly string[])[] = [
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
  ['engine'],
  ['decap'],
  ['binding'],
];

/** Folders of native/ that are no rooms: they may include every room, and no room includes them. */
const outside = ['test', 'fuzz', 'bench'];

/** Rooms without I/O: the time, the memory and the frames are handed in. */
const isPure = (room: string): boolean => /^(core|wire|director)(\/|$)/.test(room);

/** Headers of the C++ library that do I/O, read a clock or start threads. */
const impure = new Set(['chrono', 'filesystem', 'fstream', 'iostream', 'mutex', 'thread', 'condition_variable']);

/** Headers of the system that ask it for nothing: addresses as text, and vector instructions. */
const harmless = new Set(['arpa/inet.h', 'emmintrin.h']);

interface Source {
  path: string;
  text: string;
}

const floorOf = (room: string): number => floors.findIndex(floor => floor.includes(room));

/** The room of a file, given from native/; undefined where it is in none. */
export function roomOf(path: string): string | undefined {
  return floors
    .flat()
    .filter(room => path.startsWith(`${room}/`))
    .sort((a, b) => b.length - a.length)[0];
}

function brokenInclude(room: string, included: string): string | undefined {
  const other = included.includes('/') ? roomOf(included) : room;
  if (other === undefined) return `includes "${included}", which is in no room`;
  if (other === room || floorOf(other) < floorOf(room)) return undefined;
  return `includes "${included}": ${other} is not below ${room} (scripts/native-floors.ts)`;
}

function impureInclude(room: string, header: string): string | undefined {
  const isOfTheLibrary = !header.includes('.') && !impure.has(header);
  if (isOfTheLibrary || harmless.has(header)) return undefined;
  return `includes <${header}>, but ${room} does no I/O: have what it needs handed in`;
}

/** What is wrong with the includes of a native source. */
export function brokenFloors({ path, text }: Source): string[] {
  if (!/^native\/.*\.(h|cc)$/.test(path)) return [];
  const inside = path.slice('native/'.length);
  if (outside.some(folder => inside.startsWith(`${folder}/`))) return [];
  const room = roomOf(inside);
  if (room === undefined) return ['is in no room: add its folder to the floors in scripts/native-floors.ts'];
  const own = [...text.matchAll(/^#include "([^"]+)"/gm)].flatMap(match => brokenInclude(room, match[1] ?? '') ?? []);
  if (!isPure(room)) return own;
  return [
    ...own,
    ...[...text.matchAll(/^#include <([^>]+)>/gm)].flatMap(match => impureInclude(room, match[1] ?? '') ?? []),
  ];
}
